// The queue as people see it: waiting for a next hop, held, released, removed, and still there after a restart.
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCaptureServer } from "../support/capture-server.ts";
import { ask } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { startService, type Service } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { plainMessage, send } from "../support/smtp-client.ts";
import type { QueueEntry } from "../../src/transport/queues/queue-view.ts";

const QUICK_RETRY = { retry: { glitchRetries: 100, glitchIntervalMs: 200, intervalsMinutes: [0.005] } };
const SLOW_RETRY = { retry: { glitchRetries: 0, intervalsMinutes: [60] } };

const waiting = (service: Service, count: number, state?: QueueEntry["state"]): Promise<QueueEntry[]> =>
  eventually(
    async () => {
      const entries = await service.queue();
      const fitting = state === undefined ? entries : entries.filter((entry) => entry.state === state);
      return fitting.length === count && fitting;
    },
    {
      what: `${count} messages in the queue${state === undefined ? "" : ` in state ${state}`}`,
      timeoutMs: 20_000,
      intervalMs: 100,
    },
  );

test("a message waits visibly while the next hop is down and goes out when it is back", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: QUICK_RETRY }),
  });
  await hop.stop();
  await send(service.port, { from: "a@example.com", to: "b@example.org", data: plainMessage("waits") });
  const [entry] = await waiting(service, 1, "retry");
  expect(entry?.sender).toBe("a@example.com");
  expect(entry?.recipients[0]).toMatchObject({ address: "b@example.org", state: "pending" });
  expect(entry?.nextAttempt).toBeGreaterThan(0);
  await hop.listen();
  await hop.received(1, 20_000);
  await waiting(service, 0);
});

test("a 4xx of one recipient delays that one only", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: QUICK_RETRY }),
  });
  let greylisted = true;
  hop.script.rcpt = (address) =>
    greylisted && address === "slow@example.org" ? "450 4.7.1 come back later" : undefined;
  await send(service.port, { to: ["fast@example.org", "slow@example.org"], data: plainMessage("grey") });
  const [first] = await hop.received(1);
  expect(first?.to).toEqual(["fast@example.org"]);
  const [entry] = await waiting(service, 1, "retry");
  const slow = entry?.recipients.find((recipient) => recipient.address === "slow@example.org");
  expect(slow?.lastReply).toMatch(/450/);
  greylisted = false;
  const both = await hop.received(2, 20_000);
  expect(both[1]?.to).toEqual(["slow@example.org"]);
});

async function act(service: Service, verb: string, id: string): Promise<void> {
  const result = await ask(service, "queue", verb, id);
  expect(result.code, result.stderr).toBe(0);
}

/** The id of the waiting message with this subject: the queue shows no subjects, so one is sent at a time. */
async function sendAndWait(service: Service, subject: string, known: readonly string[]): Promise<string> {
  await send(service.port, { data: plainMessage(subject) });
  const entry = await eventually(
    async () => (await service.queue()).find((one) => one.state === "retry" && !known.includes(one.id)),
    { what: `${subject} in the queue` },
  );
  return entry.id;
}

test("retry, hold, release and remove do what they say", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: SLOW_RETRY }),
  });
  await hop.stop();
  const one = await sendAndWait(service, "one", []);
  const two = await sendAndWait(service, "two", [one]);
  await act(service, "hold", one);
  expect((await waiting(service, 1, "held"))[0]?.id).toBe(one);
  await hop.listen();
  await act(service, "retry", two);
  const [delivered] = await hop.received(1, 20_000);
  expect(delivered?.content.toString("latin1")).toContain("Subject: two");
  const shown = await ask(service, "queue", "show", one, "--json");
  expect(JSON.parse(shown.stdout)).toMatchObject({ id: one, state: "held" });
  await act(service, "release", one);
  await hop.received(2, 20_000);
  await hop.stop();
  const three = await sendAndWait(service, "three", [one, two]);
  await act(service, "remove", three);
  await waiting(service, 0);
  const gone = await ask(service, "queue", "remove", three, "--json");
  expect(gone.code).toBe(1);
  expect(JSON.parse(gone.stdout)).toMatchObject({ error: { code: "MESSAGE_NOT_FOUND" } });
});

test.for(["SIGTERM", "SIGKILL"] as const)(
  "after %s the next start resumes what was waiting",
  async (signal) => {
    await using hop = await startCaptureServer();
    await using service = await startService({
      config: serviceConfig({ smartHostPort: hop.port, server: QUICK_RETRY }),
    });
    await hop.stop();
    for (let i = 0; i < 5; i += 1) await send(service.port, { data: plainMessage(`resume ${i}`) });
    await waiting(service, 5);
    await service.kill(signal);
    await hop.listen();
    await service.start();
    const messages = await hop.received(5, 20_000);
    expect(
      new Set(messages.map((message) => /Subject: (.*)\r/.exec(message.content.toString("latin1"))?.[1]))
        .size,
    ).toBe(5);
  },
);

test("a held message is held after a restart too", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: SLOW_RETRY }),
  });
  await hop.stop();
  await send(service.port, { data: plainMessage("kept") });
  const [entry] = await waiting(service, 1);
  const held = await ask(service, "queue", "hold", entry?.id ?? "");
  expect(held.code, held.stderr).toBe(0);
  await hop.listen();
  await service.restart();
  expect((await waiting(service, 1, "held"))[0]?.id).toBe(entry?.id);
});

test("what is frozen stays so over a restart, and freeze says when it could not be written", async () => {
  await using hop = await startCaptureServer();
  const smartHost = `LOCALHOST:${hop.port}`;
  await using service = await startService({
    config: serviceConfig({ delivery: { smartHost }, server: QUICK_RETRY }),
  });
  const list = join(service.mailroot, "Queue", "frozen.json");
  await mkdir(list);
  const failed = await ask(service, "queue", "freeze", smartHost);
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining(`${list} cannot be written`) });
  expect(failed.stderr).toContain("what to do: ");
  await rmdir(list);
  const again = await ask(service, "queue", "freeze", smartHost);
  expect(again).toMatchObject({ code: 0, stdout: `${smartHost} was frozen already\n` });
  await service.kill("SIGKILL");
  await service.start();
  await send(service.port, { data: plainMessage("frozen") });
  await waiting(service, 1, "frozen");
  expect(hop.messages).toEqual([]);
  expect((await ask(service, "queue", "thaw", smartHost)).stdout).toBe(`${smartHost} goes on\n`);
  await hop.received(1);
});

test("list shows no more than its limit, also of what is in memory", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, server: SLOW_RETRY }),
  });
  await hop.stop();
  for (const text of ["one", "two", "three"]) await send(service.port, { data: plainMessage(text) });
  await waiting(service, 3);
  const listed = await ask(service, "queue", "list", "--limit", "2", "--json");
  expect(JSON.parse(listed.stdout)).toHaveLength(2);
});
