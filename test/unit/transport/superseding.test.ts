// A message that names the one it replaces takes it out of the queues (REFERENCE 4.6.2).
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { createQueuedMessage, type QueuedMessage } from "../../../src/transport/queued-message.ts";
import { Superseding } from "../../../src/transport/superseding.ts";
import type { BoundSink } from "../../../src/events/sink.ts";
import {
  HOUR,
  type House,
  type HouseChoices,
  accepted,
  nativeSink,
  openHouse,
  until,
} from "./transport-house.ts";

/** Properties by the subject, as "guid=one supersedes=two". */
const identifying: BoundSink<string> = nativeSink((msg) => {
  const subject = msg.headers.get("Subject") ?? "";
  const [, guid] = /guid=(\w+)/.exec(subject) ?? [];
  const [, superseded] = /supersedes=(\w+)/.exec(subject) ?? [];
  if (guid !== undefined) msg.properties.put("MP_MSG_GUID", guid);
  if (superseded !== undefined) msg.properties.put("MP_SUPERSEDES_MSG_GUID", superseded);
});

const later: HouseChoices = { sinks: [identifying] };

async function openBusyHouse(choices: HouseChoices = later): Promise<House> {
  const house = await openHouse(choices);
  house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
  return house;
}

/** Accepts a message a moment after the one before. */
async function accept(house: House, subject: string, to = ["a@far.example"]): Promise<string> {
  await house.clock.advance(1);
  return house.accept(to, { text: `Subject: ${subject}\r\n\r\nbody\r\n` });
}

async function acceptWaiting(house: House, subject: string): Promise<string> {
  const id = await accept(house, subject);
  await until(() => house.queue.some((entry) => entry.id === id && entry.state === "retry"));
  return id;
}

const NEWS = { text: "Subject: guid=news\r\n\r\nbody\r\n" };

const sentSubjects = (house: House): string[] =>
  house.world.sent.map(({ text }) => /Subject: (.*)\r/.exec(text)?.[1] ?? "");

test("one that waits is discarded without a report, for all of its recipients, and the newer one is delivered", async () => {
  await using house = await openBusyHouse();
  const old = await acceptWaiting(house, "guid=one");
  const other = await acceptWaiting(house, "guid=other");
  const next = await acceptWaiting(house, "guid=two supersedes=one");
  expect(house.queue.map(({ id }) => id)).toEqual([other, next]);
  expect(house.log.find(({ message }) => message === "message discarded")?.fields).toMatchObject({
    message: old,
    reason: `superseded by ${next}`,
  });
  house.world.answers.clear();
  await house.clock.advance(HOUR);
  await house.empty();
  expect(sentSubjects(house).toSorted()).toEqual(["guid=other", "guid=two supersedes=one"]);
});

test("of a series under one name the last stays with its copies, and an older one that sinks kept replaces nothing", async () => {
  let release = (): void => undefined;
  const slow = nativeSink(async (msg) => {
    if (msg.headers.get("X-Slow") !== undefined)
      await new Promise<void>((resolve) => {
        release = resolve;
      });
  });
  const forking = nativeSink((msg, context) => {
    msg.forkForRecipients(context.nextMessageId(), ({ address }) => address.startsWith("copy"));
  });
  await using house = await openBusyHouse({ sinks: [identifying, slow, forking] });
  const series = "guid=news supersedes=news";
  await acceptWaiting(house, series);
  await accept(house, `${series}\r\nX-Slow: yes`);
  await accept(house, `${series} last`, ["a@far.example", "copy@far.example"]);
  await until(() => house.queue.filter(({ state }) => state === "retry").length === 2);
  release();
  await until(() => house.queue.length === 3 && house.queue.every(({ state }) => state === "retry"));
  house.world.answers.clear();
  await house.clock.advance(HOUR);
  await house.empty();
  expect(sentSubjects(house).toSorted()).toEqual([series, `${series} last`, `${series} last`]);
});

