// Under load, whether a barrier waits for further messages to share it: on a slow disk each one that comes too late for it waits for
// two. On a fast one waiting would cost more than another barrier.

/** A barrier that ended within this time means load. */
const BUSY_WITHIN_MS = 3;
/** Of what a barrier takes, a group waits at most for this share. */
const SHARE_OF_BARRIER = 1 / 2;
/** Weight of each new figure in the running mean. */
const SMOOTHING = 1 / 8;

export class GroupDelay {
  readonly #mostMs: number;
  #barrierMs = 0;
  /** When the last one ended, on the clock of performance.now(). */
  #lastBarrier = Number.NEGATIVE_INFINITY;
  /** Those who shared the last barrier, and those who came while it was under way: so many may come again. */
  #company = 0;

  /** `mostMs`: 0 for never. */
  constructor(mostMs: number) {
    this.#mostMs = mostMs;
  }

  /** `shared` messages were in it, `behind` wait for the next one. */
  barrierEnded(now: number, tookMs: number, shared: number, behind: number): void {
    this.#barrierMs += (tookMs - this.#barrierMs) * SMOOTHING;
    this.#lastBarrier = now;
    this.#company = shared + behind;
  }

  /** ms, for a group of so many messages; 0: its barrier begins now. */
  delayMs(now: number, group: number): number {
    if (this.isComplete(group) || now - this.#lastBarrier >= BUSY_WITHIN_MS) return 0;
    // Timers know whole ms only.
    return Math.min(this.#mostMs, Math.floor(this.#barrierMs * SHARE_OF_BARRIER));
  }

  /** Nobody else is expected. */
  isComplete(group: number): boolean {
    return group >= this.#company;
  }
}
