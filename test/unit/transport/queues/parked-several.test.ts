// Messages for several next hops that wait, more than memory is meant for: none of the next hops forgets its recipients.
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { StepRecorder } from "../../../../src/transport/message-steps.ts";
import { HOUR, type House, MINUTE, accepted, openHouse, unreachable, until } from "../transport-house.ts";

const COUNT = 20;
const IN_MEMORY = 3;

async function acceptMany(house: House): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < COUNT; at += 1)
    ids.push(await house.accept([`user${at}@one.example`, `user${at}@two.example`]));
  return ids;
}

const parkedBut = (house: House): Promise<unknown> =>
  until(
    () => house.queue.length <= IN_MEMORY + 1 && house.transport.depths().messages === COUNT,
    "only what is attempted soon in memory",
  );

const attemptsAt = (house: House, hop: string): number =>
  house.world.attempts.filter((key) => key === hop).length;

test("C19 what waits for several dead next hops leaves memory, and goes to each of them once when it answers", async () => {
  await using house = await openHouse({ maxInMemory: IN_MEMORY });
  house.world.answer = () => unreachable();
  await acceptMany(house);
  await parkedBut(house);
  house.world.answers.set("one.example", (message) => accepted(message));
  for (let minute = 0; minute < 90 && house.world.to("one.example").length < COUNT; minute += 1)
    await house.clock.advance(MINUTE);
  await until(() => house.world.to("one.example").length === COUNT, "the mail for one.example");
  expect(house.transport.depths().messages).toBe(COUNT);
  house.world.answer = (message) => accepted(message);
  for (let minute = 0; minute < 240 && house.transport.depths().messages > 0; minute += 1)
    await house.clock.advance(MINUTE);
  await until(() => house.transport.depths().messages === 0, "an empty store");
  expect(house.world.to("one.example")).toHaveLength(COUNT);
  expect(house.world.to("two.example")).toHaveLength(COUNT);
});

test("C18 each recipient keeps its own time over a restart and out of memory", async () => {
  await using house = await openHouse({ maxInMemory: IN_MEMORY });
  house.world.answers.set("one.example", () => unreachable());
  house.world.answers.set("two.example", (message) => accepted(message, 450, "later"));
  await acceptMany(house);
  await until(() => attemptsAt(house, "two.example") === COUNT, "an attempt of each");
  await parkedBut(house);
  await using next = await house.crash();
  await next.clock.advance(30_000);
  await parkedBut(next);
  expect(attemptsAt(next, "two.example")).toBe(COUNT);
  next.world.answers.set("two.example", (message) => accepted(message));
  await next.clock.advance(2 * MINUTE);
  await until(() => next.world.to("two.example").length === COUNT, "the mail for two.example");
});

test("what waits for several next hops goes as soon as the operator lets one of them go, and stays for the others", async () => {
  await using house = await openHouse({ maxInMemory: IN_MEMORY });
  house.world.answer = () => unreachable();
  await acceptMany(house);
  await parkedBut(house);
  house.world.answers.set("one.example", (message) => accepted(message));
  const since = house.clock.now();
  house.transport.admin.force("one.example");
  await until(async () => {
    await house.clock.advance(100);
    return house.world.to("one.example").length === COUNT;
  }, "the mail for one.example");
  expect(house.clock.now() - since).toBeLessThan(MINUTE / 2);
  expect(house.transport.depths().messages).toBe(COUNT);
});

test("the operator holds, releases, tries and removes what waits for several next hops, in memory or not", async () => {
  await using house = await openHouse({ maxInMemory: IN_MEMORY });
  house.world.answer = () => unreachable();
  const ids = await acceptMany(house);
  await parkedBut(house);
  const { admin } = house.transport;
  const [first = "", second = "", third = ""] = ids.filter((id) => admin.show(id) === undefined);
  expect(await admin.showParked(first)).toMatchObject({ queue: "several next hops", state: "retry" });
  expect([admin.hold([first]), admin.remove([second])]).toEqual([1, 1]);
  await until(() => house.transport.depths().held.operator === 1, "held");
  house.world.answer = (message) => accepted(message);
  expect(admin.retry([third])).toBe(1);
  await until(async () => {
    await house.clock.advance(1000);
    return house.transport.depths().messages === 1;
  }, "all but the held one");
  await house.clock.advance(HOUR);
  expect(house.transport.depths().messages).toBe(1);
  expect(admin.release([first])).toBe(1);
  await until(() => house.transport.depths().messages === 0, "an empty store");
  expect(house.world.sent).toHaveLength(2 * (COUNT - 1));
});

test("what waits for several frozen next hops is not tried by a retry or a release, and goes once when they are thawed", async () => {
  await using house = await openHouse({ maxInMemory: IN_MEMORY });
  const { admin } = house.transport;
  for (const hop of ["one.example", "two.example"]) await admin.freeze(hop);
  const ids = await acceptMany(house);
  await parkedBut(house);
  const [first = "", second = ""] = ids.filter((id) => admin.show(id) === undefined);
  admin.hold([second]);
  await until(() => house.transport.depths().held.operator === 1, "held");
  expect([admin.retry([first]), admin.release([second])]).toEqual([1, 1]);
  await until(() => house.transport.depths().held.operator === 0, "released");
  await house.clock.advance(5 * MINUTE);
  await parkedBut(house);
  expect(house.world.attempts).toEqual([]);
  for (const hop of ["one.example", "two.example"]) await admin.thaw(hop);
  await until(async () => {
    await house.clock.advance(1000);
    return house.transport.depths().messages === 0;
  }, "an empty store");
  expect(house.world.sent).toHaveLength(2 * COUNT);
});

test("a message leaves memory only when the store knows what has become of all its recipients", async () => {
  const kept: (() => void)[] = [];
  const never = (): void => undefined;
  const recorder: StepRecorder = {
    submitted: never,
    recipientsChanged: never,
    postponed: never,
    started: never,
    attempted: never,
    ended: never,
    reported: never,
    absorbed: never,
    whenKept: (go) => void kept.push(go),
  };
  await using house = await openHouse({ maxInMemory: 0, recorder });
  house.world.answers.set("one.example", (message) => accepted(message, 451, "later"));
  // While the report on this one is written, the other one is put off, and saved with this one waiting.
  house.world.answers.set("two.example", (message) => accepted(message, 550, "no"));
  const id = await house.accept(["a@one.example", "b@two.example"]);
  const { admin } = house.transport;
  await until(() => house.world.to("client.example").length === 1, "the report");
  const stateOfB = async (): Promise<string | undefined> =>
    (admin.show(id) ?? (await admin.showParked(id)))?.recipients[1]?.state;
  for (let go = kept.shift(); go !== undefined; go = kept.shift()) {
    go();
    await setImmediate();
    expect(await stateOfB()).toBe("bounced");
  }
  expect(admin.show(id)).toBeUndefined();
});
