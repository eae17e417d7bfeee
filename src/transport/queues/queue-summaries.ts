// The queues by their names (REFERENCE 4.2) with what is in them: those that each message passes, and one per next hop.
import type { QueueSummary } from "./queue-view.ts";
import type { ParkedMessages, ParkedQueue } from "./parked-messages.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import { SINK_QUEUES } from "./queue-entries.ts";
import type { QueueSet } from "./queue-set.ts";
import type { QueuedMessage } from "../queued-message.ts";
import { PASSED_QUEUES, type PassedQueue, isPassed } from "./passed-queues.ts";
import { isUnreachable } from "../routing/router.ts";
import type { WaitingGroup } from "./waiting-groups.ts";

export interface QueueSources {
  /** Those in memory. */
  readonly messages: Iterable<QueuedMessage>;
  /** What is not, of those that have not met all their sinks. */
  readonly groups: Iterable<{ readonly group: WaitingGroup; readonly messages: number }>;
  readonly waiting: PreSubmissionQueue;
  readonly queues: Pick<QueueSet, "all" | "frozenBy" | "frozenWithoutQueue" | "isFrozen">;
  /** Parked for several next hops. */
  readonly several: ParkedQueue;
  /** Of those that are not in memory, how many must not leave yet. */
  readonly deferred: ReturnType<ParkedMessages["deferredCounts"]>;
  /** Messages of the last run that are not in their queues yet. */
  readonly unsorted: number;
  readonly now: number;
}

interface Counts {
  messages: number;
  active: number;
  ready: number;
  retry: number;
  held: number;
}

const noMessages = (): Counts => ({ messages: 0, active: 0, ready: 0, retry: 0, held: 0 });

/** A message that waits at several places counts at each. */
export function summarizeQueues(sources: QueueSources): QueueSummary[] {
  const { queues, several, unsorted, now } = sources;
  const idle = queues.frozenWithoutQueue();
  const passed = countPassed(sources);
  addTo(passed["last run"], { ...noMessages(), messages: unsorted, ready: unsorted });
  const destinations: QueueSummary[] = [];
  for (const queue of queues.all()) {
    const { active, ready, deferred: retry, held } = queue.depth;
    const counts = { messages: active + ready + retry + held, active, ready, retry, held };
    if (queue.blockedUntil > 0 || isUnreachable(queue.key)) addTo(passed.unreachable, counts);
    if (counts.messages === 0 && queue.blockedUntil === 0 && queue.key !== "local" && !queue.isFrozen)
      continue;
    destinations.push({
      queue: queue.key,
      ...counts,
      frozen: queue.isFrozen,
      frozenBy: queues.frozenBy(queue.key),
      nextAttempt: queue.blockedUntil > now ? queue.blockedUntil : undefined,
    });
  }
  if (several.size > 0) {
    const { key, size, held } = several;
    const counts = { ...noMessages(), messages: size, retry: size - held.count, held: held.count };
    destinations.push({ queue: key, ...counts, frozen: false });
  }
  for (const [queue, frozenBy] of idle)
    if (!isPassed(queue)) destinations.push({ queue, ...noMessages(), frozen: true, frozenBy });
  if (!destinations.some(({ queue }) => queue === "local"))
    destinations.push({ queue: "local", ...noMessages(), frozen: false });
  destinations.sort((a, b) => b.messages - a.messages || (a.queue < b.queue ? -1 : 1));
  const first = PASSED_QUEUES.map((queue) => {
    const frozenBy = idle.get(queue);
    return { queue, ...passed[queue], frozen: frozenBy !== undefined, frozenBy };
  });
  return [...first, ...destinations];
}

function countPassed(sources: QueueSources): Record<PassedQueue, Counts> {
  const { messages, groups, waiting, queues, deferred, now } = sources;
  const passed: Record<PassedQueue, Counts> = {
    "pre-submission": noMessages(),
    "pre-categorization": noMessages(),
    "pre-routing": noMessages(),
    "failed-retry": noMessages(),
    dsn: noMessages(),
    deferred: noMessages(),
    unreachable: noMessages(),
    "last run": noMessages(),
  };
  for (const message of messages) {
    const { phase, stage, held, notBefore, origin } = message;
    if (phase === "delivery") {
      const state = held === undefined ? "retry" : "held";
      if ((notBefore ?? 0) > now) addTo(passed.deferred, { ...noMessages(), messages: 1, [state]: 1 });
      continue;
    }
    const state = held !== undefined ? "held" : waiting.has(message) ? "retry" : "active";
    const one = { ...noMessages(), messages: 1, [state]: 1 };
    addTo(passed[SINK_QUEUES[stage]], one);
    if (state === "retry" && !waiting.isFrozen(message)) addTo(passed["failed-retry"], one);
    if (origin.via === "dsn") addTo(passed.dsn, one);
  }
  const { waiting: retry, held } = deferred;
  addTo(passed.deferred, { ...noMessages(), messages: retry + held, retry, held });
  addGroups(passed, groups, queues);
  return passed;
}

function addGroups(
  passed: Record<PassedQueue, Counts>,
  groups: QueueSources["groups"],
  queues: QueueSources["queues"],
): void {
  for (const { group, messages: size } of groups) {
    const state = group.heldBy === undefined ? "retry" : "held";
    const all = { ...noMessages(), messages: size, [state]: size };
    addTo(passed[SINK_QUEUES[group.stage]], all);
    const isKeptBack = queues.isFrozen(SINK_QUEUES[group.stage]);
    if (state === "retry" && !isKeptBack) addTo(passed["failed-retry"], all);
    if (group.isReport) addTo(passed.dsn, all);
  }
}

function addTo(sum: Counts, one: Counts): void {
  sum.messages += one.messages;
  sum.active += one.active;
  sum.ready += one.ready;
  sum.retry += one.retry;
  sum.held += one.held;
}
