import { describe, expect, test } from "vitest";
import { CutOff } from "../../../../src/smtp/client/cut-off.ts";
import { Content } from "../../../../src/message/content.ts";
import {
  type AttemptResult,
  type Delivery,
  DestinationQueue,
} from "../../../../src/transport/queues/destination-queue.ts";
import { createQueuedMessage } from "../../../../src/transport/queued-message.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { MINUTE, TestCourier, World, accepted, unreachable, until } from "../transport-house.ts";

interface Stand {
  readonly world: World;
  readonly clock: ManualClock;
  readonly queue: DestinationQueue;
  readonly results: { id: string; result: AttemptResult }[];
  readonly delays: number[];
  add(id: string, more?: Partial<Delivery>): Delivery;
}

function stand(load: () => Content | Promise<Content> = () => Content.fromBuffer(Buffer.from("x"))): Stand {
  const world = new World();
  const clock = new ManualClock();
  const results: Stand["results"] = [];
  const delays: number[] = [];
  const queue = new DestinationQueue({
    key: "hop",
    courier: new TestCourier(world, "hop"),
    clock,
    load,
    cutOff: new CutOff(),
    attempted: (delivery, result) => void results.push({ id: delivery.message.id, result }),
    retryDelayMs(failures) {
      delays.push(failures);
      return failures * MINUTE;
    },
  });
  return {
    world,
    clock,
    queue,
    results,
    delays,
    add(id, more = {}) {
      const envelope = { sender: "", recipients: [{ address: "a@hop" }] };
      const message = createQueuedMessage(
        id,
        { via: "smtp", arrivalTime: clock.now(), server: "default" },
        envelope,
        undefined,
      );
      const delivery: Delivery = {
        message,
        records: envelope.recipients.map((recipient) => ({ recipient, state: "pending" })),
        queue,
        attempts: 0,
        nextAttempt: undefined,
        state: "ready",
        ...more,
      };
      queue.add(delivery);
      return delivery;
    },
  };
}

const sentIds = ({ world }: Stand): string[] => world.sent.map(({ id }) => id);

