// Connections to the next hop that break at any byte, while envelopes leave behind the content of the messages before (FAULTS N02).
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { crashRun } from "../support/crash-run.ts";
import { startService } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";

const MESSAGES = 10_000;
/** Of both directions, on average about sixty messages. */
const BYTES_PER_CONNECTION = 40_000;
const QUICK_RETRY = { glitchRetries: 100, glitchIntervalMs: 20, intervalsMinutes: [0.005] };

interface Breaker extends AsyncDisposable {
  readonly port: number;
  readonly cuts: number;
  /** Envelopes that came with the end of a content. */
  readonly groups: number;
}

/** Passes on what comes, up to a byte at which it ends both sides. */
async function startBreaker(target: number): Promise<Breaker> {
  let cuts = 0;
  let groups = 0;
  const server = createServer((client) => {
    const behind = connect({ port: target, host: "127.0.0.1" });
    let left = Math.ceil(Math.random() * 2 * BYTES_PER_CONNECTION);
    for (const [from, to] of [
      [client, behind],
      [behind, client],
    ] as const) {
      from.on("data", (chunk: Buffer) => {
        if (left === 0) return;
        if (chunk.includes("\r\n.\r\nMAIL")) groups += 1;
        const passes = Math.min(left, chunk.length);
        left -= passes;
        to.write(chunk.subarray(0, passes), () => {
          if (left === 0) to.destroy();
        });
        if (left === 0) cuts += 1;
      });
      from.on("error", () => from.destroy());
      from.on("close", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on TCP
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    get groups() {
      return groups;
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("N02 connections that break at any byte lose no message, and send none twice that the log does not name", async () => {
  await using hop = await startCaptureServer();
  await using breaker = await startBreaker(hop.port);
  await using service = await startService({
    config: serviceConfig({
      smartHostPort: breaker.port,
      // Fewer connections than clients: messages wait, and their envelopes leave in groups.
      server: { retry: QUICK_RETRY, outbound: { maxConnectionsPerDestination: 5 } },
    }),
  });
  const balance = await crashRun(service, hop, {
    messages: MESSAGES,
    kills: 0,
    sessions: 20,
    maxUptimeMs: 0,
    random: Math.random,
    drainTimeoutMs: 120_000,
  });
  const { cuts, groups } = breaker;
  const named = service.log.filter((line) => line.includes("no reply to end of data")).length;
  console.log(
    `${cuts} cuts, ${groups} groups, ${balance.duplicates} surplus copies, ${named} that the log names`,
  );
  expect([balance.acknowledged, balance.lost, balance.corrupt]).toEqual([MESSAGES, [], []]);
  expect(balance.duplicates).toBeLessThanOrEqual(named);
  expect(cuts).toBeGreaterThan(0);
  expect(groups).toBeGreaterThan(0);
});
