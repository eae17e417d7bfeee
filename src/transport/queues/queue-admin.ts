// The queues as people see and steer them: `onarrival queue …`.
import { domainOf } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import { canonicalDomain } from "../../core/domain-table.ts";
import { ID_LENGTH } from "../../core/message-ids.ts";
import type { Pipeline } from "../pipeline.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import type { ParkedAdmin } from "./parked-admin.ts";
import { OPERATOR_HOLD, SINK_QUEUES, entryOf } from "./queue-entries.ts";
import { QueueSteering, type QueueSteeringParts } from "./queue-steering.ts";
import type { QueueSet } from "./queue-set.ts";
import { summarizeQueues } from "./queue-summaries.ts";
import type { IsAsked, KeptBack, QueueAdmin, QueueEntry, QueueSummary } from "./queue-view.ts";
import { type QueuedMessage, isDeferred, makeDue, makeDueNow, pendingAddresses } from "../queued-message.ts";
import { isOfNextHops } from "./waiting-groups.ts";

export interface QueueAdminParts<Script> {
  readonly pipeline: Pipeline<Script>;
  readonly waiting: PreSubmissionQueue;
  readonly queues: QueueSet;
  readonly parked: ParkedAdmin;
  /** Key of the queue where mail of local domains goes. */
  readonly localKey: () => string;
  readonly clock: Pick<Clock, "now">;
}

export function createQueueAdmin<Script>(parts: QueueAdminParts<Script>): QueueAdmin {
  const { pipeline, waiting, queues, parked, localKey, clock } = parts;
  const now = (): number => clock.now();
  const selected = (ids: readonly string[]): QueuedMessage[] => {
    if (ids.length === 0) return [...pipeline.messages.values()];
    return ids.flatMap((id) => pipeline.messages.get(id) ?? []);
  };
  const entry = (message: QueuedMessage): QueueEntry => entryOf(pipeline, waiting, queues, message);
  const count = (ids: readonly string[], act: (message: QueuedMessage) => boolean): number =>
    selected(ids).filter((message) => act(message)).length;

  const retry = (message: QueuedMessage): boolean =>
    mayRetry(message) && !isDeferred(message, now()) && tryNow(pipeline, waiting, message, makeDue);
  const retryNamed = (message: QueuedMessage): boolean =>
    mayRetry(message) && tryNow(pipeline, waiting, message, makeDueNow);
  const steering = createSteering(pipeline, { waiting, queues, parked, localKey, tryNow: retryNamed, now });
  return {
    list: () => [...pipeline.messages.values()].map(entry),
    show(id) {
      const message = pipeline.messages.get(id);
      return message === undefined ? undefined : entry(message);
    },
    listParked: (most) => parked.list(most),
    showParked: (id) => parked.show(id),
    idsWith: (prefix, most) => idsWith(pipeline, prefix, most),
    retry: (ids) => count(ids, ids.length === 0 ? retry : retryNamed) + parked.retry(ids),
    retryDomains: (isAsked, only = []) =>
      count([], (message) => isFor(message, isAsked) && retry(message)) +
      parked.forceAll(
        (queue) => only.includes(queue) || (isDomain(queue) && isAsked(canonicalDomain(queue))),
      ),
    hold: (ids) => count(ids, (message) => hold(pipeline, waiting, message)) + parked.hold(ids),
    release: (ids) =>
      count(ids, (message) => isHeld(message) && tryNow(pipeline, waiting, message, makeDue)) +
      parked.release(ids),
    keptBack: (verb, ids) => {
      const messages = selected(ids).filter(verb === "retry" ? mayRetry : isHeld);
      return keptBack(pipeline, waiting, messages, parked.keptBack(verb, ids));
    },
    remove: (ids) => count(ids, (message) => remove(pipeline, message)) + parked.remove(ids),
    queues: () => summarize(pipeline, waiting, queues, now()),
    frozenBy: (name) => steering.frozenBy(name),
    frozenWith: (name) => steering.frozenWith(name),
    freeze: (name) => steering.freeze(name),
    thaw: (name) => steering.thaw(name),
    force: (name) => steering.force(name),
  };
}

const createSteering = <Script>(
  pipeline: Pipeline<Script>,
  parts: Pick<QueueSteeringParts, "waiting" | "queues" | "parked" | "localKey" | "tryNow" | "now">,
): QueueSteering =>
  new QueueSteering({
    ...parts,
    messages: pipeline.messages,
    parking: pipeline.parking,
    isKeptBack: (message) => pipeline.deliveriesOf(message).every(({ queue }) => queue.isFrozen),
  });

function summarize<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  queues: QueueSet,
  now: number,
): QueueSummary[] {
  const { messages, parking } = pipeline;
  const { several, unsorted } = parking;
  return summarizeQueues({
    messages: messages.values(),
    groups: parking.groups(),
    several,
    waiting,
    queues,
    deferred: parking.parked.deferredCounts(isOfNextHops, now),
    unsorted,
    now,
  });
}

function idsWith<Script>(
  { messages, parking }: Pipeline<Script>,
  prefix: string,
  most: number,
): readonly string[] {
  const found: string[] = [];
  if (prefix.length >= ID_LENGTH) return found;
  for (const id of messages.keys()) if (id.startsWith(prefix) && found.push(id) === most) return found;
  return [...found, ...parking.parked.idsWith(prefix, most - found.length)];
}

/** Only the queue of a domain's mail exchangers has a name without a port. */
const isDomain = (queue: string): boolean => !queue.includes(":");

const isFor = (message: QueuedMessage, isAsked: IsAsked): boolean =>
  pendingAddresses(message).some((address) => isAsked(canonicalDomain(domainOf(address))));

const mayRetry = ({ held }: QueuedMessage): boolean => held?.by !== "operator" && held?.abandoned !== true;

const isHeld = ({ held }: QueuedMessage): boolean => held !== undefined;

function keptBack<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  messages: readonly QueuedMessage[],
  outside: KeptBack,
): KeptBack {
  const frozen = messages
    .filter((message) => !pipeline.isInHand(message))
    .map((message) => frozenQueuesOf(pipeline, waiting, message))
    .filter((queues) => queues.length > 0);
  return {
    messages: frozen.length + outside.messages,
    queues: [...new Set([...frozen.flat(), ...outside.queues])],
  };
}

/** All that the message waits for, if all of it is frozen. */
function frozenQueuesOf<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  message: QueuedMessage,
): readonly string[] {
  if (message.phase === "submission")
    return waiting.has(message) && waiting.isFrozen(message) ? [SINK_QUEUES[message.stage]] : [];
  const deliveries = pipeline.deliveriesOf(message);
  return deliveries.every(({ queue }) => queue.isFrozen) ? deliveries.map(({ queue }) => queue.key) : [];
}

function tryNow<Script>(
  pipeline: Pipeline<Script>,
  waiting: PreSubmissionQueue,
  message: QueuedMessage,
  free: (message: QueuedMessage) => void,
): boolean {
  if (pipeline.isInHand(message)) return false;
  if (message.phase === "submission") return waiting.release((other) => other === message) > 0;
  message.held = undefined;
  free(message);
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
