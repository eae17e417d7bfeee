// More messages than memory is meant for: those that wait are in the store, and nobody notices but the operator of a small machine.
import { expect, test } from "vitest";
import type { SegmentStore } from "../../../../src/store/segments/segment-store.ts";
import type { StoreDriver } from "../../../../src/store/store-driver.ts";
import { IMMPID } from "../../../../src/message/properties.ts";
import { acceptMany } from "../many-messages.ts";
import {
  HOUR,
  type House,
  MINUTE,
  accepted,
  nativeSink,
  openHouse,
  unreachable,
  until,
} from "../transport-house.ts";

const sentTo = (house: House): string[] => house.world.sent.flatMap(({ to }) => to);

/** All of `count` wait, and only as many as memory is meant for are in it, and one that probes. */
const parkedBut = (house: House, inMemory: number, count: number): Promise<unknown> =>
  until(() => house.queue.length <= inMemory + 1 && house.transport.depths().messages === count, "rest");

test("C19 what waits for a dead next hop leaves memory, and arrives in order when it answers again", async () => {
  await using house = await openHouse({ maxInMemory: 3 });
  house.world.answer = () => unreachable();
  await acceptMany(house, 20);
  await parkedBut(house, 3, 20);
  house.world.answer = (message) => accepted(message);
  await house.clock.advance(5 * MINUTE);
  await until(() => house.transport.depths().messages === 0, "an empty store");
  expect(new Set(sentTo(house)).size).toBe(20);
  expect(house.world.sent).toHaveLength(20);
});

test("the age of the oldest message is that of a parked one where memory has none, or a younger one", async () => {
  await using house = await openHouse({ maxInMemory: 3 });
  house.world.answer = () => unreachable();
  await acceptMany(house, 20);
  await parkedBut(house, 3, 20);
  const { admin } = house.transport;
  admin.hold([]);
  await until(() => house.transport.depths().held.operator === 20, "held");
  admin.remove(house.queue.map(({ id }) => id));
  await house.clock.advance(HOUR);
  expect(house.queue).toHaveLength(0);
  expect(house.transport.depths().oldestAgeMs).toBeGreaterThanOrEqual(HOUR);
  await house.accept(["young@far.example"]);
  expect(house.transport.depths().oldestAgeMs).toBeGreaterThanOrEqual(HOUR);
});

test("C18 a restart takes up what was parked, and what it did not read at the start", async () => {
  await using house = await openHouse({ maxInMemory: 3 });
  house.world.answer = () => unreachable();
  await acceptMany(house, 20);
  await parkedBut(house, 3, 20);
  await using next = await house.crash();
  await next.clock.advance(1000);
  await until(() =>
    next.transport.admin.queues().every(({ queue, messages }) => queue !== "last run" || messages === 0),
  );
  expect(next.transport.depths().messages).toBe(20);
  next.world.answer = (message) => accepted(message);
  await next.clock.advance(5 * MINUTE);
  await until(() => next.transport.depths().messages === 0, "an empty store");
  expect(new Set(sentTo(next)).size).toBe(20);
});

test.each(["far.example", "last run"])(
  "a parked message that cannot be read is read again after a minute: of the queue %s",
  async (queue) => {
    let unreadable = "";
    const wrapStore = (store: SegmentStore): Partial<StoreDriver> => ({
      reload: (id) => (id === unreadable ? Promise.reject(new Error("EIO: i/o error")) : store.reload(id)),
      reloadInOrder: async (ids) => (await store.reloadInOrder(ids)).filter(({ id }) => id !== unreadable),
    });
    await using house = await openHouse({ maxInMemory: 3, wrapStore });
    house.world.answer = () => unreachable();
    const ids = await acceptMany(house, 20);
    await parkedBut(house, 3, 20);
    unreadable = ids[15] ?? "";
    await using next = queue === "last run" ? await house.crash() : house;
    next.world.answer = (message) => accepted(message);
    await next.clock.advance(5 * MINUTE);
    const left = (count: number) => async (): Promise<boolean> => {
      await next.clock.advance(1000);
      return next.transport.depths().messages === count;
    };
    await until(left(1), "all but the one that cannot be read");
    unreadable = "";
    await next.clock.advance(MINUTE);
    await until(left(0), "an empty store");
    expect(sentTo(next).filter((to) => to === "user15@far.example")).toHaveLength(1);
  },
);

