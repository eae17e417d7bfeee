// Sinks of MsgTrackLog between the transport and the tracking log.
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { MessageTracker } from "../../../../src/composition/observation/message-tracker.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import type { TrackingRecord } from "../../../../src/events/contexts/tracking-contexts.ts";
import { Content } from "../../../../src/message/content.ts";
import { createQueuedMessage } from "../../../../src/transport/queued-message.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { systemChain } from "../../transport/transport-house.ts";
import { trackingLog } from "../../../support/tracking-log.ts";

/** The lines of a message that is submitted so many times, past a sink that may have one promise open. */
async function linesPast(
  sink: ((record: TrackingRecord) => void | Promise<void>) | undefined,
  enabled = true,
  times = 1,
): Promise<Record<string, unknown>[]> {
  await using folder = await tempFolder("tracker");
  const log = trackingLog(folder.path, enabled);
  const chain = systemChain("MsgTrackLog", sink === undefined ? [] : [sink]);
  const sinks = new SystemSinks({
    clock: systemClock,
    log: silentLogger,
    sinkDeadlineMs: 10_000,
    maxOpenPromises: 1,
  });
  const tracker = new MessageTracker(log, systemClock, { chain: () => chain, sinks });
  const origin = { via: "smtp", arrivalTime: 1, server: "edge", clientAddress: "192.0.2.9" } as const;
  const envelope = { sender: "a@client.example", recipients: [{ address: "b@far.example" }] };
  const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n"));
  for (let time = 0; time < times; time += 1)
    tracker.submitted(createQueuedMessage("ID1", origin, envelope, content), false);
  await log.close();
  const files = await readdir(folder.path);
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder.path, file), "utf8")));
  return texts
    .join("")
    .split("\n")
    .filter(Boolean)
    .map((line): Record<string, unknown> => JSON.parse(line));
}

test("a sink sees each record with the event id of the original, also while the log is off", async () => {
  const seen: TrackingRecord[] = [];
  expect(await linesPast((record) => void seen.push({ ...record }), false)).toEqual([]);
  expect(seen).toMatchObject([
    {
      event: 1019,
      step: "submitted",
      id: "ID1",
      server: "edge",
      from: "a@client.example",
      to: ["b@far.example"],
      more: { source: "smtp", client: "192.0.2.9" },
    },
  ]);
});

test("what a sink changes is written; what it wants left out is not", async () => {
  const [line] = await linesPast((record) => {
    record.from = "(withheld)";
    record.more = { ...record.more, client: undefined, cost: 3, tags: ["a", 'b"c'] };
  });
  expect(line).toMatchObject({ from: "(withheld)", to: ["b@far.example"], cost: 3, tags: ["a", 'b"c'] });
  expect(line).not.toHaveProperty("client");
  const none = await linesPast((record) => {
    record.isWritten = false;
  });
  expect(none).toEqual([]);
});

test("a sink that promises changes the record before it does; with one promise too many open it is not called", async () => {
  const lines = await linesPast(
    async (record) => {
      record.from = "(withheld)";
      await new Promise(() => undefined);
    },
    true,
    2,
  );
  expect(lines.map(({ from }) => from)).toEqual(["(withheld)", "a@client.example"]);
});

test.each([
  ["a field name that would break the line", { 'a":1,"b': 1 }],
  ["a number that JSON does not know", { size: Number.NaN }],
  ["an object", { inner: { deep: 1 } }],
  ["a field that each line has", { source: "pickup", id: "FORGED" }],
])("a record with %s is written as it was", async (_name, more) => {
  const [line] = await linesPast((record) => {
    record.from = "changed";
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a sink without types may do
    record.more = more as TrackingRecord["more"];
  });
  expect(line).toMatchObject({ from: "a@client.example", source: "smtp" });
});

test("with nothing bound and the log off no record is made", async () => {
  let reads = 0;
  await using folder = await tempFolder("tracker");
  const log = trackingLog(folder.path, false);
  const chain = systemChain("MsgTrackLog", []);
  const sinks = new SystemSinks({ clock: systemClock, log: silentLogger, sinkDeadlineMs: 0 });
  const tracker = new MessageTracker(log, systemClock, { chain: () => chain, sinks });
  const message = createQueuedMessage(
    "ID1",
    { via: "smtp", arrivalTime: 1, server: "edge" },
    { sender: "a@client.example", recipients: [{ address: "b@far.example" }] },
    Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n")),
  );
  const watched = new Proxy(message, {
    get(target, key, receiver): unknown {
      reads += 1;
      return Reflect.get(target, key, receiver);
    },
  });
  tracker.submitted(watched, false);
  await log.close();
  expect(reads).toBe(0);
});
