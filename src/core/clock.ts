// Time as a parameter: tests run the queue for two days in a second.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls once after `delayMs`; the answer cancels. Never keeps the process alive. */
  after(delayMs: number, call: () => void): () => void;
}

/** setTimeout holds at most 2^31-1 ms; a longer wait would fire at once. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
