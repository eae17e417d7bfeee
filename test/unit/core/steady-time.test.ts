import { expect, test } from "vitest";
import { createSteadyTime } from "../../../src/core/clock.ts";

const DAY = 86_400_000;

/** A machine: its clock, which people set, and its time since the start, which nobody can. */
function machine(): { wall: number; elapsed: number; pass: (ms: number) => void; now: () => number } {
  const state = { wall: 1_800_000_000_000, elapsed: 5, pass, now: () => 0 };
  function pass(ms: number): void {
    state.wall += ms;
    state.elapsed += ms;
  }
  state.now = createSteadyTime(
    () => state.wall,
    () => state.elapsed,
  );
  return state;
}

test("is that of the clock while nobody sets it back, steps forward included", () => {
  const one = machine();
  expect(one.now()).toBe(one.wall);
  one.pass(1000);
  expect(one.now()).toBe(one.wall);
  one.wall += 10 * DAY;
  expect(one.now()).toBe(one.wall);
});

test("T02 goes on when the clock is set back by three days: a minute's wait ends within a few seconds of its minute", () => {
  const one = machine();
  const before = one.now();
  one.wall -= 3 * DAY;
  let last = one.now();
  expect(last).toBe(before);
  for (let second = 0; second < 67; second += 1) {
    one.pass(1000);
    const now = one.now();
    expect(now).toBeGreaterThan(last);
    last = now;
  }
  expect(last - before).toBeGreaterThanOrEqual(60_000);
  expect(last - before).toBeLessThanOrEqual(67_000);
});

test("T02 is that of the clock again when the two have met, and at once when the clock is put right", () => {
  const slow = machine();
  slow.now();
  slow.wall -= 1000;
  slow.now();
  slow.pass(9000);
  expect(slow.now()).toBeGreaterThan(slow.wall);
  slow.pass(2000);
  expect(slow.now()).toBe(slow.wall);

  const corrected = machine();
  corrected.now();
  corrected.wall -= 3 * DAY;
  corrected.pass(5000);
  corrected.now();
  corrected.wall += 3 * DAY;
  expect(corrected.now()).toBe(corrected.wall);
});

test("T02 stays above every earlier answer however often the clock is set", () => {
  const one = machine();
  let last = one.now();
  for (const step of [-5000, 200, -DAY, 3000, DAY, -1, -1, 40, -10 * DAY]) {
    one.wall += step;
    one.pass(10);
    const now = one.now();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
});
