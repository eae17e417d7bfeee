// One timer for many due times: rings at the earliest.
import type { Clock } from "../core/clock.ts";

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #at = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `due` (ms since the epoch) unless it rings earlier anyway. After it rang, nothing is set. */
  atLatest(due: number): void {
    if (due >= this.#at) return;
    this.cancel();
    this.#at = due;
    this.#cancel = this.#clock.after(due - this.#clock.now() + 1, () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#ring();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
