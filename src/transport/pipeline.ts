// The life of a message, steps 2 to 11 of ARCHITECTURE.md, top to bottom. Each step's own file says how; this one says what follows what.
// A message is durable before its client hears 250; from then on it ends in exactly one recorded state per recipient.
import { TurnoverMap } from "../core/turnover-map.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import type { Content } from "../message/content.ts";
import type { RecoveredMessage } from "../store/store-driver.ts";
import { logAttempt } from "./attempt-log.ts";
import type { Conclusions } from "./categorizer/conclusions.ts";
import { type Deliveries, NO_DELIVERIES } from "./deliveries.ts";
import type { AttemptResult, Delivery } from "./queues/destination-queue.ts";
import type { Endings } from "./endings.ts";
import { settleMarked } from "./marked-recipients.ts";
import type { MessageStates } from "./message-states.ts";
import type { PipelineParts } from "./parts.ts";
import type { Parking } from "./queues/parking.ts";
import type { Patience } from "./patience.ts";
import type { PendingWrites } from "./pending-writes.ts";
import { PipelineWorkings } from "./pipeline-workings.ts";
import {
  type QueuedMessage,
  type SubmissionStage,
  createQueuedMessage,
  priorityOf,
} from "./queued-message.ts";
import { heldForServer, reviveMessage } from "./revived-message.ts";
import type { Postponement } from "./postponement.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type Router, isFinalDelivery } from "./routing/router.ts";
import { settle } from "./settlement.ts";
import type { Superseding } from "./superseding.ts";
import type { StageVerdict, SubmissionTurns } from "./submission-turns.ts";

export class Pipeline<Script> {
  readonly #parts: PipelineParts<Script>;
  /** The messages that are in memory; with few in the store, all of them. */
  readonly messages = new TurnoverMap<string, QueuedMessage>();
  readonly parking: Parking;
  readonly #states: MessageStates;
  readonly #writes: PendingWrites;
  readonly #turns: SubmissionTurns<Script>;
  readonly #conclusions: Conclusions;
  readonly #postponement: Postponement;
  readonly #deliveries: Deliveries;
  readonly #superseding: Superseding;
  readonly #patience: Patience;
  readonly #endings: Endings;
  #retry: RetryPolicy;

  constructor(parts: PipelineParts<Script>) {
    this.#parts = parts;
    this.#retry = parts.retry;
    const workings = new PipelineWorkings(parts, {
      messages: this.messages,
      retry: () => this.#retry,
      isInHand: (message) => this.isInHand(message),
      revive: (recovered, isNew) => this.#revive(recovered, isNew),
      goOn: (message) => this.#goOn(message),
      enter: (fork) => this.#enter(fork),
      submitted: (message, verdict) => this.#submitted(message, verdict),
      beginCopy: (copy) => this.#beginCopy(copy),
      categorized: (message) => this.#passed(message, "OnCategorize"),
      discard: (message, reason) => this.discard(message, reason),
    });
    this.parking = workings.parking;
    this.#states = workings.states;
    this.#writes = workings.writes;
    this.#turns = workings.turns;
    this.#conclusions = workings.conclusions;
    this.#postponement = workings.postponement;
    this.#deliveries = workings.deliveries;
    this.#superseding = workings.superseding;
    this.#patience = workings.patience;
    this.#endings = workings.endings;
    // What has not come to its next step by then comes back to the sinks at the next start.
    parts.cutOff.add(() => {
      for (const message of this.messages.values()) parts.submission.settleCalls(message, true);
    });
  }

  /** New routes and intervals: what waits is routed anew. */
  reconfigure(router: Router, retry: RetryPolicy): void {
    this.#retry = retry;
    this.#deliveries.rerouteAll(router);
  }

  /** Routes what waits anew: a router asked for it. */
  resetRoutes(): void {
    this.#deliveries.rerouteAll();
  }

  // ---- step 2: durable, then 250 ----

  /** Resolves when the message is durable; what follows does not keep the client waiting. */
  async accept(id: string, origin: Origin, envelope: Envelope, content: Content): Promise<void> {
    await this.#parts.store.commit(id, origin, envelope, content);
    this.#enter(createQueuedMessage(id, origin, envelope, content));
  }

