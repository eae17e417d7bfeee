// More messages than memory is meant for that sinks hold or have put off: they wait in the store, and whoever lets them go finds them.
import { expect, test } from "vitest";
import { SinkChain } from "../../../../src/events/dispatcher.ts";
import { acceptMany, emptied, failingScripts, summaryOf } from "../many-messages.ts";
import { HOUR, type House, MINUTE, nativeSink, openHouse, scriptSink, until } from "../transport-house.ts";

const COUNT = 30;
const IN_MEMORY = 4;

/** All wait, and not more than memory is meant for are in it. */
const parkedBut = (house: House, count = COUNT): Promise<unknown> =>
  until(() => house.queue.length <= IN_MEMORY && house.transport.depths().messages === count, "rest");

test("C19 what a script holds leaves memory, is counted and shown, and a changed script lets all of it go on", async () => {
  let failing = true;
  await using house = await openHouse({
    maxInMemory: IN_MEMORY,
    sinks: [scriptSink("a.ts")],
    runScripts: failingScripts(() => failing),
  });
  const ids = await acceptMany(house, COUNT);
  await parkedBut(house);
  const { admin } = house.transport;
  expect(summaryOf(house, "pre-submission")).toMatchObject({ messages: COUNT, held: COUNT });
  expect(house.transport.depths()).toMatchObject({
    messages: COUNT,
    kinds: { "pre-submission": COUNT },
    held: { script: COUNT, operator: 0 },
  });
  const parked = ids.find((id) => admin.show(id) === undefined) ?? "";
  expect(await admin.showParked(parked)).toMatchObject({
    queue: "pre-submission",
    state: "held",
    reason: "a.ts: throw: boom",
    attempts: 1,
  });
  expect(house.transport.scriptChanged("b.ts")).toBe(0);
  failing = false;
  expect(house.transport.scriptChanged("a.ts")).toBe(COUNT);
  await emptied(house, 100);
  expect(new Set(house.world.sent.flatMap(({ to }) => to)).size).toBe(COUNT);
  expect(house.world.sent).toHaveLength(COUNT);
});

test("each held message is tried again at its own time, also when it is not in memory", async () => {
  let failing = true;
  await using house = await openHouse({
    maxInMemory: IN_MEMORY,
    sinks: [scriptSink("a.ts")],
    runScripts: failingScripts(() => failing),
  });
  await acceptMany(house, COUNT);
  await parkedBut(house);
  failing = false;
  await house.clock.advance(30_000);
  expect(house.world.sent).toEqual([]);
  await house.clock.advance(2 * MINUTE);
  await emptied(house, 100);
  expect(house.world.sent).toHaveLength(COUNT);
});

test("C18 held messages that are not in memory are held after a crash, and released by the operator", async () => {
  const broken = nativeSink(() => {
    throw new Error("broken");
  });
  await using house = await openHouse({ maxInMemory: IN_MEMORY, sinks: [broken] });
  await acceptMany(house, COUNT);
  await parkedBut(house);
  await using next = await house.crash({ sinks: [] });
  await next.clock.advance(1000);
  await until(() => summaryOf(next, "pre-submission")?.held === COUNT, "held again");
  await parkedBut(next);
  expect(next.transport.admin.release([])).toBe(COUNT);
  await emptied(next, 100);
  expect(next.world.sent).toHaveLength(COUNT);
});

test("what the operator holds before the sinks stays held whatever else is released, and goes when he says so", async () => {
  const broken = nativeSink(() => {
    throw new Error("broken");
  });
  await using house = await openHouse({ maxInMemory: IN_MEMORY, sinks: [broken] });
  const ids = await acceptMany(house, COUNT);
  await parkedBut(house);
  const { admin } = house.transport;
  const chosen = ids.slice(10, 13);
  expect(admin.hold(chosen)).toBe(3);
  await until(() => house.transport.depths().held.operator === 3, "held by the operator");
  house.chain = new SinkChain([]);
  house.transport.reconfigure(house.live());
  await until(async () => {
    await house.clock.advance(1000);
    return house.transport.depths().messages === 3;
  }, "all but these");
  await house.clock.advance(HOUR);
  expect(house.transport.depths().held.operator).toBe(3);
  expect(admin.release(chosen)).toBe(3);
  await emptied(house, 100);
  expect(house.world.sent).toHaveLength(COUNT);
});

test("Q07 what a sink holds for two days is told to be late and returned, out of memory as in it", async () => {
  const broken = nativeSink((msg) => {
    if (msg.sender !== "") throw new Error("broken");
  });
  await using house = await openHouse({ maxInMemory: 1, sinks: [broken] });
  await acceptMany(house, 5);
  await until(() => house.queue.length <= 1 && house.transport.depths().messages === 5, "rest");
  const told = (action: string): number =>
    house.world.sent.filter(({ text }) => new RegExp(`^Action: ${action}`, "m").test(text)).length;
  // Each is read from the disk before its sender hears of it: by small steps, or the next time comes before that.
  const tells = (action: string): Promise<unknown> =>
    until(async () => {
      await house.clock.advance(MINUTE);
      return told(action) === 5;
    }, `five reports: ${action}`);
  await house.clock.advance(12 * HOUR);
  await tells("delayed");
  expect(told("failed")).toBe(0);
  await house.clock.advance(35 * HOUR);
  await tells("failed");
  await until(() => house.transport.depths().messages === 0, "an empty store");
  expect([told("delayed"), told("failed")]).toEqual([5, 5]);
});
