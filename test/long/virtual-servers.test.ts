// P1 for two virtual servers of one process: under load and kill -9 each delivers what it accepted, all of it, and nothing of the other.
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { type CrashRunOptions, crashRun } from "../support/crash-run.ts";
import { startService } from "../support/service.ts";

const MESSAGES = 3000;

/** Kept over restarts, so it cannot be 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Each server writes its own name into the Received field. */
function cameBy(name: string): (content: Buffer) => Buffer {
  const ours = Buffer.from(`by ${name}.example`);
  return (content) => {
    if (!content.includes(ours)) throw new Error(`not by ${name}: ${content.toString("latin1", 0, 300)}`);
    return content;
  };
}

test("C14 two virtual servers under ten kill -9 lose nothing and mix nothing", async () => {
  await using firstHop = await startCaptureServer();
  await using secondHop = await startCaptureServer();
  const port = await freePort();
  const serverOf = (name: string, hopPort: number): Record<string, unknown> => ({
    name,
    hostName: `${name}.example`,
    delivery: { smartHost: `127.0.0.1:${hopPort}` },
  });
  await using service = await startService({
    config: {
      retry: { glitchRetries: 100, glitchIntervalMs: 100, intervalsMinutes: [0.005] },
      virtualServers: [
        serverOf("first", firstHop.port),
        { ...serverOf("second", secondHop.port), listen: [`127.0.0.1:${port}`] },
      ],
    },
  });
  const options = (name: string, kills: number): CrashRunOptions => ({
    messages: MESSAGES,
    kills,
    sessions: 10,
    maxUptimeMs: 600,
    random: Math.random,
    drainTimeoutMs: 120_000,
    checked: cameBy(name),
  });
  const second = { port, restart: () => service.restart() };
  const balances = await Promise.all([
    crashRun(service, firstHop, options("first", 10)),
    crashRun(second, secondHop, options("second", 0)),
  ]);
  for (const { acknowledged, lost, corrupt } of balances)
    expect({ acknowledged, lost, corrupt }).toEqual({ acknowledged: MESSAGES, lost: [], corrupt: [] });
});