test.each([
  ["arrives", 250, 1],
  ["is over when it would have to wait", 450, 0],
])("one that is on its way when it is replaced %s", async (_title, code, arrived) => {
  let answer = (): void => undefined;
  await using house = await openHouse(later);
  house.world.answers.set("far.example", async (message) => {
    await new Promise<void>((resolve) => {
      answer = resolve;
    });
    return accepted(message, code, "ok");
  });
  await accept(house, "guid=one");
  await until(() => house.world.attempts.length === 1);
  await accept(house, "supersedes=one", ["b@near.example"]);
  await until(() => house.world.to("near.example").length === 1);
  answer();
  await house.empty();
  expect(house.world.to("far.example")).toHaveLength(arrived);
});

test("one that is parked, or that an earlier run left, is replaced too", async () => {
  const choices: HouseChoices = { sinks: [identifying], maxInMemory: 2 };
  await using house = await openBusyHouse(choices);
  for (const name of ["one", "two", "three", "four"]) {
    // oxlint-disable-next-line no-await-in-loop
    await accept(house, `guid=${name}`);
  }
  const waiting = (at: House): number => at.transport.depths().messages;
  await until(() => house.queue.length < 4 && house.queue.every(({ state }) => state === "retry"));
  await using next = await house.crash(choices);
  await until(() => waiting(next) === 4 && next.queue.length < 4);
  for (const name of ["one", "two", "three", "four"]) {
    // oxlint-disable-next-line no-await-in-loop
    await accept(next, `supersedes=${name}`, ["b@near.example"]);
  }
  await until(() => waiting(next) === 0);
  expect(next.world.to("far.example")).toEqual([]);
  expect(next.world.to("near.example")).toHaveLength(4);
});

test("of very many that are parked under one name all are replaced, and few of them are in memory at a time", async () => {
  const choices: HouseChoices = { sinks: [identifying], maxInMemory: 20 };
  await using house = await openBusyHouse(choices);
  for (let round = 0; round < 25; round += 1)
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all(Array.from({ length: 12 }, () => house.accept(["a@far.example"], NEWS)));
  const waiting = (): number => house.transport.depths().messages;
  await until(() => waiting() === 300 && house.queue.length < 30);
  await accept(house, "supersedes=news", ["b@near.example"]);
  let most = 0;
  await until(async () => {
    most = Math.max(most, house.queue.length);
    await house.clock.advance(1);
    return waiting() === 0;
  });
  expect(most).toBeLessThan(150);
  expect(house.log.filter(({ message }) => message === "message discarded")).toHaveLength(300);
  expect(sentSubjects(house)).toEqual(["supersedes=news"]);
});

test("one that the operator holds stays", async () => {
  await using house = await openBusyHouse();
  const old = await acceptWaiting(house, "guid=one");
  house.transport.admin.hold([old]);
  const next = await acceptWaiting(house, "supersedes=one");
  expect(house.queue.map(({ id, state }) => `${id} ${state}`)).toEqual([`${old} held`, `${next} retry`]);
});

test("one that something else works on is taken by a later sweep, once", () => {
  const messageAt = (id: string, arrivalTime: number, properties: Record<string, string>): QueuedMessage =>
    createQueuedMessage(
      id,
      { via: "smtp", arrivalTime, server: "default" },
      { sender: "a@client.example", recipients: [], properties },
      undefined,
    );
  const old = messageAt("OLD", 1, { MP_MSG_GUID: "one" });
  let isInHand = true;
  const ended: string[] = [];
  const superseding = new Superseding({
    messages: new Map([["OLD", old]]),
    isInHand: () => isInHand,
    wake: () => expect.unreachable(),
    discard: (message, reason) => void ended.push(`${message.id} ${reason}`),
    log: silentLogger,
  });
  superseding.waits(old);
  superseding.waits(messageAt("NEW", 2, { MP_SUPERSEDES_MSG_GUID: "one" }));
  superseding.sweep();
  expect(ended).toEqual([]);
  isInHand = false;
  superseding.sweep();
  superseding.sweep();
  expect(ended).toEqual(["OLD superseded by NEW"]);
});
