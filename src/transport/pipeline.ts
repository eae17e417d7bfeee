// The life of a message, steps 2 to 11 of DESIGN 4, top to bottom: accept → submission → route → queue → deliver → end.
// A message is durable before its client hears 250; from then on it ends in exactly one recorded state per recipient.
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import { reply } from "../core/reply.ts";
import type { Content } from "../message/content.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { RecoveredMessage } from "../store/store-driver.ts";
import type { AttemptResult, Delivery } from "./destination-queue.ts";
import type { PipelineParts } from "./parts.ts";
import {
  type HoldReason,
  type QueuedMessage,
  type RecipientRecord,
  applyState,
  createQueuedMessage,
  formatState,
} from "./queued-message.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type Router, groupByRoute } from "./router.ts";
import { type DueReport, addReport, describeReply, expiredReply, settle } from "./settlement.ts";
import { type SubmissionResult, forkedMessage } from "./submission.ts";

/** Wait before a report that could not be stored is tried again, ms. */
const REPORT_RETRY_MS = 30_000;

export class Pipeline<Script> {
  readonly #parts: PipelineParts<Script>;
  /** Every message of the store that is not finished. */
  readonly messages = new Map<string, QueuedMessage>();
  /** Accepted messages that wait for their turn in the submission. */
  readonly #backlog: QueuedMessage[] = [];
  readonly #submitting = new Set<QueuedMessage>();
  readonly #deliveries = new Map<QueuedMessage, Delivery[]>();
  #stopped = false;
  #onSettled: (() => void) | undefined;

  #router: Router;
  #retry: RetryPolicy;

  constructor(parts: PipelineParts<Script>) {
    this.#parts = parts;
    this.#router = parts.router;
    this.#retry = parts.retry;
  }

  /** New routes and intervals: what waits is routed anew. */
  reconfigure(router: Router, retry: RetryPolicy): void {
    this.#router = router;
    this.#retry = retry;
    for (const message of this.#deliveries.keys()) this.requeue(message);
  }

  // ---- step 2: durable, then 250 ----

  /** Resolves when the message is durable; what follows does not keep the client waiting. */
  async accept(id: string, origin: Origin, envelope: Envelope, content: Content): Promise<void> {
    await this.#parts.store.commit(id, origin, envelope, content);
    this.#begin(createQueuedMessage(id, origin, envelope, content));
  }

  /** Takes up what an earlier run of the service left unfinished. */
  resume(recovered: RecoveredMessage): void {
    const message = createQueuedMessage(recovered.id, recovered.origin, recovered.envelope, undefined);
    if (recovered.state !== undefined) applyState(message, recovered.state);
    if (message.phase === "submission") {
      this.#begin(message);
    } else {
      this.messages.set(message.id, message);
      this.#route(message);
    }
  }

  #begin(message: QueuedMessage): void {
    this.messages.set(message.id, message);
    if (message.held !== undefined || (message.nextAttempt ?? 0) > this.#parts.clock.now())
      this.#parts.waiting.add(message);
    else this.submit(message);
  }

  // ---- step 3: submission ----

  /** Runs the sinks, at most `maxSubmissions` messages at a time. */
  submit(message: QueuedMessage): void {
    if (this.#submitting.size < this.#parts.settings.maxSubmissions && !this.#stopped)
      this.#runSinks(message);
    else this.#backlog.push(message);
  }

  #runSinks(message: QueuedMessage): void {
    this.#submitting.add(message);
    const content = this.#load(message);
    const result =
      content instanceof Promise
        ? content.then((loaded) => this.#submission(message, loaded))
        : this.#submission(message, content);
    if (result instanceof Promise) {
      result.then(
        (settled) => this.#submitted(message, settled),
        (thrown: unknown) =>
          this.#submitted(message, { kind: "retry", reason: { by: "sink", text: describeError(thrown) } }),
      );
    } else {
      this.#submitted(message, result);
    }
  }

  #submission(message: QueuedMessage, content: Content): SubmissionResult | Promise<SubmissionResult> {
    message.size = content.size;
    return this.#parts.submission.run(message, content);
  }

  /** Status check after the sinks (REFERENCE 4.2.3). */
  #submitted(message: QueuedMessage, result: SubmissionResult): void {
    this.#submitting.delete(message);
    switch (result.kind) {
      case "submitted":
        this.#startDelivery(message, result.forks);
        break;
      case "discarded":
        this.discard(message, result.reason);
        break;
      case "badmail":
        this.badmail(message, result.code, result.reason);
        break;
      case "again":
        this.submit(message);
        break;
      case "hold":
      case "retry":
        this.#postpone(message, result.reason, result.kind === "hold");
        break;
    }
    this.#nextSubmission();
  }

