import { expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS } from "../../../../runtime/contract.ts";
import { FairQueue } from "../../../../src/sandbox/pool/fair-queue.ts";
import { versionsOf } from "../../../../src/sandbox/pool/tasks.ts";
import type { Entry } from "../../../../src/sandbox/pool/entry.ts";
import { Content } from "../../../../src/message/content.ts";
import { NO_ENVELOPE } from "../../../support/no-envelope.ts";

function entryOf(script: string, cost: number): Entry {
  const bundle = { version: script, scriptName: script, code: Buffer.alloc(0) };
  return {
    task: { kind: "inspect", bundle, limits: DEFAULT_SCRIPT_LIMITS },
    settle: () => undefined,
    cost,
    probe: false,
    wasBystander: false,
    deaths: 0,
  };
}

/** Takes so many, or all. */
function take(queue: FairQueue, count = Infinity): string[] {
  const taken: string[] = [];
  queue.takeWhile(({ task }) => {
    if (taken.length === count) return false;
    taken.push(task.kind === "inspect" ? task.bundle.scriptName : "");
    return true;
  });
  return taken;
}

const fill = (queue: FairQueue, script: string, cost: number, count: number): void => {
  for (let number = 0; number < count; number += 1) queue.add(entryOf(script, cost));
};

test("tasks of equal cost, and those of one script, go in the order in which they came", () => {
  const queue = new FairQueue();
  for (const script of ["a", "b", "c"]) fill(queue, script, 100, 1);
  expect(take(queue)).toEqual(["a", "b", "c"]);
});

test("X32 a burst for a slow script waits for itself, not others for it", () => {
  const queue = new FairQueue();
  fill(queue, "slow", 1000, 50);
  fill(queue, "quick", 1, 3);
  expect(take(queue, 5)).toEqual(["quick", "quick", "quick", "slow", "slow"]);
  fill(queue, "quick", 1, 1);
  expect(take(queue, 1)).toEqual(["quick"]);
  expect(queue.length).toBe(48);
});

test("X32 a flood for a quick script leaves the slow one its share of the time", () => {
  const queue = new FairQueue();
  fill(queue, "quick", 10, 1000);
  fill(queue, "slow", 1000, 5);
  const order = take(queue);
  const shares = order.flatMap((script, at) => (script === "slow" ? [at] : []));
  // A hundred quick calls take as long as one slow one.
  expect(shares).toEqual([100, 201, 302, 403, 504].map((at) => expect.closeTo(at, -1)));
});

test("what was put back goes first, also while others are being taken", () => {
  const queue = new FairQueue();
  fill(queue, "a", 10, 2);
  const seen: string[] = [];
  queue.takeWhile(({ task }) => {
    if (seen.length === 0) queue.putBack([entryOf("again", 99)]);
    seen.push(task.kind === "inspect" ? task.bundle.scriptName : "");
    return true;
  });
  expect(seen).toEqual(["a", "again", "a"]);
});

test("what was drained is gone", () => {
  const queue = new FairQueue();
  fill(queue, "a", 10, 3);
  expect(queue.drain()).toHaveLength(3);
  expect(take(queue)).toEqual([]);
});

function jobOf(cost: number, ...scripts: readonly string[]): Entry {
  const bundles = scripts.map((named) => {
    const [scriptName = "", version = ""] = named.split(" ");
    return { version: `${scriptName} ${version}`, scriptName, code: Buffer.alloc(0) };
  });
  const { task: _inspection, ...entry } = entryOf("", cost);
  const envelope = NO_ENVELOPE;
  const content = Content.fromBuffer(Buffer.alloc(0));
  return { ...entry, task: { kind: "job", messageId: "", content, envelope, calls: [], bundles } };
}

function jobs(queue: FairQueue): string[] {
  const taken: string[] = [];
  queue.takeWhile(
    ({ task }) =>
      taken.push(
        versionsOf(task)
          .map(({ version }) => version)
          .join("+"),
      ) > 0,
  );
  return taken;
}

test("R01 no task overtakes one with another version of its script, be it the first of the run or a later one", () => {
  const queue = new FairQueue();
  for (const entry of [jobOf(1000, "a 1", "b 1"), jobOf(1000, "a 1", "b 1"), jobOf(1, "b 1")])
    queue.add(entry);
  expect(jobs(queue)).toEqual(["b 1", "a 1+b 1", "a 1+b 1"]);
  for (const entry of [
    jobOf(1000, "a 1", "b 1"),
    jobOf(1000, "a 1", "b 1"),
    jobOf(1, "b 2"),
    jobOf(1, "c 1"),
  ])
    queue.add(entry);
  expect(jobs(queue)).toEqual(["a 1+b 1", "a 1+b 1", "b 2", "c 1"]);
});
