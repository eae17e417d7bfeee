// The life of a message, steps 2 to 11 of ARCHITECTURE.md, top to bottom. Each step's own file says how; this one says what follows what.
// A message is durable before its client hears 250; from then on it ends in exactly one recorded state per recipient.
import { TurnoverMap } from "../core/turnover-map.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import type { Content } from "../message/content.ts";
import type { RecoveredMessage } from "../store/store-driver.ts";
import { logAttempt } from "./attempt-log.ts";
import { Conclusions } from "./categorizer/conclusions.ts";
import { Deliveries, NO_DELIVERIES } from "./deliveries.ts";
import type { AttemptResult, Delivery } from "./destination-queue.ts";
import { Endings } from "./endings.ts";
import { settleMarked } from "./marked-recipients.ts";
import { MessageStates } from "./message-states.ts";
import type { PipelineParts } from "./parts.ts";
import { Parking } from "./parking.ts";
import { Patience } from "./patience.ts";
import { PendingWrites } from "./pending-writes.ts";
import { type QueuedMessage, createQueuedMessage, priorityOf } from "./queued-message.ts";
import { heldForServer, reviveMessage } from "./revived-message.ts";
import { Postponement } from "./postponement.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type Router, isFinalDelivery } from "./router.ts";
import { settle } from "./settlement.ts";
import { Superseding } from "./superseding.ts";
import { type StageVerdict, SubmissionTurns } from "./submission-turns.ts";

