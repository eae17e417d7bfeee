// The life of a message, steps 2 to 11 of DESIGN 4, top to bottom: accept → submission → route → queue → deliver → end.
// A message is durable before its client hears 250; from then on it ends in exactly one recorded state per recipient.
import { describeError } from "../core/errors.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import type { Content } from "../message/content.ts";
import type { RecoveredMessage } from "../store/store-driver.ts";
import { logAttempt } from "./attempt-log.ts";
import { type AttemptResult, type Delivery, earliestAttempt } from "./destination-queue.ts";
import { MessageStates } from "./message-states.ts";
import type { PipelineParts } from "./parts.ts";
import {
  type HoldReason,
  type QueuedMessage,
  type RecipientRecord,
  applyState,
  createQueuedMessage,
  listUnsubmitted,
  pendingAddresses,
} from "./queued-message.ts";
import { PendingWrites } from "./pending-writes.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type Router, groupByRoute, isFinalDelivery } from "./router.ts";
import { type DueReport, addReport, expiredReply, settle } from "./settlement.ts";
import type { SubmissionVerdict } from "./submission.ts";
import { SubmissionTurns } from "./submission-turns.ts";

const NO_DELIVERIES: readonly Delivery[] = [];

export class Pipeline<Script> {
  readonly #parts: PipelineParts<Script>;
  /** Every message of the store that is not finished. */
  readonly messages = new Map<string, QueuedMessage>();
  readonly #states: MessageStates;
  readonly #turns: SubmissionTurns<Script>;
  readonly #deliveries = new Map<QueuedMessage, readonly Delivery[]>();
  readonly #writes: PendingWrites;
  #router: Router;
  #retry: RetryPolicy;