test("C18 of many dead next hops none keeps messages in memory, neither as they come nor after a restart", async () => {
  await using house = await openHouse({ maxInMemory: 5 });
  house.world.answer = () => unreachable();
  await Promise.all(Array.from({ length: 20 }, (_, at) => acceptMany(house, 8, `far${at}.example`)));
  await parkedBut(house, 5, 160);
  await using next = await house.crash();
  await until(async () => {
    await next.clock.advance(100);
    const unsorted = next.transport.admin.queues().find(({ queue }) => queue === "last run");
    return next.queue.length <= 5 && unsorted?.messages === 0;
  }, "all in their queues, and few in memory");
  expect(next.transport.depths().messages).toBe(160);
  await until(() => next.store.figures().working <= 20, "few objects in the store");
});

test("each parked message is tried at its own time", async () => {
  await using house = await openHouse({ maxInMemory: 2 });
  house.world.answer = (message) => accepted(message, 450, "later");
  await acceptMany(house, 10);
  await parkedBut(house, 2, 10);
  const before = house.world.attempts.length;
  await house.clock.advance(30_000);
  expect(house.world.attempts.length).toBe(before);
  house.world.answer = (message) => accepted(message);
  await house.clock.advance(2 * MINUTE);
  await until(() => house.transport.depths().messages === 0, "an empty store");
  expect(new Set(sentTo(house)).size).toBe(10);
});

test("Q07 a parked message expires like any other, with one notice of delay and one report", async () => {
  await using house = await openHouse({ maxInMemory: 1 });
  house.world.answer = (message) =>
    message.sender === "" ? accepted(message) : accepted(message, 450, "later");
  await acceptMany(house, 5);
  await parkedBut(house, 1, 5);
  for (let hour = 0; hour < 13; hour += 1) await house.clock.advance(HOUR);
  await until(() => reportsOf(house, "delayed") === 5, "the notices of delay");
  for (let hour = 0; hour < 37; hour += 1) await house.clock.advance(HOUR);
  await until(() => reportsOf(house, "failed") === 5, "the reports");
  expect(reportsOf(house, "delayed")).toBe(5);
  await until(() => house.transport.depths().messages === 0, "an empty store");
});

test("Q07 a parked message to which sinks gave times of its own expires by these", async () => {
  const impatient = nativeSink((msg) => {
    if (msg.sender === "") return;
    msg.properties.put(IMMPID.MP_EXPIRE_DELAY, new Date(msg.arrivalTime.getTime() + 2 * HOUR));
    msg.properties.put(IMMPID.MP_EXPIRE_NDR, new Date(msg.arrivalTime.getTime() + 4 * HOUR));
  });
  await using house = await openHouse({ maxInMemory: 1, sinks: [impatient] });
  house.world.answer = (message) =>
    message.sender === "" ? accepted(message) : accepted(message, 450, "later");
  await acceptMany(house, 5);
  await parkedBut(house, 1, 5);
  await house.clock.advance(HOUR);
  expect(reportsOf(house, "delayed")).toBe(0);
  await house.clock.advance(HOUR);
  await until(async () => {
    await house.clock.advance(MINUTE);
    return reportsOf(house, "delayed") === 5;
  }, "the notices of delay");
  expect(reportsOf(house, "failed")).toBe(0);
  await house.clock.advance(2 * HOUR);
  await until(async () => {
    await house.clock.advance(MINUTE);
    return reportsOf(house, "failed") === 5;
  }, "the reports");
  expect(reportsOf(house, "delayed")).toBe(5);
});

const reportsOf = (house: House, action: string): number =>
  house.world.sent.filter(({ text }) => text.includes(`Action: ${action}`)).length;

