// Fifty thousand messages that a broken sink holds, that wait for several dead next hops, or that a sink has deferred: of those that
// nothing happens to, neither the transport nor the store keeps an object.
import { expect, test } from "vitest";
import {
  type House,
  type HouseChoices,
  type OnEvent,
  nativeSink,
  openHouse,
  unreachable,
} from "../unit/transport/transport-house.ts";
import { eventually } from "../support/eventually.ts";

const COUNT = 50_000;
const AT_ONCE = 1000;
const IN_MEMORY = 1000;
const HOUR = 3_600_000;

async function acceptMany(house: House, to: (at: number) => readonly string[]): Promise<void> {
  for (let at = 0; at < COUNT; at += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, more) => house.accept(to(at + more))));
}

async function waits(choices: HouseChoices, to: (at: number) => readonly string[]): Promise<void> {
  await using house = await openHouse({ maxInMemory: IN_MEMORY, ...choices });
  house.world.answer = () => unreachable();
  await acceptMany(house, to);
  await eventually(() => house.queue.length <= IN_MEMORY && house.store.figures().working <= 2 * IN_MEMORY, {
    what: "few objects",
    timeoutMs: 120_000,
    intervalMs: 50,
  });
  expect(house.transport.depths().messages).toBe(COUNT);
  expect(house.store.figures().messages).toBe(COUNT);
}

const toOne = (at: number): readonly string[] => [`user${at}@far.example`];

test("C19 fifty thousand held messages are no objects", async () => {
  const broken: OnEvent = () => {
    throw new Error("broken");
  };
  await waits({ sinks: [nativeSink(broken)] }, toOne);
});

test("C19 fifty thousand deferred messages are no objects", async () => {
  const later: OnEvent = (msg) => {
    msg.deferredDeliveryTime = new Date(msg.arrivalTime.getTime() + 24 * HOUR);
  };
  await waits({ sinks: [nativeSink(later)] }, toOne);
});

test("C19 fifty thousand messages for several dead next hops are no objects", async () => {
  await waits({}, (at) => [`user${at}@one.example`, `user${at}@two.example`]);
});
