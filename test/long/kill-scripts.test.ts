// P1 and P3 with scripts: kill -9 of the sandbox processes, or of the relay, while messages pass two scripts (FAULTS X29, X37).
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { crashRun } from "../support/crash-run.ts";
import { randomFrom } from "../support/edit-run.ts";
import { eventually } from "../support/eventually.ts";
import { descendants, startService, type Service } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { stampsOf, STAMPING, withoutStamps } from "../support/stamping-scripts.ts";

const MESSAGES = 5000;
/** Of STAMPING. */
const SCRIPTS = 3;
const RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 100, intervalsMinutes: [0.005] } };
const OPTIONS = { messages: MESSAGES, sessions: 20, drainTimeoutMs: 120_000, checked };

/** Every script saw the message once, and both halves of its edit are there. */
function checked(content: Buffer): Buffer {
  const stamps = stampsOf(content.toString("latin1"));
  if (stamps.size < SCRIPTS) throw new Error(`seen by ${[...stamps.keys()].join() || "no script"} only`);
  return withoutStamps(content);
}

function sandboxProcesses(service: Service): number[] {
  return descendants(service.pid).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("sandbox");
    } catch {
      return false;
    }
  });
}

test.skipIf(process.platform !== "linux")(
  "X29, X37: 5,000 messages through scripts whose processes are killed thirty times: each is seen once by each script, and arrives once",
  async () => {
    const seed = Date.now() % 2 ** 32;
    const random = randomFrom(seed);
    await using hop = await startCaptureServer();
    await using service = await startService({
      config: serviceConfig({ smartHostPort: hop.port, server: RETRY }),
      scripts: STAMPING,
    });
    const { pid } = service;
    let wanted = 1;
    const kill = async (): Promise<void> => {
      // Processes that are killed before they answered anything are started after longer and longer pauses.
      const victim = await eventually(
        () => {
          const below = sandboxProcesses(service);
          return hop.messages.length >= wanted && below[Math.floor(random() * below.length)];
        },
        { what: "progress, and a sandbox process", timeoutMs: 60_000 },
      );
      wanted = Math.min(MESSAGES, hop.messages.length + 20);
      process.kill(victim, "SIGKILL");
    };
    // Short, so that there is mail until the last one: without mail no process is needed soon.
    const balance = await crashRun(service, hop, { ...OPTIONS, kills: 30, maxUptimeMs: 150, random, kill });
    const held = await service.queue();
    const ended = service.log.filter((line) => line.includes('"msg":"a sandbox process ended"')).length;
    console.log(`seed ${seed}, ${ended} processes ended: ${JSON.stringify(balance)}`);
    expect(ended).toBeGreaterThanOrEqual(30);
    expect(service.pid).toBe(pid);
    expect(service.running).toBe(true);
    expect(held).toEqual([]);
    expect(balance).toEqual({
      acknowledged: MESSAGES,
      lost: [],
      duplicates: 0,
      corrupt: [],
      unacknowledged: 0,
    });
  },
);

test("X37, P3: 5,000 messages through scripts under ten kill -9 of the relay: none is lost, none goes on unseen or half changed", async () => {
  const random = randomFrom(Date.now() % 2 ** 32);
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: RETRY }),
    scripts: STAMPING,
  });
  const balance = await crashRun(service, hop, { ...OPTIONS, kills: 10, maxUptimeMs: 800, random });
  console.log(JSON.stringify(balance));
  expect(balance.acknowledged).toBe(MESSAGES);
  expect(balance.lost).toEqual([]);
  expect(balance.corrupt).toEqual([]);
});
