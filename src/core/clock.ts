// Time as a parameter: tests run the queue for two days in a second.

export interface Clock {
  /** Milliseconds since the epoch. Never runs backwards. */
  now(): number;
  /** Calls once after `delayMs`; the answer cancels. Never keeps the process alive. */
  after(delayMs: number, call: () => void): () => void;
}

/** setTimeout holds at most 2^31-1 ms; a longer wait would fire at once. */
const LONGEST_TIMER_MS = 0x7fff_ffff;
/** How fast our time goes while it waits for a clock that was set back: every wait still ends, and the two meet again. */
const SLOW_PACE = 0.9;

/**
 * The time of `wall`, except after it was set back: then our own time goes on, a little slower, until `wall` has caught
 * up. Whatever is due at a time, or measures how long something took, would otherwise stand still as long as the
 * clock was set back. `elapsed` is milliseconds since any moment, and no setting of a clock changes it.
 */
export function createSteadyTime(wall: () => number, elapsed: () => number): () => number {
  let latest = 0;
  /** The moment from which our own time counts. */
  let ahead: { readonly time: number; readonly elapsed: number } | undefined;
  return () => {
    const told = wall();
    if (ahead === undefined && told >= latest) return (latest = told);
    ahead ??= { time: latest, elapsed: elapsed() };
    const own = Math.floor(ahead.time + SLOW_PACE * (elapsed() - ahead.elapsed));
    if (told >= own) ahead = undefined;
    return (latest = Math.max(told, own, latest));
  };
}

export const systemClock: Clock = {
  now: createSteadyTime(
    () => Date.now(),
    () => performance.now(),
  ),
  after(delayMs, call) {
    const timer = setTimeout(call, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
