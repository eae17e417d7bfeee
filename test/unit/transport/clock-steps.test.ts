// The clock of the machine is set while messages wait (FAULTS group T). What is due at which time is the subject, so the clock is a test's.
import { expect, test } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { accepted, HOUR, MINUTE, openHouse, unreachable, until } from "./transport-house.ts";

const DAY = 24 * HOUR;

test("T01 ten days forward: all that waits is tried, and nothing is given up for an hour", async () => {
  await using house = await openHouse();
  house.world.answer = (message) => accepted(message, 450, "later");
  await Promise.all([1, 2, 3].map(() => house.accept(["b@far.example"])));
  await until(() => house.queue.length === 3 && house.queue.every(({ state }) => state === "retry"));
  const before = house.world.attempts.length;
  house.clock.setForward(10 * DAY);
  await house.clock.advance(2 * MINUTE);
  await until(() => house.world.attempts.length >= before + 3, "an attempt at each");
  await house.clock.advance(50 * MINUTE);
  expect(house.queue).toHaveLength(3);
  expect(house.world.sent).toEqual([]);
  expect(house.log.map(({ message }) => message)).toContainEqual(
    expect.stringContaining("the clock of this machine went forward"),
  );
  // It was the right time after all: then they are too old.
  await until(async () => {
    await house.clock.advance(10 * MINUTE);
    return house.queue.every(({ sender }) => sender === "");
  }, "the reports");
});

test("T01 what can be delivered within that hour is delivered", async () => {
  await using house = await openHouse();
  house.world.answer = (message) => accepted(message, 450, "later");
  await house.accept(["b@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  house.clock.setForward(10 * DAY);
  await house.clock.advance(5 * MINUTE);
  house.world.answer = (message) => accepted(message);
  await house.clock.advance(HOUR - 6 * MINUTE);
  await house.empty();
  expect(house.world.sent).toMatchObject([{ to: ["b@far.example"] }]);
});

test("T02 a service that starts three days earlier than it stopped tries what waits after one interval", async () => {
  await using house = await openHouse();
  house.world.answer = () => unreachable();
  await house.accept(["b@far.example"]);
  await until(() => house.queue[0]?.attempts === 1);
  const earlier = new ManualClock(house.clock.now() - 3 * DAY);
  await using next = await house.crash({ clock: earlier });
  next.world.answer = (message) => accepted(message);
  await earlier.advance(3 * MINUTE);
  await next.empty();
  expect(next.world.sent).toHaveLength(1);
});

test("T02 and so does a message for several next hops, each of whose recipients has a time of its own", async () => {
  await using house = await openHouse();
  house.world.answer = (message) => accepted(message, 450, "later");
  await house.accept(["a@near.example", "b@far.example"]);
  await until(() => house.queue[0]?.attempts === 1 && house.world.attempts.length === 2);
  await until(() => house.queue[0]?.state === "retry");
  const earlier = new ManualClock(house.clock.now() - 3 * DAY);
  await using next = await house.crash({ clock: earlier });
  next.world.answer = (message) => accepted(message);
  await earlier.advance(3 * MINUTE);
  await next.empty();
  expect(next.world.sent.flatMap(({ to }) => to).toSorted()).toEqual(["a@near.example", "b@far.example"]);
});

test("T02 and a message of the future grows old from then on", async () => {
  await using house = await openHouse();
  house.world.answer = (message) => accepted(message, 450, "later");
  await house.accept(["b@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  const earlier = new ManualClock(house.clock.now() - 30 * DAY);
  await using next = await house.crash({ clock: earlier });
  const begun = earlier.now();
  const isOver = (): boolean => next.queue.every(({ sender }) => sender === "");
  // Its attempts and its notice of delay are real writes, which take their time while the clock stands still.
  await until(async () => {
    await earlier.advance(HOUR);
    return isOver();
  }, "its end");
  expect(earlier.now() - begun).toBeGreaterThan(47 * HOUR);
  expect(earlier.now() - begun).toBeLessThan(20 * DAY);
});

test("T05 a service that was stopped for two minutes goes on where it was", async () => {
  await using house = await openHouse();
  house.world.answer = (message) => accepted(message, 450, "later");
  await house.accept(["b@far.example"]);
  await until(() => house.queue[0]?.state === "retry");
  const before = house.world.attempts.length;
  house.clock.setForward(2 * MINUTE);
  await house.clock.advance(MINUTE + 200);
  await until(() => house.world.attempts.length === before + 1, "one attempt");
  expect(house.log.filter(({ message }) => message.includes("went forward"))).toEqual([]);
});
