// The clock by which waiting messages grow old. A clock that is set forward by days, wrongly perhaps, would end every message that
// waits in one moment: here such a step counts only when there was time to correct it, and for another attempt at each.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

/** What a busy or stopped process may be late by is no step. */
const SMALLEST_STEP_MS = 5 * 60_000;

export class AgeingClock implements Clock {
  readonly #clock: Clock;
  readonly #sampleMs: number;
  readonly #graceMs: () => number;
  readonly #log: Logger;
  #sampledAt: number;
  #heldBackMs = 0;
  #heldBackUntil = 0;

  /** now() is called at least every `sampleMs`; for `graceMs` a step does not count. */
  constructor(clock: Clock, sampleMs: number, graceMs: () => number, log: Logger) {
    this.#clock = clock;
    this.#sampleMs = sampleMs;
    this.#graceMs = graceMs;
    this.#log = log;
    this.#sampledAt = clock.now();
  }

  now(): number {
    const now = this.#clock.now();
    const stepMs = now - this.#sampledAt - this.#sampleMs;
    this.#sampledAt = now;
    if (stepMs > SMALLEST_STEP_MS) this.#stepped(stepMs, now);
    else if (now >= this.#heldBackUntil) this.#heldBackMs = 0;
    return now - this.#heldBackMs;
  }

  after(delayMs: number, call: () => void): () => void {
    return this.#clock.after(delayMs, call);
  }

  #stepped(stepMs: number, now: number): void {
    this.#heldBackMs += stepMs;
    const graceMs = this.#graceMs();
    this.#heldBackUntil = now + graceMs;
    this.#log.warn(
      { seconds: Math.round(stepMs / 1000), graceSeconds: Math.round(graceMs / 1000) },
      "the clock of this machine went forward: waiting messages are tried now, and none is given up for a while; if the clock is wrong, correct it",
    );
  }
}