describe("a queue", () => {
  test("is first in, first out, and starts no more than the courier takes", async () => {
    const at = stand();
    at.world.capacity = 2;
    const waiting: (() => void)[] = [];
    at.world.answer = (message) => new Promise((resolve) => waiting.push(() => resolve(accepted(message))));
    for (const id of ["1", "2", "3", "4"]) at.add(id);
    expect(at.queue.depth.active).toBe(2);
    for (let done = 0; done < 4; done += 1) {
      await until(() => waiting.length > done);
      waiting[done]?.();
    }
    await until(() => at.results.length === 4);
    expect(sentIds(at)).toEqual(["1", "2", "3", "4"]);
    expect(at.queue.isEmpty).toBe(true);
  });

  test("counts an outage that many deliveries meet as one failure", async () => {
    const at = stand();
    at.world.answer = () => unreachable();
    for (let index = 0; index < 15; index += 1) at.add(String(index));
    // A next hop that has never answered gets a few; the others need no attempt to know.
    await until(() => at.results.length === 5);
    expect(at.delays).toEqual([1]);
    expect(at.queue.blockedUntil).toBe(at.clock.now() + MINUTE);
    expect(at.queue.depth.ready).toBe(10);
  });

  test("N11 tries a next hop that has failed with one message, and gives it the others when it answers", async () => {
    const at = stand();
    at.world.answer = () => unreachable();
    for (let index = 0; index < 15; index += 1) at.add(String(index));
    await until(() => at.results.length === 5);
    await at.clock.advance(MINUTE + 200);
    await until(() => at.results.length === 6);
    expect(at.world.attempts).toHaveLength(6);
    at.world.answer = (message) => accepted(message);
    await at.clock.advance(60 * MINUTE);
    await until(() => sentIds(at).length === 9);
  });

  test("N11 leaves an unreachable next hop alone, longer each time, until it answers", async () => {
    const at = stand();
    at.world.answer = () => unreachable();
    at.add("1");
    await until(() => at.results.length === 1);
    at.add("2");
    await at.clock.advance(MINUTE - 1);
    expect(at.world.attempts).toHaveLength(1);
    await at.clock.advance(200);
    await until(() => at.results.length === 2);
    expect(at.delays).toEqual([1, 2]);
    at.world.answer = (message) => accepted(message);
    at.add("3");
    await at.clock.advance(2 * MINUTE + 200);
    await until(() => at.results.length === 3);
    expect(at.queue.blockedUntil).toBe(0);
    at.world.answer = () => unreachable();
    at.add("4");
    await until(() => at.results.length === 4);
    expect(at.delays).toEqual([1, 2, 1]);
  });

  test("C11 is not held up by a message that cannot be read", async () => {
    const at = stand(() => Promise.reject(new Error("damaged")));
    at.add("1");
    await until(() => at.results.length === 1);
    expect(at.results[0]?.result).toMatchObject({ kind: "unreachable", reply: { code: 451 } });
    expect(at.queue.blockedUntil).toBe(0);
    expect(at.world.attempts).toEqual([]);
  });

  test("tries a deferred delivery when it is due, not before", async () => {
    const at = stand();
    at.add("late", { nextAttempt: at.clock.now() + 2 * MINUTE });
    at.add("soon", { nextAttempt: at.clock.now() + MINUTE });
    at.add("now");
    await until(() => at.results.length === 1);
    await at.clock.advance(MINUTE + 200);
    await until(() => at.results.length === 2);
    await at.clock.advance(MINUTE);
    await until(() => at.results.length === 3);
    expect(sentIds(at)).toEqual(["now", "soon", "late"]);
  });

  test("wakes at most ten times a second, however many due times there are", async () => {
    const at = stand();
    let rings = 0;
    const after = at.clock.after.bind(at.clock);
    at.clock.after = (delayMs, call) =>
      after(delayMs, () => {
        rings += 1;
        call();
      });
    for (let index = 0; index < 500; index += 1)
      at.add(String(index), { nextAttempt: at.clock.now() + 1000 + index });
    await at.clock.advance(2000);
    await until(() => at.results.length === 500);
    expect(rings).toBeLessThan(10);
  });

  test("gives up what waits, and keeps what is under way until its result is recorded", async () => {
    const at = stand();
    at.world.capacity = 1;
    let answer = (): void => undefined;
    at.world.answer = (message) =>
      new Promise((resolve) => {
        answer = () => resolve(accepted(message));
      });
    const active = at.add("active");
    const ready = at.add("ready");
    const deferred = at.add("deferred", { nextAttempt: at.clock.now() + MINUTE });
    expect([active, ready, deferred].map((delivery) => at.queue.remove(delivery))).toEqual([
      false,
      true,
      true,
    ]);
    await until(() => at.world.attempts.length === 1);
    answer();
    await until(() => at.results.length === 1);
    // Its report may still be on the way to the store.
    expect(at.queue.remove(active)).toBe(false);
    await at.clock.advance(2 * MINUTE);
    expect(sentIds(at)).toEqual(["active"]);
    expect(at.queue.isEmpty).toBe(true);
  });

  test("holds what is held", async () => {
    const at = stand();
    const delivery = at.add("1", { nextAttempt: at.clock.now() + MINUTE });
    at.queue.remove(delivery);
    delivery.message.held = { by: "operator", text: "held" };
    at.queue.add(delivery);
    await at.clock.advance(10 * MINUTE);
    expect(delivery.state).toBe("held");
    expect(at.world.attempts).toEqual([]);
  });

  test("starts nothing after it was stopped", async () => {
    const at = stand();
    at.add("later", { nextAttempt: at.clock.now() + MINUTE });
    at.queue.stop();
    at.add("now");
    at.queue.unblock();
    await at.clock.advance(2 * MINUTE);
    expect(at.world.attempts).toEqual([]);
    expect(at.queue.isEmpty).toBe(false);
  });

  test("tries at once with a new courier", async () => {
    const at = stand();
    at.world.answer = () => unreachable();
    at.add("1");
    await until(() => at.results.length === 1);
    at.add("2");
    const world = new World();
    at.queue.useCourier(new TestCourier(world, "hop"));
    at.queue.unblock();
    await until(() => world.sent.length === 1);
    expect(world.sent[0]?.id).toBe("2");
  });

  test("counts what an earlier courier has in hand against what the next hop takes", async () => {
    const at = stand();
    at.world.capacity = 2;
    const answers: (() => void)[] = [];
    at.world.answer = (message) =>
      new Promise((resolve) => void answers.push(() => resolve(accepted(message))));
    for (const id of ["1", "2", "3", "4"]) at.add(id);
    await until(() => answers.length === 2);
    for (let reload = 0; reload < 3; reload += 1) {
      at.queue.useCourier(new TestCourier(at.world, "hop"));
      at.queue.pump();
    }
    await at.clock.advance(0);
    expect(at.world.attempts).toHaveLength(2);
    answers[0]?.();
    await until(() => answers.length === 3);
    await at.clock.advance(0);
    expect(at.world.attempts).toHaveLength(3);
  });

  test("removes many thousands of waiting deliveries without going through all of them each time", () => {
    const at = stand();
    at.world.capacity = 0;
    const deliveries = Array.from({ length: 50_000 }, (_, index) => at.add(String(index)));
    for (const delivery of deliveries) at.queue.remove(delivery);
    expect(at.queue.isEmpty).toBe(true);
  });
});
