// Deferred delivery time: a sink says before when a message must not leave (IMMPID_MP_DEFERRED_DELIVERY_FILETIME).
import { describe, expect, test } from "vitest";
import { IMMPID } from "../../../src/message/properties.ts";
import type { QueueAdmin } from "../../../src/transport/queues/queue-view.ts";
import { acceptMany, summaryOf } from "./many-messages.ts";
import {
  HOUR,
  type OnEvent,
  accepted,
  nativeSink,
  openHouse,
  unreachable,
  until,
} from "./transport-house.ts";

const DAYS = 24 * HOUR;

const byOneDay: OnEvent = (msg) => {
  msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + DAYS);
};

test("a deferred message waits, is to be seen in the queue, survives a restart, and leaves at its time", async () => {
  const byThreeDays: OnEvent = (msg) => {
    msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + 3 * DAYS);
  };
  await using later = await openHouse({ sinks: [nativeSink(byThreeDays)] });
  const due = later.clock.now() + 3 * DAYS;
  await later.accept(["a@far.example", "b@local.example"]);
  await until(() => later.queue[0]?.state === "retry");
  expect(later.queue[0]).toMatchObject({
    nextAttempt: due,
    reason: `deferred by a sink until ${new Date(due).toISOString()}`,
  });
  await using next = await later.crash({ sinks: [] });
  expect(next.queue[0]?.nextAttempt).toBe(due);
  await next.clock.advance(3 * DAYS - HOUR);
  expect(next.world.attempts).toEqual([]);
  // Longer than messages are tried: it begins to age when it may leave, and nobody hears of a delay.
  expect(next.queue).toHaveLength(1);
  await until(async () => {
    await next.clock.advance(HOUR);
    return next.queue.length === 0;
  });
  expect(next.world.sent.map(({ key }) => key)).toEqual(["far.example"]);
  expect(await next.files("Drop")).toHaveLength(1);
});

test("sinks of later events see when a message is deferred to, and may let it go", async () => {
  const seen: (number | undefined)[] = [];
  const look: OnEvent = (msg) => {
    seen.push(msg.deferredDeliveryTime?.getTime());
    if (msg.sender !== "hurried@client.example") return;
    const { properties } = msg;
    const key = IMMPID.MP_DEFERRED_DELIVERY_FILETIME;
    expect([properties.delete(key), properties.delete(key)]).toEqual([true, false]);
  };
  await using house = await openHouse({
    sinks: [nativeSink(byOneDay)],
    laterSinks: { OnPostCategorize: [nativeSink(look)] },
  });
  const due = house.clock.now() + DAYS;
  await house.accept(["a@far.example"]);
  await house.accept(["b@far.example"], { sender: "hurried@client.example" });
  await until(() => house.world.sent.length === 1 && house.queue.length === 1);
  expect(seen).toEqual([due, due]);
  expect(house.queue[0]).toMatchObject({ sender: "sender@client.example", nextAttempt: due });
  expect(house.world.sent).toMatchObject([{ to: ["b@far.example"] }]);
});

test("from its time on a deferred message is tried and expires like any other", async () => {
  await using house = await openHouse({
    sinks: [nativeSink(byOneDay)],
  });
  house.world.answers.set("far.example", () => unreachable());
  await house.accept(["a@far.example"]);
  await house.clock.advance(2.5 * DAYS);
  expect(house.queue.some(({ sender }) => sender !== "")).toBe(true);
  await until(async () => {
    await house.clock.advance(0.6 * DAYS);
    return !house.queue.some(({ sender }) => sender !== "");
  });
});

test("the operator may send it at once", async () => {
  await using house = await openHouse({
    sinks: [nativeSink(byOneDay)],
  });
  const id = await house.accept(["a@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  expect(house.transport.admin.retry([id])).toBe(1);
  await house.empty();
  expect(house.world.sent).toHaveLength(1);
});

describe.each([
  ["in memory", 100],
  ["out of memory", 2],
])("a deferred message %s does not leave before its time", (_where, maxInMemory) => {
  const unlessSoon: OnEvent = (msg) => {
    if (msg.headers.get("X-Soon") === undefined)
      msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + 3 * HOUR);
  };

  test.each<[string, (admin: QueueAdmin) => unknown]>([
    ["when its server gives ETRN", (admin) => admin.retryDomains((domain) => domain === "far.example")],
    ["when its queue is forced", (admin) => admin.force("far.example")],
    ["when all is tried", (admin) => admin.retry([])],
  ])("%s", async (_title, ask) => {
    await using house = await openHouse({ maxInMemory, sinks: [nativeSink(unlessSoon)] });
    const { admin } = house.transport;
    await acceptMany(house, 6);
    await until(() => summaryOf(house, "deferred")?.messages === 6);
    await house.clock.advance(HOUR);
    expect(ask(admin)).toBe(0);
    await house.clock.advance(HOUR);
    expect(house.world.attempts).toEqual([]);
    expect(summaryOf(house, "deferred")?.messages).toBe(6);
    await house.clock.advance(2 * HOUR);
    await until(() => house.world.sent.length === 6);
  });

  test("when it was held and is released", async () => {
    await using house = await openHouse({ maxInMemory, sinks: [nativeSink(unlessSoon)] });
    const { admin } = house.transport;
    const ids = await acceptMany(house, 6);
    await until(() => summaryOf(house, "deferred")?.messages === 6);
    await until(() => house.queue.length <= maxInMemory);
    expect(admin.hold(ids)).toBe(6);
    await until(() => summaryOf(house, "deferred")?.held === 6);
    expect(admin.release(ids)).toBe(6);
    await until(() => summaryOf(house, "deferred")?.retry === 6);
    await house.clock.advance(HOUR);
    expect(house.world.attempts).toEqual([]);
    await house.clock.advance(3 * HOUR);
    await until(() => house.world.sent.length === 6);
  });

  test("while others of its queue do when it is forced", async () => {
    await using house = await openHouse({ maxInMemory, sinks: [nativeSink(unlessSoon)] });
    house.world.answers.set("far.example", (message) => accepted(message, 450, "later"));
    await acceptMany(house, 3);
    const soon = { text: "X-Soon: yes\r\n\r\nbody\r\n" };
    for (const to of ["x", "y"]) await house.accept([`${to}@far.example`], soon);
    await until(() => house.world.attempts.length === 2 && summaryOf(house, "far.example")?.retry === 5);
    house.world.answers.clear();
    expect(house.transport.admin.force("far.example")).toBe(2);
    await until(() => house.world.sent.length === 2);
    expect(summaryOf(house, "deferred")?.messages).toBe(3);
  });
});

test("a failed sink has deferred nothing, and a date that is none is its fault", async () => {
  await using house = await openHouse({
    sinks: [
      nativeSink(
        (msg) => {
          msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + DAYS);
          msg.deferredDeliveryTime = new Date(Number.NaN);
        },
        { onError: "continue" },
      ),
    ],
  });
  await house.accept(["a@far.example"]);
  await house.empty();
  expect(house.world.sent).toHaveLength(1);
});
