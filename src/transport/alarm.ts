// One timer for many due times: rings at the earliest.
import type { Clock } from "../core/clock.ts";

/** Who is rung looks through all that waits: with many due times, that must not happen at every single one. */
const MIN_GAP_MS = 100;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #at = Number.POSITIVE_INFINITY;
  #lastRing = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings at `due` (ms since the epoch) or up to MIN_GAP_MS later, unless it rings earlier anyway. Then nothing is set. */
  atLatest(due: number): void {
    const at = Math.max(due, this.#lastRing + MIN_GAP_MS);
    if (at >= this.#at) return;
    this.cancel();
    this.#at = at;
    this.#cancel = this.#clock.after(at - this.#clock.now() + 1, () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#lastRing = this.#clock.now();
      this.#ring();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
