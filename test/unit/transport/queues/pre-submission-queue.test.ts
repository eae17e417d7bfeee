import { expect, test } from "vitest";
import { PreSubmissionQueue } from "../../../../src/transport/queues/pre-submission-queue.ts";
import {
  type HoldReason,
  type QueuedMessage,
  createQueuedMessage,
} from "../../../../src/transport/queued-message.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

interface Stand {
  readonly clock: ManualClock;
  readonly queue: PreSubmissionQueue;
  readonly submitted: string[];
  add(id: string, delayMs: number | undefined, held?: HoldReason): QueuedMessage;
}

function stand(): Stand {
  const clock = new ManualClock();
  const submitted: string[] = [];
  const queue = new PreSubmissionQueue(clock, (message) => void submitted.push(message.id), {
    isFrozen: () => false,
  });
  return {
    clock,
    queue,
    submitted,
    add(id, delayMs, held) {
      const origin = { via: "smtp", arrivalTime: clock.now(), server: "default" } as const;
      const message = createQueuedMessage(id, origin, { sender: "", recipients: [] }, undefined);
      message.nextAttempt = delayMs === undefined ? undefined : clock.now() + delayMs;
      message.held = held;
      queue.add(message);
      return message;
    },
  };
}

test("messages are submitted when they are due", async () => {
  const at = stand();
  at.add("late", 2000);
  at.add("soon", 1000);
  await at.clock.advance(999);
  expect(at.submitted).toEqual([]);
  await at.clock.advance(200);
  expect(at.submitted).toEqual(["soon"]);
  await at.clock.advance(1000);
  expect(at.submitted).toEqual(["soon", "late"]);
  expect(at.clock.pending).toBe(0);
});

test("what a sink holds is tried when it is due, what the operator holds is not", async () => {
  const at = stand();
  const held = at.add("script", 1000, { by: "script", text: "broken", scriptName: "a.ts" });
  const kept = at.add("operator", undefined, { by: "operator", text: "held" });
  await at.clock.advance(1_000_000);
  expect(at.submitted).toEqual(["script"]);
  expect(held.held).toBeUndefined();
  expect(kept.held?.by).toBe("operator");
});

test("a message that ended a sandbox process twice waits for a changed script or a person, however long", async () => {
  const at = stand();
  at.add("poison", undefined, { by: "script", text: "crash", scriptName: "a.ts", poison: true });
  await at.clock.advance(10_000_000);
  expect(at.submitted).toEqual([]);
  expect(at.queue.release((_message, reason) => reason?.scriptName === "a.ts")).toBe(1);
  expect(at.submitted).toEqual(["poison"]);
});

test("release submits those that are wanted, once", async () => {
  const at = stand();
  at.add("a", 1000, { by: "script", text: "broken", scriptName: "a.ts" });
  at.add("b", 1000, { by: "script", text: "broken", scriptName: "b.ts" });
  expect(at.queue.release((_message, reason) => reason?.scriptName === "a.ts")).toBe(1);
  expect(at.submitted).toEqual(["a"]);
  await at.clock.advance(2000);
  expect(at.submitted).toEqual(["a", "b"]);
});

test("a removed message is not submitted, and none is after stop", async () => {
  const at = stand();
  at.queue.remove(at.add("removed", 1000));
  at.add("stopped", 1000);
  at.queue.stop();
  await at.clock.advance(5000);
  expect(at.submitted).toEqual([]);
});
