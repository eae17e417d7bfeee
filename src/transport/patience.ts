// Steps 8 and 11: how long a message may wait, who hears that it does, and what happens when it has waited too long.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { PropertyValue } from "../message/properties.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Endings } from "./endings.ts";
import type { MessageSteps } from "./message-steps.ts";
import type { IsAged, OwnTimes } from "./queues/parked-messages.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { PreSubmissionQueue } from "./queues/pre-submission-queue.ts";
import { type QueuedMessage, type RecipientRecord, listUnsubmitted } from "./queued-message.ts";
import type { MailKind, RetryPolicy } from "./retry-policy.ts";
import { isFinalDelivery } from "./routing/router.ts";
import { type DueReport, addReport, expiredReply } from "./settlement.ts";
import { isGroupKey } from "./queues/waiting-groups.ts";

export interface PatienceParts {
  readonly deliveries: Deliveries;
  readonly endings: Endings;
  readonly waiting: PreSubmissionQueue;
  readonly writes: PendingWrites;
  readonly steps: MessageSteps;
  readonly retry: () => RetryPolicy;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The properties in which sinks leave times of their own (REFERENCE 4.6.2). */
const PROPERTIES_OF = {
  remote: { expiry: "MP_EXPIRE_NDR", delayNotice: "MP_EXPIRE_DELAY" },
  local: { expiry: "MP_LOCAL_EXPIRE_NDR", delayNotice: "MP_LOCAL_EXPIRE_DELAY" },
} as const satisfies Record<MailKind, unknown>;

/** What sinks have given to a message that waits in this queue. */
export const ownTimesOf = (message: QueuedMessage, queue: string): OwnTimes | undefined =>
  timesOfKind(message, kindOf(queue));

function timesOfKind({ properties }: QueuedMessage, kind: MailKind): OwnTimes | undefined {
  if (properties.size === 0) return undefined;
  const names = PROPERTIES_OF[kind];
  const expiry = timeOf(properties.get(names.expiry));
  const delayNotice = timeOf(properties.get(names.delayNotice));
  return expiry === undefined && delayNotice === undefined ? undefined : { expiry, delayNotice };
}

const timeOf = (value: PropertyValue | undefined): number | undefined =>
  typeof value === "number" ? value : undefined;

/** What waits before the sinks is none of another server's yet. */
const kindOf = (queue: string): MailKind =>
  isFinalDelivery(queue) || isGroupKey(queue) ? "local" : "remote";

export class Patience {
  readonly #parts: PatienceParts;

  constructor(parts: PatienceParts) {
    this.#parts = parts;
  }

  check(message: QueuedMessage, now = this.#parts.clock.now()): void {
    if (!this.#ages(message)) return;
    // What sinks put off begins to age when it may leave.
    const since = Math.max(message.origin.arrivalTime, message.notBefore ?? 0);
    // A message that sinks have not let pass yet has the patience of local ones.
    const isLocal = this.#parts.deliveries.of(message).every(({ queue }) => isFinalDelivery(queue.key));
    const kind = isLocal ? "local" : "remote";
    const times = timesOfKind(message, kind);
    const expiry = this.#expiryOf(kind, since, times);
    const isExpired = now >= expiry;
    if (!isExpired && (message.delayNoticeSent || !this.#isNoticeDue(kind, since, times, now))) return;
    this.#noteFailures(message);
    if (isExpired) this.#expireWaiting(message);
    else this.#tellDelay(message, expiry);
  }

  /** What the operator holds, or a sink wants left alone, does not. */
  #ages(message: QueuedMessage): boolean {
    const { waiting, writes } = this.#parts;
    const { held, phase } = message;
    if (held?.by === "operator" || held?.abandoned === true || writes.has(message)) return false;
    return phase !== "submission" || waiting.has(message);
  }

  #tellDelay(message: QueuedMessage, expiry: number): void {
    const { endings, waiting } = this.#parts;
    message.delayNoticeSent = true;
    listUnsubmitted(message, waiting.reasonOf(message));
    const pending = message.recipients.filter((record) => record.state === "pending");
    const reports: DueReport[] = [];
    addReport(reports, message.envelope.sender, "delayed", pending, expiry);
    endings.afterReports(message, reports, () => endings.finishOrSave(message));
  }

  /** A next hop that cannot be reached is tried with one message only: what came of it is why the others wait as well. */
  #noteFailures(message: QueuedMessage): void {
    for (const { queue, records } of this.#parts.deliveries.of(message)) {
      const failure = queue.isFailing ? queue.lastFailure : undefined;
      if (failure === undefined) continue;
      for (const record of records) {
        if ((record.lastAttempt ?? 0) >= failure.time) continue;
        record.lastReply = failure.reply;
        record.remote = failure.remote;
        // An attempt from before the message arrived is none at it.
        record.lastAttempt = failure.time < message.origin.arrivalTime ? undefined : failure.time;
      }
    }
  }

  /** Whether there is something to check of a message that is known by its numbers only. */
  isDueAt(now: number): IsAged {
    return (queue, since, delayNoticeSent, times) => {
      const kind = kindOf(queue);
      if (now >= this.#expiryOf(kind, since, times)) return true;
      return !delayNoticeSent && this.#isNoticeDue(kind, since, times, now);
    };
  }

  /** As sinks set it, else by the settings. */
  #expiryOf(kind: MailKind, since: number, times: OwnTimes | undefined): number {
    return times?.expiry ?? this.#parts.retry().expiresAt(kind, since);
  }

  #isNoticeDue(kind: MailKind, since: number, times: OwnTimes | undefined, now: number): boolean {
    const own = times?.delayNotice;
    return own === undefined ? this.#parts.retry().isDelayNoticeDue(kind, since, now) : now >= own;
  }

  #expireWaiting(message: QueuedMessage): void {
    const { deliveries, waiting } = this.#parts;
    if (message.phase === "submission") {
      listUnsubmitted(message, waiting.reasonOf(message));
      waiting.remove(message);
      this.#expire(message, message.recipients);
      return;
    }
    const taken = deliveries.takeWaiting(message);
    if (taken.length === 0) return;
    this.#expire(
      message,
      taken.flatMap((delivery) => delivery.records),
    );
  }

  #expire(message: QueuedMessage, records: readonly RecipientRecord[]): void {
    const { endings, steps, log } = this.#parts;
    const expired = records.filter(({ state }) => state === "pending");
    for (const record of expired) {
      record.state = "expired";
      record.lastReply = expiredReply(record.lastReply, record.remote);
      record.remote = undefined;
    }
    log.warn(
      { message: message.id, recipients: records.map((record) => record.recipient.address) },
      "message expired",
    );
    const reports: DueReport[] = [];
    addReport(reports, message.envelope.sender, "failed", records);
    endings.afterReports(message, reports, () => {
      steps.ended(message, "expired", expired, "delivery time expired");
      endings.finishOrSave(message);
    });
  }
}
