// Steps 8 and 11: how long a message may wait, who hears that it does, and what happens when it has waited too long.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Deliveries } from "./deliveries.ts";
import type { Endings } from "./endings.ts";
import type { MessageSteps } from "./message-steps.ts";
import type { IsAged, OwnTimes } from "./queues/parked-messages.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { PreSubmissionQueue } from "./queues/pre-submission-queue.ts";
import { type QueuedMessage, type RecipientRecord, listUnsubmitted } from "./queued-message.ts";
import type { RetryPolicy } from "./retry-policy.ts";
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
const REMOTE_TIMES = { expiry: "MP_EXPIRE_NDR", delayNotice: "MP_EXPIRE_DELAY" };
const LOCAL_TIMES = { expiry: "MP_LOCAL_EXPIRE_NDR", delayNotice: "MP_LOCAL_EXPIRE_DELAY" };

function timeOf({ properties }: QueuedMessage, name: string): number | undefined {
  const time = properties.get(name);
  return typeof time === "number" ? time : undefined;
}

/** What sinks have given to a message that waits in this queue. */
export function ownTimesOf(message: QueuedMessage, queue: string): OwnTimes | undefined {
  if (message.properties.size === 0) return undefined;
  const names = isLocalQueue(queue) ? LOCAL_TIMES : REMOTE_TIMES;
  const expiry = timeOf(message, names.expiry);
  const delayNotice = timeOf(message, names.delayNotice);
  return expiry === undefined && delayNotice === undefined ? undefined : { expiry, delayNotice };
}

/** What waits before the sinks is none of another server's yet. */
const isLocalQueue = (queue: string): boolean => isFinalDelivery(queue) || isGroupKey(queue);

const NO_TIMES: OwnTimes = { expiry: undefined, delayNotice: undefined };

export class Patience {
  readonly #parts: PatienceParts;

  constructor(parts: PatienceParts) {
    this.#parts = parts;
  }

  /** What the operator holds, or a sink wants left alone, does not age. */
  check(message: QueuedMessage, now = this.#parts.clock.now()): void {
    const { deliveries, endings, waiting, writes } = this.#parts;
    const { held } = message;
    if (held?.by === "operator" || held?.abandoned === true || writes.has(message)) return;
    if (message.phase === "submission" && !waiting.has(message)) return;
    // What sinks put off begins to age when it may leave.
    const since = Math.max(message.origin.arrivalTime, message.notBefore ?? 0);
    // A message that sinks have not let pass yet has the patience of local ones.
    const isLocal = deliveries.of(message).every(({ queue }) => isFinalDelivery(queue.key));
    const { expiry, isNoticeDue } = this.#judge(message, isLocal, since, now);
    const isExpired = now >= expiry;
    if (!isExpired && (!isNoticeDue || message.delayNoticeSent)) return;
    this.#noteFailures(message);
    if (isExpired) {
      this.#expireWaiting(message);
    } else {
      message.delayNoticeSent = true;
      listUnsubmitted(message, waiting.reasonOf(message));
      const pending = message.recipients.filter((record) => record.state === "pending");
      const reports: DueReport[] = [];
      addReport(reports, message.envelope.sender, "delayed", pending, expiry);
      endings.afterReports(message, reports, () => endings.finishOrSave(message));
    }
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

  /** By the times that sinks set, else by the settings. */
  #judge(
    message: QueuedMessage,
    isLocal: boolean,
    since: number,
    now: number,
  ): { readonly expiry: number; readonly isNoticeDue: boolean } {
    const retry = this.#parts.retry();
    const kind = isLocal ? "local" : "remote";
    const names = isLocal ? LOCAL_TIMES : REMOTE_TIMES;
    const delayNotice = timeOf(message, names.delayNotice);
    return {
      expiry: timeOf(message, names.expiry) ?? retry.expiresAt(kind, since),
      isNoticeDue: delayNotice === undefined ? retry.isDelayNoticeDue(kind, since, now) : now >= delayNotice,
    };
  }

  /** Whether there is something to check of a message that is known by its numbers only. */
  isDueAt(now: number): IsAged {
    const retry = this.#parts.retry();
    return (queue, since, delayNoticeSent, ownTimes) => {
      const kind = isLocalQueue(queue) ? "local" : "remote";
      const { expiry, delayNotice } = ownTimes ?? NO_TIMES;
      if (now >= (expiry ?? retry.expiresAt(kind, since))) return true;
      if (delayNoticeSent) return false;
      return delayNotice === undefined ? retry.isDelayNoticeDue(kind, since, now) : now >= delayNotice;
    };
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
