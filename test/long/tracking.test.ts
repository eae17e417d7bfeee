// The message tracking log: every recipient of every message comes to one end there, whatever happens to the service.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { callControl } from "../../src/admin/control-client.ts";
import { END_STEPS } from "../../src/observe/tracking-line.ts";
import { startCaptureServer } from "../support/capture-server.ts";
import { eventually, sleep } from "../support/eventually.ts";
import { startService, type Service } from "../support/service.ts";
import { serviceConfig } from "../support/service-config.ts";
import { conversation, plainMessage, send, wireOf } from "../support/smtp-client.ts";
import { tempFolder } from "../support/temp-folder.ts";
import type { QueueEntry } from "../../src/transport/queues/queue-view.ts";
import { type TrackedLine, trackedLines } from "../support/tracking.ts";

const QUICK = { retry: { glitchRetries: 100, glitchIntervalMs: 200, intervalsMinutes: [0.005] } };

const JUDGE = `
export default function onArrival(msg) {
  if (/^discard/.test(msg.Subject)) { msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus").Value = 2; msg.EnvelopeFields.Update(); }
  if (/^badmail/.test(msg.Subject)) { msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/messagestatus").Value = 3; msg.EnvelopeFields.Update(); }
  if (/^narrow/.test(msg.Subject)) { msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value = "SMTP:kept@ok.test"; msg.EnvelopeFields.Update(); }
}`;

interface Sent {
  readonly subject: string;
  readonly from: string;
  readonly to: readonly string[];
  id?: string;
}

/** Kinds of messages by the end that their recipients come to. */
const KINDS: readonly Omit<Sent, "id">[] = [
  { subject: "relay", from: "alice@example.com", to: ["one@ok.test"] },
  { subject: "local", from: "alice@example.com", to: ["bob@example.com"] },
  { subject: "mixed", from: "alice@example.com", to: ["two@ok.test", "gone@ok.test", "carol@example.com"] },
  { subject: "discard", from: "alice@example.com", to: ["three@ok.test", "four@ok.test"] },
  { subject: "badmail", from: "alice@example.com", to: ["five@ok.test"] },
  { subject: "narrow", from: "alice@example.com", to: ["kept@ok.test", "left@ok.test"] },
  { subject: "nobody", from: "", to: ["gone@ok.test"] },
  { subject: "never", from: "alice@example.com", to: ["never@ok.test"] },
];

const EXPECTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  relay: { "one@ok.test": "relayed" },
  local: { "bob@example.com": "delivered" },
  mixed: { "two@ok.test": "relayed", "gone@ok.test": "bounced", "carol@example.com": "delivered" },
  discard: { "three@ok.test": "discarded", "four@ok.test": "discarded" },
  badmail: { "five@ok.test": "badmail" },
  narrow: { "kept@ok.test": "relayed", "left@ok.test": "removed" },
  nobody: { "gone@ok.test": "badmail" },
  never: { "never@ok.test": "discarded" },
};

async function sendUntilAcknowledged(service: Service, queue: Sent[]): Promise<void> {
  while (queue.length > 0) {
    await using talk = conversation(service.port);
    try {
      await talk.expects(220).sends("EHLO client.example.com").expects(250);
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        talk.sends(`MAIL FROM:<${next.from}>`).expects(250);
        for (const to of next.to) talk.sends(`RCPT TO:<${to}>`).expects(250);
        const { text } = await talk
          .sends("DATA")
          .expects(354)
          .sendsBytes(wireOf(plainMessage(next.subject)))
          .expects(250);
        next.id = /<([^>]+)>/.exec(text)?.[1] ?? "";
        queue.shift();
      }
    } catch {
      await sleep(20);
    }
  }
}

const queued = async (service: Service): Promise<readonly QueueEntry[]> => {
  const answer: unknown = await callControl(service.mailroot, "queue.list");
  return Array.isArray(answer) ? answer : [];
};

/** What nobody takes is removed by the operator at the end; a message in hand has to be asked for again. */
const emptied = (service: Service): Promise<boolean> =>
  eventually(
    async () => {
      const entries = await queued(service);
      const isRest = entries.every(({ recipients }) => recipients[0]?.address === "never@ok.test");
      if (entries.length > 0 && isRest) await callControl(service.mailroot, "queue.remove", { all: true });
      return entries.length === 0;
    },
    { timeoutMs: 20_000, intervalMs: 50, what: "empty queues" },
  );

/** The distinct ends of each recipient of each message. */
function endsOf(lines: readonly TrackedLine[]): Map<string, Map<string, Set<string>>> {
  const ends = new Map<string, Map<string, Set<string>>>();
  const of = (id: string, to: string): Set<string> => {
    const message = ends.get(id) ?? new Map<string, Set<string>>();
    ends.set(id, message);
    const found = message.get(to) ?? new Set<string>();
    message.set(to, found);
    return found;
  };
  for (const line of lines) {
    if (line.step === "submitted" || line.step === "started") for (const to of line.to) of(line.id, to);
    if (END_STEPS.some((step) => step === line.step))
      for (const to of line.to) of(line.id, to).add(line.step);
    if (line.step === "changed" && Array.isArray(line["removed"]))
      for (const to of line["removed"]) of(line.id, String(to)).add("removed");
  }
  return ends;
}

