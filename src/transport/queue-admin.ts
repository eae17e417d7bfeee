// The queues as people see and steer them: `onarrival queue …` (DESIGN 9).
import { domainOf } from "../core/address.ts";
import type { Delivery } from "./destination-queue.ts";
import type { Pipeline } from "./pipeline.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import type { QueueAdmin, QueueEntry, RecipientView } from "./queue-view.ts";
import { describeReply } from "./settlement.ts";
import {
  type HoldReason,
  type QueuedMessage,
  type SubmissionStage,
  pendingAddresses,
} from "./queued-message.ts";

/** Where a message waits for the sinks of an event (REFERENCE 4.2). */
const SINK_QUEUES: Readonly<Record<SubmissionStage, string>> = {
  OnTransportSubmission: "pre-submission",
  OnPreCategorize: "pre-categorization",
  OnCategorize: "pre-categorization",
  OnPostCategorize: "pre-routing",
};

const OPERATOR_HOLD: HoldReason = {
  by: "operator",
  text: "held by the operator; `onarrival queue release` lets it go",
};

export function createQueueAdmin<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
): QueueAdmin {
  const selected = (ids: readonly string[]): QueuedMessage[] => {
    if (ids.length === 0) return [...pipeline.messages.values()];
    return ids.flatMap((id) => pipeline.messages.get(id) ?? []);
  };
  const count = (ids: readonly string[], act: (message: QueuedMessage) => boolean): number =>
    selected(ids).filter((message) => act(message)).length;

  return {
    list: () => [...pipeline.messages.values()].map((message) => entryOf(pipeline, waiting, message)),
    show(id) {
      const message = pipeline.messages.get(id);
      return message === undefined ? undefined : entryOf(pipeline, waiting, message);
    },
    retry: (ids) => count(ids, (message) => mayRetry(message) && tryNow(pipeline, waiting, message)),
    retryDomain: (domain) =>
      selected([]).filter(
        (message) =>
          mayRetry(message) &&
          pendingAddresses(message).some((address) => domainOf(address).toLowerCase() === domain) &&
          tryNow(pipeline, waiting, message),
      ).length,
    hold: (ids) => count(ids, (message) => hold(pipeline, waiting, message)),
    release: (ids) =>
      count(ids, (message) => message.held !== undefined && tryNow(pipeline, waiting, message)),
    remove: (ids) => count(ids, (message) => remove(pipeline, message)),
  };
}

const mayRetry = ({ held }: QueuedMessage): boolean => held?.by !== "operator" && held?.abandoned !== true;

function tryNow<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  message: QueuedMessage,
): boolean {
  if (pipeline.isInHand(message)) return false;
  if (message.phase === "submission") return waiting.release((other) => other === message) > 0;
  message.held = undefined;
  message.nextAttempt = undefined;
  message.notBefore = undefined;
  for (const delivery of pipeline.deliveriesOf(message)) delivery.queue.unblock();
  pipeline.requeue(message);
  return true;
}

function hold<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  message: QueuedMessage,
): boolean {
  if (message.held?.by === "operator" || pipeline.isInHand(message)) return false;
  message.held = OPERATOR_HOLD;
  message.nextAttempt = undefined;
  if (message.phase === "delivery") {
    pipeline.requeue(message);
  } else {
    waiting.add(message, OPERATOR_HOLD);
    pipeline.save(message);
  }
  return true;
}

function remove<Script>(pipeline: Pipeline<Script>, message: QueuedMessage): boolean {
  if (pipeline.isInHand(message)) return false;
  pipeline.discard(message, "removed by the operator");
  return true;
}

function entryOf<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
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
      lastReplyOf(message) ??
      whyBlocked(deliveries) ??
      whyDeferred(message),
    advice: adviceFor(message),
    sender: message.envelope.sender,
    recipients: recipientsOf(message),
    size: message.size,
    arrivalTime: message.origin.arrivalTime,
    attempts: Math.max(message.attempts, ...deliveries.map((delivery) => delivery.attempts), 0),
    nextAttempt:
      message.nextAttempt ?? deliveries.map(({ queue }) => queue.blockedUntil).find((until) => until > 0),
  };
}

function adviceFor({ id, held }: QueuedMessage): string | undefined {
  if (held === undefined) return undefined;
  const release = `onarrival queue release ${id}`;
  if (held.by === "operator") return release;
  if (held.abandoned === true) return `it goes on when the service restarts, or now: ${release}`;
  if (held.scriptName === undefined) return `correct the sink; tried again by itself, or now: ${release}`;
  const correct = `save a corrected ${held.scriptName} and it goes on by itself`;
  return held.poison === true
    ? `${correct}; it ended two sandbox processes, so otherwise it waits for: ${release}`
    : `${correct}; tried again by itself, or now: ${release}`;
}

function stateOf(
  message: QueuedMessage,
  deliveries: readonly Delivery[],
  waiting: PreSubmissionQueue,
): QueueEntry["state"] {
  if (message.held !== undefined) return "held";
  if (waiting.has(message)) return "retry";
  const retrying = deliveries.some(
    ({ state, attempts, queue }) =>
      state === "deferred" || (state === "ready" && (attempts > 0 || queue.blockedUntil > 0)),
  );
  return retrying ? "retry" : "active";
}

function recipientsOf(message: QueuedMessage): RecipientView[] {
  if (message.phase === "submission") {
    return message.envelope.recipients.map(({ address }) => ({ address, state: "pending" }));
  }
  return message.recipients.map(({ recipient, state, lastReply }) => ({
    address: recipient.address,
    state,
    lastReply: lastReply && describeReply(lastReply),
  }));
}

function lastReplyOf(message: QueuedMessage): string | undefined {
  const waiting = message.recipients.find(
    (record) => record.state === "pending" && record.lastReply !== undefined,
  );
  return waiting?.lastReply && describeReply(waiting.lastReply);
}

/** A message behind an unreachable next hop waits without an attempt of its own. */
function whyBlocked(deliveries: readonly Delivery[]): string | undefined {
  const blocked = deliveries.find(({ queue }) => queue.blockedUntil > 0);
  return blocked?.queue.lastFailure && describeReply(blocked.queue.lastFailure);
}

const whyDeferred = ({ notBefore }: QueuedMessage): string | undefined =>
  notBefore === undefined ? undefined : `deferred by a sink until ${new Date(notBefore).toISOString()}`;