  #nextSubmission(): void {
    if (this.#submitting.size === 0) this.#onSettled?.();
    if (this.#stopped || this.#submitting.size >= this.#parts.settings.maxSubmissions) return;
    const next = this.#backlog.shift();
    if (next !== undefined) this.#runSinks(next);
  }

  /** Back to the pre-submission queue: a sink failed, or asked for it. It expires like any other message. */
  #postpone(message: QueuedMessage, reason: HoldReason, hold: boolean): void {
    message.attempts += 1;
    const now = this.#parts.clock.now();
    if (this.#retry.isExpired("local", message.origin.arrivalTime, now)) {
      message.recipients = message.envelope.recipients.map((recipient) => ({
        recipient,
        state: "pending",
        lastReply: reply(451, "3.0", reason.text),
      }));
      this.#expire(message, message.recipients);
      return;
    }
    message.held = hold ? reason : undefined;
    message.nextAttempt = now + this.#retry.delayMs(message.attempts);
    message.content = undefined;
    const log = {
      message: message.id,
      reason: reason.text,
      attempts: message.attempts,
      nextAttempt: new Date(message.nextAttempt).toISOString(),
    };
    if (hold) this.#parts.log.error(log, "message held: a sink failed on it");
    else this.#parts.log.warn(log, "message goes back to the pre-submission queue");
    this.#save(message);
    this.#parts.waiting.add(message, reason);
  }