test("input, tracking log, next hop, Drop, Badmail and reports agree on every recipient, with kill -9 in between", async () => {
  await using hop = await startCaptureServer();
  hop.script.rcpt = (address) =>
    address.startsWith("gone")
      ? "550 5.1.1 no such user"
      : address.startsWith("never")
        ? "450 4.2.1 later"
        : undefined;
  await using service = await startService({
    config: serviceConfig({
      smartHostPort: hop.port,
      localDomains: ["example.com"],
      server: QUICK,
      file: { tracking: { enabled: true } },
    }),
    scripts: { "judge.js": JUDGE },
  });
  const sent: Sent[] = Array.from({ length: 6 }, () => KINDS.map((kind) => ({ ...kind }))).flat();
  const sessions = [0, 1, 2, 3].map((session) => sent.filter((_, index) => index % 4 === session));
  const clients = Promise.all(sessions.map((queue) => sendUntilAcknowledged(service, queue)));
  await sleep(150);
  await service.restart("SIGKILL");
  await clients;
  await emptied(service);
  await service.kill();

  const lines = await trackedLines(join(service.mailroot, "Tracking"));
  const ends = endsOf(lines);
  for (const [id, recipients] of ends)
    for (const [to, found] of recipients)
      expect([id, to, [...found]]).toEqual([id, to, [expect.any(String)]]);
  for (const { id = "", subject } of sent) {
    const found = [...(ends.get(id) ?? new Map<string, Set<string>>())].map(([to, states]) => [
      to,
      [...states].join(),
    ]);
    expect({ subject, ends: Object.fromEntries(found) }).toEqual({ subject, ends: EXPECTED[subject] });
  }
  const place = (needle: string, contents: readonly Buffer[]): boolean =>
    contents.some((content) => content.includes(needle));
  const relayed = hop.messages.map(({ content }) => content);
  const dropped = (await service.drop()).map(({ content }) => content);
  const badmail = (await service.badmail()).map(({ content }) => content);
  for (const [id, recipients] of ends) {
    const states = new Set([...recipients.values()].flatMap((found) => [...found]));
    if (states.has("relayed")) expect(place(id, relayed)).toBe(true);
    if (states.has("delivered")) expect(place(id, dropped)).toBe(true);
    if (states.has("badmail")) expect(place(id, badmail)).toBe(true);
    if (states.has("bounced"))
      expect(lines.some((line) => line.step === "reported" && line.id === id)).toBe(true);
  }
  const reports = lines.filter(({ step }) => step === "reported").map((line) => String(line["report"]));
  for (const report of reports)
    expect([...(ends.get(report)?.get("alice@example.com") ?? [])]).toEqual(["delivered"]);
}, 40_000);

test("a line says who, what, where and how long, under the event ids of the original", async () => {
  await using hop = await startCaptureServer();
  await using service = await startService({
    config: serviceConfig({ smartHostPort: hop.port, file: { tracking: { enabled: true } } }),
  });
  await send(service.port, { from: "a@example.com", to: "b@ok.test", data: plainMessage("fields") });
  await hop.received(1);
  await service.kill();
  const [submitted, started, relayed, ...more] = await trackedLines(join(service.mailroot, "Tracking"));
  expect(more).toEqual([]);
  expect(submitted).toMatchObject({
    event: 1019,
    from: "a@example.com",
    to: ["b@ok.test"],
    messageId: "<fields@example.com>",
    source: "smtp",
    client: "127.0.0.1",
    helo: "client.example.com",
    server: "default",
  });
  expect(started).toMatchObject({ event: 1020, id: submitted?.id, nextHop: `127.0.0.1:${hop.port}` });
  expect(relayed).toMatchObject({
    event: 1031,
    to: ["b@ok.test"],
    attempt: 1,
    reply: expect.stringMatching(/^250 /),
  });
  expect(Number(relayed?.["ageMs"])).toBeGreaterThanOrEqual(0);
  expect(Number(relayed?.["size"])).toBe(Number(submitted?.["size"]));
});

test("C21 a tracking folder that cannot be written is told once, and mail goes on", async () => {
  await using elsewhere = await tempFolder("tracking");
  const blocked = join(elsewhere.path, "blocked");
  await writeFile(blocked, "a file where a folder should be");
  await using service = await startService({
    config: serviceConfig({ file: { tracking: { enabled: true, folder: join(blocked, "Tracking") } } }),
  });
  await send(service.port, { to: "x@localhost", data: plainMessage("first") });
  await send(service.port, { to: "x@localhost", data: plainMessage("second") });
  await service.dropped(2);
  await emptied(service);
  await service.kill();
  expect(service.log.filter((line) => /tracking log cannot be written/.test(line))).toHaveLength(1);
});