  constructor(parts: PipelineParts<Script>) {
    this.#parts = parts;
    this.#router = parts.router;
    this.#retry = parts.retry;
    this.#states = new MessageStates(parts.store, parts.resident, parts.log, (go) =>
      parts.steps.whenKept(go),
    );
    this.#writes = new PendingWrites(parts.log);
    this.#turns = new SubmissionTurns({
      submission: parts.submission,
      store: parts.store,
      states: this.#states,
      maxSubmissions: parts.settings.maxSubmissions,
      mayRun: (message) =>
        message.phase === "submission" &&
        this.messages.has(message.id) &&
        !parts.waiting.has(message) &&
        !this.#writes.has(message),
      decided: (message, verdict) => this.#submitted(message, verdict),
      begin: (fork) => this.#submit(fork),
    });
  }

  /** New routes and intervals: what waits is routed anew. */
  reconfigure(router: Router, retry: RetryPolicy): void {
    this.#router = router;
    this.#retry = retry;
    for (const message of this.#deliveries.keys()) this.#reroute(message);
  }

  // ---- step 2: durable, then 250 ----

  /** Resolves when the message is durable; what follows does not keep the client waiting. */
  async accept(id: string, origin: Origin, envelope: Envelope, content: Content): Promise<void> {
    await this.#parts.store.commit(id, origin, envelope, content);
    this.#submit(createQueuedMessage(id, origin, envelope, content));
  }

  /** Takes up what an earlier run of the service left unfinished. */
  resume(recovered: RecoveredMessage): void {
    const message = createQueuedMessage(recovered.id, recovered.origin, recovered.envelope, undefined);
    if (recovered.state === undefined) this.#parts.steps.resumed(message);
    else applyState(message, recovered.state);
    if (message.phase === "submission") {
      this.#begin(message);
    } else {
      this.messages.set(message.id, message);
      this.#route(message, NO_DELIVERIES);
    }
  }

  /** A message that is new, and durable. */
  #submit(message: QueuedMessage): void {
    this.#parts.steps.submitted(message);
    this.#begin(message);
  }

  #begin(message: QueuedMessage): void {
    this.messages.set(message.id, message);
    if (message.held !== undefined || (message.nextAttempt ?? 0) > this.#parts.clock.now())
      this.#parts.waiting.add(message);
    else this.submit(message);
  }

  // ---- step 3: submission ----

  submit(message: QueuedMessage): void {
    this.#turns.submit(message);
  }

  /** Status check after the sinks (REFERENCE 4.2.3). */
  #submitted(message: QueuedMessage, verdict: SubmissionVerdict): void {
    switch (verdict.kind) {
      case "submitted":
        this.#passed(message, verdict.forked);
        break;
      case "discarded":
        this.discard(message, verdict.reason);
        break;
      case "badmail":
        this.#badmail(message, verdict);
        break;
      case "hold":
      case "retry":
        this.#postpone(message, verdict.reason, verdict.kind === "hold");
        break;
    }
  }

  /** Back to the pre-submission queue: a sink failed, or asked for it. It expires like any other message. */
  #postpone(message: QueuedMessage, reason: HoldReason, hold: boolean): void {
    const now = this.#parts.clock.now();
    message.attempts += 1;
    message.held = hold ? reason : undefined;
    message.nextAttempt = reason.poison === true ? undefined : now + this.#retry.delayMs(message.attempts);
    const nextAttempt =
      message.nextAttempt === undefined ? "when released" : new Date(message.nextAttempt).toISOString();
    const log = { message: message.id, reason: reason.text, attempts: message.attempts, nextAttempt };
    this.#parts.steps.postponed(message, reason);
    if (hold) this.#parts.log.error(log, "message held: a sink failed on it");
    else this.#parts.log.warn(log, "message goes back to the queue before the sinks");
    this.#states.save(message);
    this.#states.drop(message);
    this.#parts.waiting.add(message, reason);
    this.#checkAge(message, now);
  }

  /** On to the sinks of the next event that has any, with what these left: a message that one of them holds comes back to that event. */
  #passed(message: QueuedMessage, forked: boolean): void {
    message.held = undefined;
    message.attempts = 0;
    message.nextAttempt = undefined;
    const next = this.#parts.submission.nextStage(message.stage);
    if (next === undefined) {
      this.#startDelivery(message, forked);
      return;
    }
    message.stage = next;
    message.resumeAt = 0;
    if (forked) this.#states.save(message);
    this.#turns.submit(message);
  }

  #startDelivery(message: QueuedMessage, forked: boolean): void {
    message.phase = "delivery";
    message.recipients = message.envelope.recipients.map((recipient) => ({ recipient, state: "pending" }));
    if (forked) this.#states.save(message);
    this.#route(message, NO_DELIVERIES);
  }

  // ---- steps 7 and 8: route, queue ----

  /** Queues the recipients that wait and are not in one of the deliveries that `stay`. */
  #route(message: QueuedMessage, stay: readonly Delivery[]): void {
    let { recipients } = message;
    if (stay.length > 0) {
      const staying = new Set(stay.flatMap(({ records }) => records));
      recipients = recipients.filter((record) => !staying.has(record));
    }
    const groups = groupByRoute(this.#router, recipients, message.envelope.nextHop);
    if (groups.size === 0 && stay.length === 0) {
      this.#finishOrSave(message);
      return;
    }
    // With several next hops some may be done when the service dies: the state tells which.
    if (groups.size > 1) this.#states.save(message);
    const added: Delivery[] = [];
    for (const { route, records } of groups.values()) {
      const { attempts, nextAttempt } = message;
      const queue = this.#parts.queues.of(route);
      added.push({ message, records, queue, attempts, nextAttempt, state: "ready" });
    }
    this.#deliveries.set(message, stay.length === 0 ? added : [...stay, ...added]);
    this.#states.limit(message);
    for (const delivery of added) delivery.queue.add(delivery);
  }

  // ---- steps 9 and 10: delivery, called by the queues ----

  /** The content for an attempt. */
  load(message: QueuedMessage): Content | Promise<Content> {
    return this.#states.load(message);
  }

  /** An attempt is over: record it, report it, try again or end. */
  attempted(delivery: Delivery, result: AttemptResult): void {
    const { message, queue } = delivery;
    const { pending, reports } = settle(delivery, result, isFinalDelivery(queue.key));
    logAttempt(this.#parts.log, delivery, this.#parts.clock.now());
    this.#afterReports(message, reports, () => {
      this.#parts.steps.attempted(delivery, result);
      this.#removeDeliveries(message, [delivery]);
      if (pending.length > 0) this.#deferDelivery(delivery, pending);
      this.#finishOrSave(message);
    });
  }

  #removeDeliveries(message: QueuedMessage, over: readonly Delivery[]): void {
    const deliveries = this.deliveriesOf(message);
    const others =
      over.length === deliveries.length
        ? NO_DELIVERIES
        : deliveries.filter((delivery) => !over.includes(delivery));
    this.#deliveries.set(message, others);
  }

  #finishOrSave(message: QueuedMessage): void {
    if (!this.messages.has(message.id)) return;
    const isOver = message.recipients.every((record) => record.state !== "pending");
    if (isOver && !this.#writes.has(message)) {
      this.#finish(message);
      return;
    }
    if (message.phase === "delivery") message.nextAttempt = earliestAttempt(this.deliveriesOf(message));
    this.#states.save(message);
    this.#states.drop(message);
  }

  /** The routes may have changed since the delivery was queued, and its queue may be gone. */
  #deferDelivery({ message, attempts }: Delivery, pending: readonly RecipientRecord[]): void {
    const now = this.#parts.clock.now();
    const again: Delivery[] = [];
    const { nextHop } = message.envelope;
    for (const { route, records } of groupByRoute(this.#router, pending, nextHop).values()) {
      const queue = this.#parts.queues.of(route);
      // An unreachable next hop is left alone by its queue as a whole; a refused recipient waits by itself.
      const nextAttempt = queue.blockedUntil > 0 ? undefined : now + this.#retry.delayMs(attempts);
      again.push({ message, records, queue, attempts, nextAttempt, state: "deferred" });
    }
    this.#deliveries.set(message, [...this.deliveriesOf(message), ...again]);
    message.attempts = Math.max(message.attempts, attempts);
    for (const delivery of again) delivery.queue.add(delivery);
    this.#checkAge(message, now);
  }

  /** Delay notices and expiry of everything that waits: called every minute. */
  sweep(): void {
    const now = this.#parts.clock.now();
    for (const message of this.messages.values()) this.#checkAge(message, now);
  }

  /** What the operator holds does not age. */
  #checkAge(message: QueuedMessage, now: number): void {
    if (message.held?.by === "operator" || this.#writes.has(message)) return;
    if (message.phase === "submission" && !this.#parts.waiting.has(message)) return;
    const { arrivalTime } = message.origin;
    // A message that sinks have not let pass yet has the patience of local ones.
    const isLocal = this.deliveriesOf(message).every(({ queue }) => isFinalDelivery(queue.key));
    const kind = isLocal ? "local" : "remote";
    if (this.#retry.isExpired(kind, arrivalTime, now)) {
      this.#expireWaiting(message);
    } else if (!message.delayNoticeSent && this.#retry.isDelayNoticeDue(kind, arrivalTime, now)) {
      message.delayNoticeSent = true;
      listUnsubmitted(message, this.#parts.waiting.reasonOf(message));
      const pending = message.recipients.filter((record) => record.state === "pending");
      const reports: DueReport[] = [];
      addReport(reports, message.envelope.sender, "delayed", pending);
      this.#afterReports(message, reports, () => this.#finishOrSave(message));
    }
  }

  #expireWaiting(message: QueuedMessage): void {
    if (message.phase === "submission") {
      listUnsubmitted(message, this.#parts.waiting.reasonOf(message));
      this.#parts.waiting.remove(message);
      this.#expire(message, message.recipients);
      return;
    }
    const waiting = this.deliveriesOf(message).filter((delivery) => delivery.queue.remove(delivery));
    if (waiting.length === 0) return;
    this.#removeDeliveries(message, waiting);
    this.#expire(
      message,
      waiting.flatMap((delivery) => delivery.records),
    );
  }

  #expire(message: QueuedMessage, records: readonly RecipientRecord[]): void {
    const expired = records.filter(({ state }) => state === "pending");
    for (const record of expired) {
      record.state = "expired";
      record.lastReply = expiredReply(record.lastReply);
    }
    this.#parts.log.warn(
      { message: message.id, recipients: records.map((record) => record.recipient.address) },
      "message expired",
    );
    const reports: DueReport[] = [];
    addReport(reports, message.envelope.sender, "failed", records);
    this.#afterReports(message, reports, () => {
      this.#parts.steps.ended(message, "expired", expired, "delivery time expired");
      this.#finishOrSave(message);
    });
  }

  // ---- step 11: the end ----

  /** Goes on when the reports are durable: a crash before that repeats the attempt, and loses no report. */
  #afterReports(message: QueuedMessage, reports: readonly DueReport[], next: () => void): void {
    if (reports.length === 0) {
      next();
      return;
    }
    const failed = reports.filter(({ kind }) => kind !== "delayed").flatMap(({ records }) => records);
    for (const record of failed) record.unreported = true;
    const sent = this.#parts.reports.send(message, reports, () => this.#states.load(message));
    this.#writes.track(message, sent, () => {
      for (const record of failed) record.unreported = undefined;
      next();
    });
  }

  /** Ends every pending recipient without a report. */
  discard(message: QueuedMessage, reason: string): void {
    const { sender } = message.envelope;
    this.#parts.log.info(
      { message: message.id, sender, recipients: pendingAddresses(message), reason },
      "message discarded",
    );
    this.#endAll(message, "discarded", reason);
  }

  #badmail(message: QueuedMessage, verdict: Extract<SubmissionVerdict, { kind: "badmail" }>): void {
    const { code, reason, edited } = verdict;
    const { envelope } = edited ?? message;
    let next = (): void => this.#endAll(message, "badmail", reason);
    const write = async (): Promise<void> => {
      try {
        const content = edited?.content ?? (await this.#states.load(message));
        await this.#parts.badmail.put(message.id, envelope, content, { code, text: reason });
        const recipients = envelope.recipients.map(({ address }) => address);
        this.#parts.log.warn(
          { message: message.id, sender: envelope.sender, recipients, code, reason },
          "message moved to Badmail",
        );
      } catch (thrown) {
        // Badmail full or unwritable: the message stays queued, never deleted.
        const text = `Badmail cannot be written: ${describeError(thrown)}`;
        next = () => this.#postpone(message, { by: "sink", text }, true);
      }
    };
    this.#writes.track(message, write(), () => next());
  }

  #endAll(message: QueuedMessage, state: "discarded" | "badmail", why: string): void {
    const { steps } = this.#parts;
    if (message.phase === "submission") {
      steps.endedAll(message, state, message.envelope.recipients, why);
    } else {
      const pending = message.recipients.filter((record) => record.state === "pending");
      for (const record of pending) record.state = state;
      steps.ended(message, state, pending, why);
    }
    for (const delivery of this.deliveriesOf(message)) delivery.queue.remove(delivery);
    this.#finish(message);
  }

  #finish(message: QueuedMessage): void {
    if (!this.messages.delete(message.id)) return;
    this.#deliveries.delete(message);
    this.#parts.waiting.remove(message);
    this.#states.end(message);
  }

  // ---- for people ----

  /** Messages that sinks work on, or that wait for their turn. */
  get inSubmission(): number {
    return this.#turns.size;
  }

  deliveriesOf(message: QueuedMessage): readonly Delivery[] {
    return this.#deliveries.get(message) ?? NO_DELIVERIES;
  }

  /** Whether something works on the message right now, so that it cannot be taken away. */
  isInHand(message: QueuedMessage): boolean {
    return (
      this.#turns.isRunning(message) ||
      this.#writes.has(message) ||
      this.deliveriesOf(message).some((delivery) => delivery.state === "active")
    );
  }

  /** Takes the waiting deliveries of a message out of their queues and routes it anew, as its state now says. */
  requeue(message: QueuedMessage): void {
    this.#states.save(message);
    this.#reroute(message);
  }

  #reroute(message: QueuedMessage): void {
    this.#route(
      message,
      this.deliveriesOf(message).filter((delivery) => !delivery.queue.remove(delivery)),
    );
  }

  save(message: QueuedMessage): void {
    this.#states.save(message);
  }

  /** No new work; what is in hand may finish. */
  stop(): void {
    this.#turns.stop();
  }

  /** Resolves when no sink works on a message any more and no report is being written. */
  async settled(): Promise<void> {
    await this.#turns.settled();
    await this.#writes.settled();
  }
}
