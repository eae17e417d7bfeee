// One message of the queues as people see it.
import type { Delivery } from "./destination-queue.ts";
import { adviceFor } from "./hold-advice.ts";
import type { Pipeline } from "../pipeline.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import type { QueueSet } from "./queue-set.ts";
import type { Freezer, QueueEntry, RecipientView } from "./queue-view.ts";
import { describeReply } from "../settlement.ts";
import type { HoldReason, QueuedMessage, SubmissionStage } from "../queued-message.ts";

/** Where a message waits for the sinks of an event (REFERENCE 4.2). */
export const SINK_QUEUES = {
  OnTransportSubmission: "pre-submission",
  OnPreCategorize: "pre-categorization",
  OnCategorize: "pre-categorization",
  OnPostCategorize: "pre-routing",
} as const satisfies Readonly<Record<SubmissionStage, string>>;

export const OPERATOR_HOLD: HoldReason = {
  by: "operator",
  text: "held by the operator; `onarrival queue release` lets it go",
};

export function entryOf<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  queues: Pick<QueueSet, "frozenBy">,
  message: QueuedMessage,
): QueueEntry {
  const deliveries = pipeline.deliveriesOf(message);
  const first = deliveries[0];
  return {
    id: message.id,
    queue:
      message.phase === "submission" || first === undefined
        ? SINK_QUEUES[message.stage]
        : [...new Set(deliveries.map(({ queue }) => queue.key))].join(", "),
    state: stateOf(message, deliveries, waiting),
    reason:
      message.held?.text ??
      waiting.reasonOf(message)?.text ??
      (isKeptBack(message, waiting) ? WHY_FROZEN.operator : undefined) ??
      lastReplyOf(message) ??
      whyBlocked(deliveries, queues) ??
      whyDeferred(message),
    advice: adviceFor(message),
    sender: message.envelope.sender,
    recipients: recipientsOf(message),
    size: message.size,
    arrivalTime: message.origin.arrivalTime,
    attempts: Math.max(message.attempts, ...deliveries.map((delivery) => delivery.attempts), 0),
    nextAttempt: message.nextAttempt ?? dueOf(deliveries),
  };
}

/** Of a message that has not been tried yet: one that a router lets wait, or whose next hop is left alone. */
function dueOf(deliveries: readonly Delivery[]): number | undefined {
  const times = deliveries.flatMap(({ state, nextAttempt, queue: { blockedUntil } }) =>
    state === "deferred" && nextAttempt !== undefined
      ? [nextAttempt]
      : blockedUntil > 0
        ? [blockedUntil]
        : [],
  );
  return times.length === 0 ? undefined : Math.min(...times);
}

function stateOf(
  message: QueuedMessage,
  deliveries: readonly Delivery[],
  waiting: PreSubmissionQueue,
): QueueEntry["state"] {
  if (message.held !== undefined) return "held";
  if (isKeptBack(message, waiting)) return "frozen";
  if (waiting.has(message)) return "retry";
  if (deliveries.length > 0 && deliveries.every(({ queue }) => queue.isFrozen)) return "frozen";
  const retrying = deliveries.some(
    ({ state, attempts, queue }) =>
      state === "deferred" || (state === "ready" && (attempts > 0 || queue.blockedUntil > 0)),
  );
  return retrying ? "retry" : "active";
}

const isKeptBack = (message: QueuedMessage, waiting: PreSubmissionQueue): boolean =>
  waiting.has(message) && waiting.isFrozen(message);

export function recipientsOf(message: QueuedMessage): RecipientView[] {
  if (message.phase === "submission") {
    return message.envelope.recipients.map(({ address }) => ({ address, state: "pending" }));
  }
  return message.recipients.map(({ recipient, state, lastReply }) => ({
    address: recipient.address,
    state,
    lastReply: lastReply && describeReply(lastReply),
  }));
}

export function lastReplyOf(message: QueuedMessage): string | undefined {
  const waiting = message.recipients.find(
    (record) => record.state === "pending" && record.lastReply !== undefined,
  );
  return waiting?.lastReply && describeReply(waiting.lastReply);
}

export const WHY_FROZEN: Readonly<Record<Freezer, string>> = {
  operator: "the queue is frozen; `onarrival queue thaw` lets it go on",
  router: "the queue is frozen: a router has halted the next hop, and lets it go on",
};

/** A message behind an unreachable next hop waits without an attempt of its own. */
function whyBlocked(deliveries: readonly Delivery[], queues: Pick<QueueSet, "frozenBy">): string | undefined {
  const frozen = deliveries.find(({ queue }) => queue.isFrozen);
  if (frozen !== undefined) return WHY_FROZEN[queues.frozenBy(frozen.queue.key) ?? "operator"];
  const blocked = deliveries.find(({ queue }) => queue.blockedUntil > 0);
  return blocked?.queue.lastFailure && describeReply(blocked.queue.lastFailure.reply);
}

const whyDeferred = ({ notBefore }: QueuedMessage): string | undefined =>
  notBefore === undefined ? undefined : `deferred by a sink until ${new Date(notBefore).toISOString()}`;
