// How full the queues are, for people and programs: in the words of `onarrival queue list`.
import type { DestinationQueue } from "./destination-queue.ts";
import type { Pipeline } from "../pipeline.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import type { QueueDepths } from "./queue-view.ts";
import { isUnreachable } from "../routing/router.ts";

/** Next hops that are named; a relay meets many thousands of domains. */
const MAX_NAMED = 20;

export function queueDepths<Script>(
  { messages, inSubmission, parking }: Pick<Pipeline<Script>, "messages" | "inSubmission" | "parking">,
  waiting: PreSubmissionQueue,
  queues: readonly DestinationQueue[],
  now: number,
): QueueDepths {
  const groups = parking.groups();
  const kinds = {
    submission: inSubmission,
    "pre-submission": groups.reduce((sum, { messages: size }) => sum + size, waiting.size),
    local: 0,
    remote: 0,
    unreachable: 0,
  };
  const states = { active: 0, ready: 0, retry: 0, held: 0 };
  const sizes: { queue: string; messages: number }[] = [];
  for (const queue of queues) {
    const { active, ready, deferred, held } = queue.depth;
    const size = active + ready + deferred + held;
    states.active += active;
    states.ready += ready;
    states.retry += deferred;
    states.held += held;
    if (queue.key === "local") kinds.local += size;
    else if (queue.blockedUntil > 0 || isUnreachable(queue.key)) kinds.unreachable += size;
    else kinds.remote += size;
    if (size > 0) sizes.push({ queue: queue.key, messages: size });
  }
  const { key, size: parkedForSeveral, held: heldForSeveral } = parking.several;
  kinds.remote += parkedForSeveral;
  states.held += heldForSeveral.count;
  states.retry += parkedForSeveral - heldForSeveral.count;
  if (parkedForSeveral > 0) sizes.push({ queue: key, messages: parkedForSeveral });
  const held = waiting.heldByKind(states.held);
  for (const { group, messages: size } of groups) if (group.heldBy !== undefined) held[group.heldBy] += size;
  sizes.sort((a, b) => b.messages - a.messages);
  let oldest = parking.parked.oldest();
  for (const { origin, notBefore } of messages.values())
    oldest = Math.min(oldest, Math.max(origin.arrivalTime, notBefore ?? 0));
  return {
    messages: messages.size + parking.size,
    kinds,
    states,
    destinations: sizes.slice(0, MAX_NAMED),
    otherDestinations: sizes.slice(MAX_NAMED).reduce((sum, { messages: size }) => sum + size, 0),
    held,
    oldestAgeMs: Math.max(0, now - oldest),
  };
}