  #startDelivery(message: QueuedMessage, forks: readonly MailMsg[]): void {
    for (const fork of forks) this.#commitFork(forkedMessage(fork));
    message.phase = "delivery";
    message.held = undefined;
    message.attempts = 0;
    message.nextAttempt = undefined;
    message.recipients = message.envelope.recipients.map((recipient) => ({ recipient, state: "pending" }));
    if (forks.length > 0) this.#save(message);
    this.#route(message);
  }

  #commitFork(fork: QueuedMessage): void {
    const content = fork.content;
    if (content === undefined || fork.envelope.recipients.length === 0) return;
    this.#parts.store.commit(fork.id, fork.origin, fork.envelope, content).then(
      () => {
        this.#save(fork);
        this.#begin(fork);
      },
      (thrown: unknown) =>
        this.#parts.log.error({ message: fork.id, error: describeError(thrown) }, "fork could not be stored"),
    );
  }

  // ---- steps 7 and 8: route, queue ----

  #route(message: QueuedMessage): void {
    const groups = groupByRoute(this.#router, message.recipients);
    if (groups.size === 0) {
      this.#finish(message);
      return;
    }
    // With several next hops some may be done when the service dies: the state tells which.
    if (groups.size > 1) this.#save(message);
    const deliveries: Delivery[] = [];
    for (const { route, records } of groups.values()) {
      const { attempts, nextAttempt } = message;
      deliveries.push({
        message,
        records,
        queue: this.#parts.queues.of(route),
        attempts,
        nextAttempt,
        state: "ready",
      });
    }
    this.#deliveries.set(message, deliveries);
    this.#parts.resident.limit(message, () => this.#save(message));
    for (const delivery of deliveries) delivery.queue.add(delivery);
  }

  // ---- steps 9 and 10: delivery, called by the queues ----

  /** The content for an attempt. */
  load(message: QueuedMessage): Content | Promise<Content> {
    return this.#load(message);
  }

  /** An attempt is over: record it, report it, try again or end. */
  attempted(delivery: Delivery, result: AttemptResult): void {
    const { message, queue } = delivery;
    const { pending, reports } = settle(delivery, result, queue.key === "local");
    this.#logAttempt(delivery);
    const others = (this.#deliveries.get(message) ?? []).filter((other) => other !== delivery);
    this.#deliveries.set(message, others);
    this.#afterReports(message, reports, () => {
      if (pending.length > 0) this.#deferDelivery(delivery, pending);
      this.#finishOrSave(message);
    });
  }

  #finishOrSave(message: QueuedMessage): void {
    if (message.recipients.every((record) => record.state !== "pending")) {
      this.#finish(message);
      return;
    }
    this.#save(message);
    message.content = undefined;
    this.#parts.resident.forget(message);
  }

  #deferDelivery(delivery: Delivery, pending: readonly RecipientRecord[]): void {
    const { message, queue, attempts } = delivery;
    const now = this.#parts.clock.now();
    // An unreachable next hop is left alone by its queue as a whole; a refused recipient waits by itself.
    const nextAttempt = queue.blockedUntil > 0 ? undefined : now + this.#retry.delayMs(attempts);
    message.attempts = Math.max(message.attempts, attempts);
    message.nextAttempt = nextAttempt ?? queue.blockedUntil;
    const again: Delivery = { message, records: pending, queue, attempts, nextAttempt, state: "deferred" };
    this.#deliveries.set(message, [...(this.#deliveries.get(message) ?? []), again]);
    queue.add(again);
    this.#checkAge(message, now);
  }

  /** Delay notices and expiry of everything that waits: called every minute. */
  sweep(): void {
    const now = this.#parts.clock.now();
    for (const message of this.#deliveries.keys()) this.#checkAge(message, now);
  }

  #checkAge(message: QueuedMessage, now: number): void {
    const { arrivalTime } = message.origin;
    const isLocal = (this.#deliveries.get(message) ?? []).every((delivery) => delivery.queue.key === "local");
    const kind = isLocal ? "local" : "remote";
    if (this.#retry.isExpired(kind, arrivalTime, now)) {
      this.#expireWaiting(message);
    } else if (!message.delayNoticeSent && this.#retry.isDelayNoticeDue(kind, arrivalTime, now)) {
      message.delayNoticeSent = true;
      const reports: DueReport[] = [];
      addReport(
        reports,
        message.envelope.sender,
        "delayed",
        message.recipients.filter((record) => record.state === "pending"),
      );
      this.#afterReports(message, reports, () => this.#save(message));
    }
  }

  #expireWaiting(message: QueuedMessage): void {
    const deliveries = this.#deliveries.get(message) ?? [];
    const waiting = deliveries.filter((delivery) => delivery.queue.remove(delivery));
    if (waiting.length === 0) return;
    this.#deliveries.set(
      message,
      deliveries.filter((delivery) => !waiting.includes(delivery)),
    );
    this.#expire(
      message,
      waiting.flatMap((delivery) => delivery.records),
    );
  }

  #expire(message: QueuedMessage, records: readonly RecipientRecord[]): void {
    for (const record of records) {
      if (record.state !== "pending") continue;
      record.state = "expired";
      record.lastReply = expiredReply(record.lastReply);
    }
    this.#parts.log.warn(
      { message: message.id, recipients: records.map((record) => record.recipient.address) },
      "message expired",
    );
    const reports: DueReport[] = [];
    addReport(reports, message.envelope.sender, "failed", records);
    this.#afterReports(message, reports, () => this.#finishOrSave(message));
  }

  // ---- step 11: the end ----

  /** Goes on when the reports are durable: a crash before that repeats the attempt, and loses no report. */
  #afterReports(message: QueuedMessage, reports: readonly DueReport[], next: () => void): void {
    if (reports.length === 0) {
      next();
      return;
    }
    const send = (report: DueReport): Promise<void> =>
      this.#parts.reports.send(message, report, () => this.#load(message));
    Promise.all(reports.map((report) => send(report))).then(next, (thrown: unknown) => {
      this.#parts.log.error(
        { message: message.id, error: describeError(thrown) },
        "report could not be stored; trying again",
      );
      this.#parts.clock.after(REPORT_RETRY_MS, () => this.#afterReports(message, reports, next));
    });
  }

  /** Ends every pending recipient without a report. */
  discard(message: QueuedMessage, reason: string): void {
    const recipients = message.envelope.recipients.map((recipient) => recipient.address);
    this.#parts.log.info(
      { message: message.id, sender: message.envelope.sender, recipients, reason },
      "message discarded",
    );
    this.#endAll(message, "discarded");
  }

  badmail(message: QueuedMessage, code: string, reason: string): void {
    void (async () => {
      const content = await this.#load(message);
      await this.#parts.badmail(message.id, message.envelope, content, { code, text: reason });
      this.#parts.log.warn(
        { message: message.id, sender: message.envelope.sender, code, reason },
        "message moved to Badmail",
      );
      this.#endAll(message, "badmail");
    })().catch((thrown: unknown) => {
      // Badmail full or unwritable: the message stays queued, never deleted.
      this.#postpone(
        message,
        { by: "sink", text: `Badmail cannot be written: ${describeError(thrown)}` },
        true,
      );
    });
  }

  #endAll(message: QueuedMessage, state: "discarded" | "badmail"): void {
    for (const record of message.recipients) if (record.state === "pending") record.state = state;
    for (const delivery of this.#deliveries.get(message) ?? []) delivery.queue.remove(delivery);
    this.#finish(message);
  }

  #finish(message: QueuedMessage): void {
    if (!this.messages.delete(message.id)) return;
    this.#deliveries.delete(message);
    this.#parts.waiting.remove(message);
    this.#parts.resident.forget(message);
    message.content = undefined;
    this.#parts.store.remove(message.id);
  }

  // ---- for people ----

  deliveriesOf(message: QueuedMessage): readonly Delivery[] {
    return this.#deliveries.get(message) ?? [];
  }

  isSubmitting(message: QueuedMessage): boolean {
    return this.#submitting.has(message);
  }

  /** Takes the waiting deliveries of a message out of their queues and routes it anew, as its state now says. */
  requeue(message: QueuedMessage): void {
    const waiting = this.deliveriesOf(message).filter((delivery) => delivery.queue.remove(delivery));
    if (waiting.length < this.deliveriesOf(message).length) return;
    this.#save(message);
    this.#route(message);
  }

  save(message: QueuedMessage): void {
    this.#save(message);
  }

  /** No new work; what is in hand may finish. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when no sink works on a message any more. */
  settled(): Promise<void> {
    if (this.#submitting.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  // ---- store ----

  #load(message: QueuedMessage): Content | Promise<Content> {
    return message.content ?? this.#parts.store.loadContent(message.id);
  }

  #save(message: QueuedMessage): void {
    const edited = message.contentUnsaved ? message.content : undefined;
    if (edited !== undefined) message.contentUnsaved = false;
    this.#parts.store.saveState(message.id, formatState(message), edited).catch((thrown: unknown) => {
      if (edited !== undefined) {
        message.contentUnsaved = true;
        message.content = edited;
      }
      const error =
        thrown instanceof OnArrivalError ? thrown : new OnArrivalError("STORE_FAILED", describeError(thrown));
      this.#parts.log.error(
        { message: message.id, code: error.code, error: error.message },
        "state of a message could not be saved",
      );
    });
  }

  #logAttempt(delivery: Delivery): void {
    const { message, records, queue } = delivery;
    for (const record of records) {
      const fields = {
        message: message.id,
        queue: queue.key,
        recipient: record.recipient.address,
        state: record.state,
        reply: record.lastReply === undefined ? undefined : describeReply(record.lastReply),
        delayMs: this.#parts.clock.now() - message.origin.arrivalTime,
      };
      if (record.state === "pending") this.#parts.log.warn(fields, "recipient deferred");
      else this.#parts.log.info(fields, "recipient done");
    }
  }
}