test("the operator sees, holds, releases and removes parked messages as those in memory", async () => {
  await using house = await openHouse({ maxInMemory: 2 });
  house.world.answer = () => unreachable();
  const ids = await acceptMany(house, 10);
  await parkedBut(house, 2, 10);
  const { admin } = house.transport;
  const parked = ids.filter((id) => admin.show(id) === undefined);
  const [first = "", second = "", third = ""] = parked;
  expect((await admin.listParked(100)).map(({ id }) => id).toSorted()).toEqual(parked.toSorted());
  expect(await admin.showParked(first)).toMatchObject({ queue: "far.example", state: "retry", attempts: 0 });
  expect([admin.hold([first]), admin.remove([second]), admin.hold(["unknown"])]).toEqual([1, 1, 0]);
  await until(async () => (admin.show(first) ?? (await admin.showParked(first)))?.state === "held");
  await until(() => house.transport.depths().messages === 9);
  house.world.answer = (message) => accepted(message);
  expect(admin.retry([third])).toBe(1);
  await until(() => house.transport.depths().messages === 1, "all but the held one");
  await until(() => admin.release([first]) === 1);
  await until(() => house.transport.depths().messages === 0, "an empty store");
  expect(sentTo(house).toSorted()).toHaveLength(9);
});

test("a frozen queue attempts nothing, takes mail, and goes on when it is thawed", async () => {
  await using house = await openHouse();
  const { admin } = house.transport;
  expect(await Promise.all([admin.freeze("Far.Example"), admin.freeze("far.example")])).toEqual([
    true,
    false,
  ]);
  await acceptMany(house, 3);
  await house.accept(["b@near.example"]);
  await until(() => house.world.sent.length === 1, "the mail for another next hop");
  await house.clock.advance(HOUR);
  expect(house.world.attempts).toEqual(["near.example"]);
  expect(house.queue.map(({ state }) => state)).toEqual(["frozen", "frozen", "frozen"]);
  expect(admin.queues().find(({ queue }) => queue === "far.example")).toMatchObject({
    messages: 3,
    frozen: true,
  });
  expect(admin.force("far.example")).toBe(0);
  expect(await Promise.all([admin.thaw("far.example"), admin.thaw("far.example")])).toEqual([true, false]);
  await house.empty();
  expect(house.world.to("far.example")).toHaveLength(3);
});

test("what is parked in a frozen queue is shown as frozen", async () => {
  await using house = await openHouse({ maxInMemory: 4 });
  const { admin } = house.transport;
  await admin.freeze("far.example");
  await acceptMany(house, 8);
  await parkedBut(house, 4, 8);
  const entries = await admin.listParked(1);
  expect(entries).toMatchObject([{ state: "frozen", reason: expect.stringContaining("queue thaw") }]);
});

test("forcing a queue tries all of it now, parked or not, and leaves the others to their intervals", async () => {
  await using house = await openHouse({ maxInMemory: 4 });
  house.world.answer = (message) => accepted(message, 450, "later");
  await acceptMany(house, 6);
  await acceptMany(house, 6, "other.example");
  await parkedBut(house, 4, 12);
  house.world.answer = (message) => accepted(message);
  expect(house.transport.admin.force("far.example")).toBe(6);
  await until(() => house.transport.depths().messages === 6, "an empty queue");
  expect(house.world.to("other.example")).toEqual([]);
});

test("high priority leaves before normal before low, and low does not wait for ever", async () => {
  const prioritize = nativeSink((msg) => {
    msg.properties.set("MP_X_PRIORITY", Number(/p(\d)/.exec(msg.recipients.items[0]?.address ?? "")?.[1]));
  });
  await using house = await openHouse({ sinks: [prioritize] });
  house.world.capacity = 1;
  const { admin } = house.transport;
  await admin.freeze("far.example");
  for (let at = 0; at < 15; at += 1)
    for (const p of [5, 3, 1]) await house.accept([`p${p}-${at}@far.example`]);
  await until(() => house.queue.every(({ queue }) => queue === "far.example"), "all in the queue");
  await admin.thaw("far.example");
  await house.empty();
  const order = sentTo(house).map((address) => address.slice(0, 2));
  expect(order.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "p1"));
  expect(order.filter((one) => one === "p1")).toHaveLength(15);
  // Passed over ten times, one of them has its turn.
  expect(order.slice(0, 13)).toContain("p5");
  expect(order.lastIndexOf("p1")).toBeLessThan(order.lastIndexOf("p3"));
  expect(order.lastIndexOf("p3")).toBeLessThan(order.lastIndexOf("p5"));
});
