// Message ids: 18 characters [0-9A-Z], sorted by time, unique across restarts.
import type { Clock } from "./clock.ts";

export const ID_LENGTH = 18;
const BASE = 36;
/** 36^9 ms reach past the year 5000. */
const TIME_DIGITS = 9;
const COUNTER_DIGITS = 3;
const RUN_DIGITS = 6;
const IDS_PER_MS = BASE ** COUNTER_DIGITS;
const MESSAGE_ID = new RegExp(`^[0-9A-Z]{${ID_LENGTH}}$`);

/** Files are named after ids: nothing else may become one. */
export const isMessageId = (id: unknown): id is string => typeof id === "string" && MESSAGE_ID.test(id);

const digits = (value: number, width: number): string =>
  value.toString(BASE).toUpperCase().padStart(width, "0");

/**
 * The answer makes ids of: time, a counter within the millisecond, and the tag of this run. The tag keeps ids
 * apart when the clock was set back between two runs, or when several processes share a mailroot.
 */
export function createMessageIds(clock: Clock, random: () => number): () => string {
  const run = digits(Math.floor(random() * BASE ** RUN_DIGITS), RUN_DIGITS);
  let time = 0;
  let counter = 0;
  let prefix = "";
  return () => {
    const now = clock.now();
    counter += 1;
    // A clock that runs backwards must not: ids of one run only ascend.
    if (now > time || counter >= IDS_PER_MS) {
      time = Math.max(now, time + 1);
      counter = 0;
      prefix = digits(time, TIME_DIGITS);
    }
    return prefix + digits(counter, COUNTER_DIGITS) + run;
  };
}