export class Pipeline<Script> {
  readonly #parts: PipelineParts<Script>;
  /** The messages that are in memory; with few in the store, all of them. */
  readonly messages = new TurnoverMap<string, QueuedMessage>();
  readonly parking: Parking;
  readonly #states: MessageStates;
  readonly #writes: PendingWrites;
  readonly #turns: SubmissionTurns<Script>;
  readonly #deliveries: Deliveries;
  readonly #endings: Endings;
  readonly #patience: Patience;
  readonly #postponement: Postponement;
  readonly #superseding = new Superseding({
    messages: this.messages,
    isInHand: (message) => this.isInHand(message),
    wake: (ids, before) => this.parking.bringAll(ids, before),
    discard: (message, reason) => this.discard(message, reason),
    log: () => this.#parts.log,
  });
  readonly #conclusions: Conclusions;
  #retry: RetryPolicy;

  constructor(parts: PipelineParts<Script>) {
    const { waiting, queues, reports, badmail, steps, clock, log } = parts;
    const { messages } = this;
    this.#parts = parts;
    this.#retry = parts.retry;
    this.parking = this.#createParking(parts);
    const states = this.#createStates(parts);
    const writes = new PendingWrites(log);
    this.#states = states;
    this.#writes = writes;
    this.#turns = new SubmissionTurns({
      ...parts,
      states,
      maxSubmissions: parts.settings.maxSubmissions,
      mayRun: (message) =>
        message.phase === "submission" &&
        messages.get(message.id) === message &&
        !waiting.has(message) &&
        !writes.has(message),
      keepBack: (message) => this.#postponement.keepBack(message),
      decided: (message, verdict) => this.#submitted(message, verdict),
      begin: (fork) => this.#submit(fork),
    });
    this.#endings = new Endings({
      messages,
      deliveries: () => this.#deliveries,
      ended: (message) => {
        this.#superseding.ended(message);
        parts.storeSinks?.tell("deleted", message);
      },
      waiting,
      states,
      writes,
      reports,
      badmail,
      steps,
      log,
      postpone: (message, text) => this.#postponement.postpone(message, { by: "sink", text }, true),
    });
    this.#deliveries = new Deliveries({
      router: parts.router,
      routerSinks: parts.routerSinks,
      queues,
      states,
      writes,
      clock,
      retryDelayMs: (attempts) => this.#retry.delayMs(attempts),
      isLive: (message) => messages.get(message.id) === message,
      placed: (message) => this.#endings.finishOrSave(message),
    });
    this.#patience = this.#createPatience(parts);
    this.#postponement = this.#createPostponement(parts);
    this.#conclusions = this.#createConclusions(parts);
  }

  #createStates({ steps, ...parts }: PipelineParts<Script>): MessageStates {
    return new MessageStates({
      ...parts,
      whenKept: (go) => steps.whenKept(go),
      saved: (message) => this.parking.saved(message),
    });
  }

  #createParking({ store, waiting, queues, settings, clock, log }: PipelineParts<Script>): Parking {
    return new Parking({
      store,
      maxInMemory: settings.maxInMemory,
      messages: this.messages,
      revive: (recovered, isNew) => this.#revive(recovered, isNew),
      goOn: (message) => this.#goOn(message),
      check: (message) => this.#patience.check(message),
      resting: (message, isTight) => {
        if (this.#writes.has(message) || this.#states.isUntold(message)) return undefined;
        if (message.phase === "delivery") return this.#deliveries.resting(message, isTight);
        return waiting.resting(message);
      },
      wouldRest: (message, isTight) => this.#deliveries.wouldRest(message, isTight),
      forget: (id) => this.forget(id),
      letGo: (message) => {
        this.messages.delete(message.id);
        this.#deliveries.end(message);
        waiting.remove(message);
        this.#states.release(message);
      },
      pump: (key) => queues.pump(key),
      inSubmission: () => this.inSubmission,
      clock,
      log,
    });
  }

  #createPatience(parts: PipelineParts<Script>): Patience {
    return new Patience({
      ...parts,
      deliveries: this.#deliveries,
      endings: this.#endings,
      writes: this.#writes,
      retry: () => this.#retry,
      clock: parts.ages,
    });
  }

  #createPostponement(parts: PipelineParts<Script>): Postponement {
    return new Postponement({
      ...parts,
      states: this.#states,
      retryDelayMs: (attempts) => this.#retry.delayMs(attempts),
      check: (message) => this.#patience.check(message),
    });
  }

  #createConclusions(parts: PipelineParts<Script>): Conclusions {
    return new Conclusions({
      ...parts,
      states: this.#states,
      writes: this.#writes,
      begin: (copy) => this.#beginCopy(copy),
      passed: (message) => this.#passed(message, false, true),
      over: (message) => this.#endings.over(message),
      postpone: (message, text) => this.#postponement.postpone(message, { by: "sink", text }, false),
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
    this.#submit(createQueuedMessage(id, origin, envelope, content));
  }

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

  /** A message that is new, and durable. */
  #submit(message: QueuedMessage): void {
    this.#parts.steps.submitted(message);
    this.#parts.storeSinks?.tell("written", message);
    this.#begin(message);
  }

  #begin(message: QueuedMessage): void {
    this.messages.set(message.id, message);
    if (message.held !== undefined || (message.nextAttempt ?? 0) > this.#parts.clock.now())
      this.#parts.waiting.add(message);
    else this.submit(message);
  }

  /** What the categorizer split off has met the sinks before it. */
  #beginCopy(copy: QueuedMessage): void {
    this.#parts.storeSinks?.tell("written", copy);
    this.messages.set(copy.id, copy);
    this.#passed(copy, false, true);
  }

  // ---- steps 3 to 6: the sinks of submission, before and after categorization, and the categorizer ----

  submit(message: QueuedMessage): void {
    this.#turns.submit(message);
  }

  /** Status check after the sinks (REFERENCE 4.2.3). */
  #submitted(message: QueuedMessage, verdict: StageVerdict): void {
    switch (verdict.kind) {
      case "submitted":
        this.#passed(message, verdict.forked, verdict.isCategorized);
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
        this.#postponement.postpone(message, verdict.reason, verdict.kind === "hold");
        break;
      case "abandoned":
        this.#postponement.abandon(message, verdict.reason);
        break;
    }
  }

  /** On to the sinks of the next event that has any, with what these left: a message that one of them holds comes back to that event. */
  #passed(message: QueuedMessage, forked: boolean, isCategorized = false): void {
    message.held = undefined;
    message.attempts = 0;
    message.nextAttempt = undefined;
    message.triedBefore = undefined;
    const next = this.#parts.submission.nextStage(isCategorized ? "OnCategorize" : message.stage);
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
    message.priority = priorityOf(message);
    this.#superseding.waits(message);
    message.recipients = message.envelope.recipients.map((recipient) => ({ recipient, state: "pending" }));
    if (forked) this.#states.save(message);
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
    this.#parts.categorizer.close();
    await this.#writes.settled();
  }
}
