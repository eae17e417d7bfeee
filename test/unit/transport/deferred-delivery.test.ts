// Deferred delivery time: a sink says before when a message must not leave (IMMPID_MP_DEFERRED_DELIVERY_FILETIME).
import { expect, test } from "vitest";
import { HOUR, type OnEvent, nativeSink, openHouse, unreachable, until } from "./transport-house.ts";

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