  /** A message that is new, and durable. */
  #enter(message: QueuedMessage): void {
    this.#parts.steps.submitted(message);
    this.#parts.storeSinks?.tell("written", message);
    this.#begin(message);
  }

  // ---- steps 3 to 6: the sinks of submission, before and after categorization, and the categorizer ----

  /** To its sinks, or into the queue before them where it has to wait. */
  #begin(message: QueuedMessage): void {
    this.messages.set(message.id, message);
    if (message.held !== undefined || (message.nextAttempt ?? 0) > this.#parts.clock.now())
      this.#parts.waiting.add(message);
    else this.submit(message);
  }

  submit(message: QueuedMessage): void {
    this.#turns.submit(message);
  }

  /** Status check after the sinks (REFERENCE 4.2.3). */
  #submitted(message: QueuedMessage, verdict: StageVerdict): void {
    switch (verdict.kind) {
      case "submitted":
        this.#passed(message, verdict.isCategorized ? "OnCategorize" : message.stage, verdict.forked);
        break;
      case "categorized":
        this.#conclusions.conclude(message, verdict);
        break;
      case "discarded":
        this.#endings.discard(message, verdict.reason);
        break;
      case "badmail":
        this.#endings.badmail(message, verdict);
        break;
      case "hold":
      case "retry":
        this.#postponement.postpone(message, verdict.reason, verdict.kind);
        break;
      case "abandoned":
        this.#postponement.abandon(message, verdict.reason);
        break;
    }
  }

  /** On to the sinks of the next event behind `stage` that has any, with what these left: a message that one of them holds comes back to that event. */
  #passed(message: QueuedMessage, stage: SubmissionStage, forked = false): void {
    // A start brings what is not saved back to the sinks: past a binding that this message has used up it would go unseen.
    const counts = this.#parts.submission.settleCalls(message, false);
    const isToSave = counts || forked || message.isSavedMidway === true;
    message.held = undefined;
    message.attempts = 0;
    message.nextAttempt = undefined;
    message.triedBefore = undefined;
    const next = this.#parts.submission.nextStage(stage);
    if (next === undefined) {
      this.#startDelivery(message, isToSave);
      return;
    }
    message.stage = next;
    message.resumeAt = 0;
    if (isToSave) {
      message.isSavedMidway = true;
      this.#states.save(message);
    }
    this.#turns.submit(message);
  }

  /** What the categorizer split off has met the sinks before it. */
  #beginCopy(copy: QueuedMessage): void {
    this.#parts.storeSinks?.tell("written", copy);
    this.messages.set(copy.id, copy);
    this.#passed(copy, "OnCategorize");
  }

  /** It has met all sinks: from here on each recipient has a state of its own. */
  #startDelivery(message: QueuedMessage, isToSave: boolean): void {
    message.phase = "delivery";
    message.priority = priorityOf(message);
    this.#superseding.waits(message);
    message.recipients = message.envelope.recipients.map((recipient) => ({ recipient, state: "pending" }));
    if (isToSave) this.#states.save(message);
    const marked = settleMarked(message);
    if (marked === undefined) this.#place(message);
    else this.#endings.marked(message, marked, () => this.#place(message));
  }

  // ---- steps 7 and 8: route, queue ----

  #place(message: QueuedMessage): void {
    this.#deliveries.route(message);
    // Deferred by a sink, or one too many: it is on disk while it waits.
    const isTooMany = this.parking.isFull && this.#deliveries.resting(message, true) !== undefined;
    if (isTooMany || (message.notBefore ?? 0) > this.#parts.clock.now()) this.#endings.finishOrSave(message);
  }

  // ---- steps 9 and 10: delivery, called by the queues ----

  /** The content for an attempt. */
  load(message: QueuedMessage): Content | Promise<Content> {
    return this.#states.load(message);
  }

  /** An attempt is over: record it, report it, try again or end. */
  attempted(delivery: Delivery, result: AttemptResult): void {
    const { message, queue } = delivery;
    const now = this.#parts.clock.now();
    const { pending, reports } = settle(delivery, result, isFinalDelivery(queue.key), now);
    logAttempt(this.#parts.log, delivery, now);
    this.#endings.afterReports(message, reports, () => {
      this.#parts.steps.attempted(delivery, result);
      this.#deliveries.remove(message, [delivery]);
      if (this.#superseding.hasTaken(message)) return;
      if (pending.length > 0) {
        this.#deliveries.defer(delivery, pending);
        this.#patience.check(message);
      }
      this.#endings.finishOrSave(message);
    });
  }

  /** Called by a queue whose next hop was found unreachable just now: with many messages these need no memory. */
  stranded(deliveries: readonly Delivery[]): void {
    if (!this.parking.isCrowded) return;
    for (const { message } of deliveries) this.#endings.finishOrSave(message);
  }

  // ---- step 11: the end ----

  /** Delay notices and expiry of everything that waits: called every minute. */
  sweep(): void {
    const now = this.#parts.ages.now();
    for (const message of this.messages.values()) this.#patience.check(message, now);
    this.#superseding.sweep();
    this.parking.wakeAged(this.#patience.isDueAt(now));
  }

  /** Ends every pending recipient without a report. */
  discard(message: QueuedMessage, reason: string): void {
    this.#endings.discard(message, reason);
  }

  // ---- from an earlier run, or from where it was parked: on with step 3 or 7 ----

  /** Of a copy that an earlier run made: the message that it was split from is split anew. */
  forget(id: string): void {
    this.#parts.store.remove(id);
  }

  /** Takes up what an earlier run of the service left unfinished. */
  resume(recovered: RecoveredMessage): void {
    // A start takes up messagesInMemory of them in one turn.
    this.parking.takeUp(this.#revive(recovered, true, "uncounted"));
  }

  #revive(recovered: RecoveredMessage, isNew: boolean, notices?: "uncounted"): QueuedMessage {
    const { clock, steps, storeSinks, settings } = this.#parts;
    const message = reviveMessage(recovered, clock.now(), this.#retry);
    const { server } = message.origin;
    if (isNew && settings.isOthers?.(server) === true) message.held = heldForServer(server);
    if (isNew && recovered.state === undefined) steps.resumed(message);
    if (isNew) storeSinks?.tell("enumerated", message, notices);
    this.messages.set(message.id, message);
    if (isNew && message.phase === "delivery") this.#superseding.waits(message);
    return message;
  }

  #goOn(message: QueuedMessage): void {
    if (message.phase === "submission") {
      this.#begin(message);
      return;
    }
    this.#deliveries.route(message, NO_DELIVERIES, true);
  }

  // ---- for people ----

  /** Messages that sinks work on, or that wait for their turn. */
  get inSubmission(): number {
    return this.#turns.size;
  }

  deliveriesOf(message: QueuedMessage): readonly Delivery[] {
    return this.#deliveries.of(message);
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
    this.#deliveries.reroute(message);
  }

  save(message: QueuedMessage): void {
    this.#states.save(message);
  }

  /** No new work; what is in hand may finish. */
  stop(): void {
    this.parking.stop();
    this.#turns.stop();
  }

  /** Resolves when no sink works on a message any more and no report is being written. */
  async settled(): Promise<void> {
    await this.#turns.settled();
    await this.#writes.settled();
  }
}
