import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { reply } from "../../../src/core/reply.ts";
import { Content } from "../../../src/message/content.ts";
import { SegmentStore } from "../../../src/store/segments/segment-store.ts";
import { MessageStates } from "../../../src/transport/message-states.ts";
import { MessageSteps, type StepRecorder } from "../../../src/transport/message-steps.ts";
import { TransportCounts } from "../../../src/transport/transport-counts.ts";
import {
  type QueuedMessage,
  type RecipientRecord,
  createQueuedMessage,
} from "../../../src/transport/queued-message.ts";
import { ResidentContents } from "../../../src/transport/resident-contents.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { nativeSink, openHouse } from "./transport-house.ts";

const origin = { via: "smtp", arrivalTime: 1, server: "default" } as const;
const to = (...addresses: string[]): { address: string }[] => addresses.map((address) => ({ address }));
const envelope = {
  sender: "a@example.com",
  recipients: to("b@example.com", "c@example.com", "d@example.com"),
};
const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\nbody\r\n"));
const messageOf = (id: string): QueuedMessage => createQueuedMessage(id, origin, envelope, content);
const record = (state: RecipientRecord["state"]): RecipientRecord => ({
  recipient: { address: "b@x.test" },
  state,
});

describe("counts", () => {
  test("an attempt counts by the best that came of it, each recipient that ended by its state", () => {
    const counts = new TransportCounts();
    const replies = { kind: "replies", replies: [], remote: "hop", dsn: false } as const;
    const away = { kind: "unreachable", reply: reply(451, "4.1", "away"), remote: "hop" } as const;
    counts.attempted([record("relayed"), record("bounced"), record("pending")], replies, 100);
    counts.attempted([record("bounced")], replies, 100);
    counts.attempted([record("pending"), record("bounced")], replies, 100);
    counts.attempted([record("pending")], away, 100);
    expect(counts.attempts).toEqual({ succeeded: 1, refused: 1, deferred: 1, unreachable: 1 });
    expect(counts.recipients).toMatchObject({ relayed: 1, bounced: 3, delivered: 0 });
    expect(counts.bytesDelivered).toBe(100);
  });

  test("recipients that sinks took away end there, those that a fork took along do not", () => {
    const steps = new MessageSteps(undefined);
    const message = messageOf("1");
    steps.envelopeAfterSinks(message, envelope.recipients, []);
    expect(steps.counts.recipients.discarded).toBe(0);
    message.envelope = { ...envelope, recipients: to("b@example.com", "new@example.com") };
    steps.envelopeAfterSinks(message, envelope.recipients, [{ recipients: { items: to("c@example.com") } }]);
    expect(steps.counts.recipients.discarded).toBe(1);
  });
});

test("the store forgets a message, and gets its states, only when the record of its steps is kept", async () => {
  await using folder = await tempFolder();
  const store = new SegmentStore({ folder: folder.path, settings: { minFreeBytes: 0 } });
  await store.open();
  await store.commit("1", origin, envelope, content);
  const waiting: (() => void)[] = [];
  const states = new MessageStates({
    store,
    resident: new ResidentContents(() => 1000),
    whenKept: (go) => void waiting.push(go),
    log: silentLogger,
  });
  const message = messageOf("1");
  states.save(message);
  states.end(message);
  expect([store.figures().messages, waiting.length]).toEqual([1, 2]);
  for (const go of waiting) go();
  expect(store.figures().messages).toBe(0);
  await store.close();
});

test("what an earlier run took and did not get to is told with its size", async () => {
  const sizes: [number, boolean][] = [];
  const nothing = (): void => undefined;
  const recorder: StepRecorder = {
    submitted: (message, isResumed) => void sizes.push([message.size, isResumed]),
    recipientsChanged: nothing,
    postponed: nothing,
    started: nothing,
    attempted: nothing,
    ended: nothing,
    reported: nothing,
    absorbed: nothing,
    whenKept: (go) => go(),
  };
  const text = "Subject: s\r\n\r\nseen by nobody\r\n";
  const sinks = [nativeSink(() => new Promise(() => undefined))];
  await using house = await openHouse({ sinks, recorder });
  await house.accept(["a@far.example"], { text });
  await using next = await house.crash();
  expect(next.queue).toHaveLength(1);
  expect(sizes).toEqual([
    [text.length, false],
    [text.length, true],
  ]);
});
