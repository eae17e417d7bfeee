// The queues that every message passes (REFERENCE 4.2), by name: those before sinks, and names under which messages of several are counted.
import { SINK_QUEUES } from "./queue-entries.ts";

/** In this order, empty or not. */
export const PASSED_QUEUES = [
  "pre-submission",
  "pre-categorization",
  "pre-routing",
  "failed-retry",
  "dsn",
  "deferred",
  "unreachable",
  "last run",
] as const;
export type PassedQueue = (typeof PASSED_QUEUES)[number];

export const isPassed = (key: string): key is PassedQueue => PASSED_QUEUES.some((queue) => queue === key);

type SinkQueue = (typeof SINK_QUEUES)[keyof typeof SINK_QUEUES];

export const isSinkQueue = (queue: PassedQueue): queue is SinkQueue =>
  Object.values(SINK_QUEUES).some((name) => name === queue);
