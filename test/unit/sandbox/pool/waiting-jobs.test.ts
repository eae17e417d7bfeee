// Jobs between two turns: which answers they get and when, and what one call of a job owes to the one before.
import { expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { PerformedRequest, WaitsFor } from "../../../../src/sandbox/capabilities/broker-contract.ts";
import { WaitingJobs } from "../../../../src/sandbox/pool/waiting-jobs.ts";
import type { CheckedOutcome } from "../../../../src/sandbox/pool/tasks.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { callOf, taskOf } from "../../../sandbox/pool/pool-fixture.ts";

test("a job whose answer came when its process was ending is among those that wait", async () => {
  const { promise, resolve } = Promise.withResolvers<PerformedRequest>();
  const asked: string[] = [];
  const broker = { perform: () => promise };
  const jobs = new WaitingJobs<string>({ broker, clock: systemClock, log: silentLogger }, (held) => {
    asked.push(held);
    return false;
  });
  const requests = [{ request: 1, body: { kind: "kv", operation: "get", key: "k" }, length: 0 }];
  jobs.waits(1, taskOf([callOf("waits")]), "held", { call: 0, requests }, Buffer.alloc(0));
  resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(0) });
  await expect.poll(() => asked).toEqual(["held"]);
  expect(jobs.close()).toEqual(["held"]);
});

interface Asked {
  readonly answer: (bytes?: number) => void;
  readonly waitsFor: WaitsFor | undefined;
  readonly signal: AbortSignal;
}

/** A job of two calls in a process that takes every frame. */
class OneJob {
  readonly clock = new ManualClock();
  readonly asked: Asked[] = [];
  readonly sent: string[] = [];
  readonly task = taskOf(
    ["one", "two"].map((name) =>
      callOf(name, { limits: { ...callOf(name).limits, timeoutMs: 100, requestBytes: 1000 } }),
    ),
  );
  readonly jobs = new WaitingJobs<string>(
    {
      broker: {
        perform: (_body, _bytes, { waitsFor, signal }) =>
          new Promise<PerformedRequest>((resolve) => {
            const answer = (bytes = 0): void =>
              resolve({ answer: { kind: "kv", found: false }, bytes: Buffer.alloc(bytes) });
            this.asked.push({ answer, waitsFor, signal });
          }),
      },
      clock: this.clock,
      log: silentLogger,
    },
    (_held, _job, frame) => {
      const refusal = "answer" in frame && "message" in frame.answer ? ` ${frame.answer.message}` : "";
      this.sent.push(frame.type === "resume" ? `${frame.request}${refusal}` : frame.type);
      return true;
    },
  );

  /** The process says that the call waits, and for what that is new. */
  waits(call: number, ...requests: number[]): void {
    const body = { kind: "kv", operation: "get", key: "k" };
    const told = requests.map((request) => ({ request, body, length: 0 }));
    this.jobs.waits(1, this.task, "held", { call, requests: told }, Buffer.alloc(0));
  }

  /** Those of its calls that the service held back, if they ran out of time. */
  heldBack(kind: "timeout" | "throw" = "timeout"): (string | undefined)[] {
    const outcome: CheckedOutcome = {
      verdict: 0,
      logs: [],
      logsDropped: 0,
      micros: 0,
      readBody: false,
      place: { pid: 1, job: 1 },
      fault: { kind, message: "" },
    };
    return this.jobs.noteHeldBack(1, [outcome, outcome]).map(({ heldBackBy }) => heldBackBy);
  }
}

test("a job gets one answer a turn, and holds nothing when it is over", async () => {
  const one = new OneJob();
  one.waits(0, 1, 2);
  for (const { answer } of one.asked) answer();
  await one.clock.advance(1);
  expect([one.sent, one.jobs.bytes]).toEqual([["1"], one.task.content.size]);
  one.waits(0);
  expect(one.sent).toEqual(["1", "2"]);
  one.jobs.ended(1);
  expect([one.jobs.count, one.jobs.bytes, one.clock.pending]).toEqual([0, 0, 0]);
});

test("a call gets no answers to what the call before it has asked for", async () => {
  const one = new OneJob();
  one.waits(0, 1, 2, 3);
  for (const { answer } of one.asked.slice(0, 2)) answer();
  await one.clock.advance(60);
  one.waits(1, 4);
  expect(one.asked.map(({ signal }) => signal.aborted)).toEqual([true, true, true, false]);
  // Nor is its time over with that of the other.
  await one.clock.advance(60);
  expect(one.sent).toEqual(["1"]);
  one.asked[3]?.answer();
  await one.clock.advance(1);
  expect(one.sent).toEqual(["1", "4"]);
});

test("a call that waits for nothing is a lie, although the one before has left something open", () => {
  const one = new OneJob();
  one.waits(0, 1);
  expect(() => one.waits(1)).toThrow("waiting: for nothing");
});

test("a call that ran out of time in waiting for its turn was held back, and no other", async () => {
  const one = new OneJob();
  one.waits(0, 1);
  one.asked[0]?.waitsFor?.("a.setting");
  await one.clock.advance(100);
  expect([one.sent, one.asked[0]?.signal.aborted]).toEqual([["abandon"], true]);
  one.waits(1, 2, 3);
  expect(one.sent).toEqual(["abandon"]);
  // One of its requests has its turn.
  one.asked[1]?.waitsFor?.("a.setting");
  await one.clock.advance(100);
  expect(one.sent).toEqual(["abandon", "abandon"]);
  expect(one.heldBack()).toEqual(["a.setting", undefined]);
  expect(one.heldBack("throw")).toEqual([undefined, undefined]);
  expect(() => one.waits(1, 4)).toThrow("waiting: beyond its time");
});

test("answers are bounded together: half of it is for an attempt that was lost", async () => {
  const one = new OneJob();
  one.waits(0, 1, 2);
  one.asked[0]?.answer(1500);
  await one.clock.advance(1);
  one.asked[1]?.answer(501);
  await one.clock.advance(1);
  one.waits(0);
  expect(one.sent).toEqual(["1", "2 kv: the answer is too long"]);
});
