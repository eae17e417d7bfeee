// A clock that stands still until a test moves it: two days of a queue in a second.
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";

interface Timer {
  due: number;
  readonly call: () => void;
}

export class ManualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  constructor(now = Date.parse("2026-01-02T03:04:05Z")) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { due: this.#now + Math.max(0, delayMs), call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The clock of the machine is set forward. Timers keep their pace. */
  setForward(ms: number): void {
    const timers = [...this.#timers];
    this.#now += ms;
    for (const timer of timers) timer.due += ms;
  }

  /** Runs the timers that come due, in order of their times, those they set included. What they start has some turns of the loop to go on. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.due);
      timer.call();
      // oxlint-disable-next-line no-await-in-loop
      await setImmediate();
    }
    this.#now = end;
    await setImmediate();
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.due <= end && timer.due < (first?.due ?? Infinity)) first = timer;
    return first;
  }
}
