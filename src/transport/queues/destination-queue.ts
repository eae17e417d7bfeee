// Step 8: one queue per next hop. First in, first out by priority; a next hop that cannot be reached is left alone for its retry interval.
import { TurnoverMap } from "../../core/turnover-map.ts";
import type { Clock } from "../../core/clock.ts";
import { type Reply, reply } from "../../core/reply.ts";
import { describeError } from "../../core/errors.ts";
import type { LinkState } from "../../events/contexts/router-contexts.ts";
import type { Content } from "../../message/content.ts";
import type { CutOff } from "../../smtp/client/cut-off.ts";
import { CLOSED, type DeliveryOutcome, type OutboundMessage } from "../../smtp/client/destination.ts";
import { Alarm } from "../alarm.ts";
import { type ParkedQueue, SOON_MS } from "./parked-messages.ts";
import { type QueuedMessage, type RecipientRecord, isDeferred } from "../queued-message.ts";
import { ReadyDeliveries } from "./ready-deliveries.ts";

/** The recipients of one message that go to one next hop. */
export interface Delivery {
  readonly message: QueuedMessage;
  readonly records: readonly RecipientRecord[];
  readonly queue: DestinationQueue;
  attempts: number;
  /** ms since the epoch; undefined: as soon as the next hop takes it. */
  nextAttempt: number | undefined;
  /** `active` until the attempt is recorded and reported; `removed`: of no queue any more. */
  state: "ready" | "active" | "deferred" | "held" | "removed";
  /** Its courier was replaced or closed before the next hop could answer: that is no attempt, and no reason to wait. */
  isBrokenOff?: boolean;
}

/** Takes a message to a next hop: an outbound destination, or the local store driver. */
export interface Courier {
  /** How many more deliveries may start now. */
  readonly capacity: number;
  deliver(message: OutboundMessage): Promise<DeliveryOutcome>;
  close(): Promise<void>;
}

/** What the queue tells about a delivery when its attempt is over. */
export type AttemptResult =
  | {
      readonly kind: "replies";
      readonly replies: readonly Reply[];
      readonly remote: string;
      /** The next hop took over the DSN parameters. */
      readonly dsn: boolean;
    }
  | { readonly kind: "unreachable"; readonly reply: Reply; readonly remote: string };

/** An attempt that did not reach the next hop. */
export interface LinkFailure {
  readonly reply: Reply;
  readonly remote: string;
  /** ms since the epoch */
  readonly time: number;
}

export interface DestinationQueueParts {
  readonly key: string;
  /** The mail stays on this machine: there is no next hop whose first answer has to be awaited. */
  readonly isLocal?: boolean | undefined;
  readonly courier: Courier;
  readonly clock: Clock;
  /** The content, from memory or from the store. */
  readonly load: (message: QueuedMessage) => Content | Promise<Content>;
  /** Called before the next hop gets the message. */
  readonly started?: ((delivery: Delivery) => void) | undefined;
  /** Called after each attempt; the queue has let go of the delivery. */
  readonly attempted: (delivery: Delivery, result: AttemptResult) => void;
  /** Called when the next hop became unreachable, failed once more, or answers again. */
  readonly linkChanged?: ((state: Omit<LinkState, "nextHop" | "flags">) => void) | undefined;
  readonly cutOff: CutOff;
  /** How long an unreachable next hop is left alone, after so many failures in a row. */
  readonly retryDelayMs: (failures: number) => number;
  /** Absent: all is in memory. */
  readonly outside?: OutsideMemory | undefined;
  /** The next hop is tried again before its time had come. */
  readonly freed?: (() => void) | undefined;
  /** These wait for a next hop that was found unreachable just now. */
  readonly stranded?: ((deliveries: readonly Delivery[]) => void) | undefined;
}

/** What waits for the next hop and is not in memory. */
export interface OutsideMemory {
  readonly parked: ParkedQueue;
  /** Brings up to `wanted` of them to this queue; answers how many come, and calls `arrived` for each. */
  fetch(wanted: number, arrived: () => void): number;
}

/** Ready deliveries to keep in memory for a next hop that answers; those behind them can be parked. */
const ENOUGH_READY = 100;
/** Messages that a next hop gets before it has answered for the first time. */
const FIRST_ATTEMPTS = 5;
/** Stranded deliveries told at a time: each may mean a write. */
const MOST_STRANDED = 100;

const wasBrokenOff = (outcome: DeliveryOutcome): boolean =>
  outcome.kind === "unreachable" || outcome.report.replies.includes(CLOSED);

export class DestinationQueue {
  readonly key: string;
  readonly #parts: DestinationQueueParts;
  readonly #ready = new ReadyDeliveries();
  readonly #deferred = new Set<Delivery>();
  readonly #held = new Set<Delivery>();
  readonly #active = new TurnoverMap<Delivery, true>();
  #courier: Courier;
  /** Under way by couriers that were here before: they count against what the next hop takes. */
  readonly #former = new Set<Delivery>();
  #failures = 0;
  /** Why the next hop is left alone. */
  lastFailure: LinkFailure | undefined;
  #blockedUntil = 0;
  #stopped = false;
  #frozen = false;
  #hasAnswered: boolean;
  /** Parked messages of this queue on their way back to memory. */
  #arriving = 0;
  readonly #alarm: Alarm;

  constructor(parts: DestinationQueueParts) {
    this.key = parts.key;
    this.#parts = parts;
    this.#courier = parts.courier;
    this.#hasAnswered = parts.isLocal === true;
    this.#alarm = new Alarm(parts.clock, () => this.#wake());
  }

  /** How many deliveries are in which state. */
  get depth(): Record<"active" | "ready" | "deferred" | "held", number> {
    const parked = this.#parts.outside?.parked;
    return {
      active: this.#active.size,
      ready: this.#ready.size + this.#arriving + (parked?.readyCount ?? 0),
      deferred: this.#deferred.size + (parked?.laterCount ?? 0),
      held: this.#held.size + (parked?.held.count ?? 0),
    };
  }

  get isEmpty(): boolean {
    const { active, ready, deferred, held } = this.depth;
    return active + ready + deferred + held === 0;
  }

  /** When an unreachable next hop is tried again; 0 when it is not blocked. */
  get blockedUntil(): number {
    const until = this.#blockedUntil;
    return until > 0 && until > this.#parts.clock.now() ? until : 0;
  }

  /** Nothing of it is attempted now, whatever is waiting. */
  get isLeftAlone(): boolean {
    return this.#frozen || this.blockedUntil > 0;
  }

  add(delivery: Delivery): void {
    if (delivery.message.held !== undefined) {
      delivery.state = "held";
      this.#held.add(delivery);
    } else if (delivery.nextAttempt !== undefined && delivery.nextAttempt > this.#parts.clock.now()) {
      delivery.state = "deferred";
      this.#deferred.add(delivery);
      this.#alarm.atLatest(delivery.nextAttempt);
    } else {
      this.#makeReady(delivery);
      this.pump();
    }
  }

  #makeReady(delivery: Delivery): void {
    delivery.state = "ready";
    this.#ready.push(delivery);
  }

  /** Takes a waiting delivery out; false when its attempt is under way, or not recorded yet. */
  remove(delivery: Delivery): boolean {
    if (delivery.state === "active") return false;
    this.#deferred.delete(delivery);
    this.#held.delete(delivery);
    const wasReady = delivery.state === "ready";
    delivery.state = "removed";
    if (wasReady) this.#ready.removed(delivery);
    return true;
  }

  /** Further attempts go through another courier; it starts with unblock() or pump(). */
  useCourier(courier: Courier): void {
    for (const delivery of this.#active.keys()) this.#former.add(delivery);
    this.#courier = courier;
  }

  /** The next hop has not answered since it was found unreachable. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  forgetFailures(): void {
    this.#failures = 0;
  }

  /** Tries the next hop now, whatever its retry interval says. */
  unblock(): void {
    this.#blockedUntil = 0;
    this.#parts.freed?.();
    this.#wake();
  }

  /** Leaves the next hop alone until then, as if it had been found unreachable. */
  block(until: number): void {
    this.#blockedUntil = until;
    this.#alarm.atLatest(until);
  }

  /** No new attempts. */
  stop(): void {
    this.#stopped = true;
    this.#alarm.cancel();
  }

  /** No attempts until it is thawed; what is under way goes on. */
  freeze(): void {
    this.#frozen = true;
  }

  /** All that neither people hold nor sinks defer, now. */
  force(): number {
    const now = this.#parts.clock.now();
    for (const delivery of this.#deferred) {
      if (isDeferred(delivery.message, now)) continue;
      this.#deferred.delete(delivery);
      delivery.nextAttempt = undefined;
      this.#makeReady(delivery);
    }
    const waiting = this.#ready.size;
    this.unblock();
    return waiting;
  }

  thaw(): void {
    this.#frozen = false;
    this.#parts.freed?.();
    this.pump();
  }

  get isFrozen(): boolean {
    return this.#frozen;
  }

  /** Whether it is some time until the delivery is attempted. `isTight`: those behind others that are attempted first count too. */
  isResting({ state, nextAttempt }: Delivery, isTight: boolean): boolean {
    if (state === "held") return true;
    if (state === "deferred") return (nextAttempt ?? 0) > this.#parts.clock.now() + SOON_MS;
    return state === "ready" && this.#isFarBack(this.#ready.size - 1, isTight);
  }

  /** The same of one that is not here yet, if it came. */
  wouldRest(nextAttempt: number | undefined, isTight: boolean): boolean {
    if (nextAttempt !== undefined && nextAttempt > this.#parts.clock.now())
      return nextAttempt > this.#parts.clock.now() + SOON_MS;
    return this.#isFarBack(this.#ready.size, isTight);
  }

  #isFarBack(before: number, isTight: boolean): boolean {
    if (this.isLeftAlone) return true;
    if (this.#mostActive() < Number.POSITIVE_INFINITY) return before >= this.#mostActive();
    return isTight && before >= ENOUGH_READY;
  }

  /** Gives the next hop what it takes now. */
  pump(): void {
    if (this.#stopped || this.#frozen || this.blockedUntil > 0) return;
    const most = this.#mostActive();
    const former = this.#parts.isLocal === true ? 0 : this.#former.size;
    while (this.#ready.size > 0 && this.#active.size < most && this.#courier.capacity > former) {
      const delivery = this.#ready.take();
      if (delivery !== undefined) this.#attempt(delivery);
    }
    const { outside } = this.#parts;
    if (outside !== undefined && outside.parked.readyCount > 0) this.#fetch(outside);
  }

  /** One that has failed is tried with one message, one that has never answered with a few: the others of a dead next hop need no attempt. */
  #mostActive(): number {
    if (this.#failures > 0) return 1;
    return this.#hasAnswered ? Number.POSITIVE_INFINITY : FIRST_ATTEMPTS;
  }

  /** As many as keep the next hop busy; of one that has failed, one to try it with. */
  #fetch(outside: OutsideMemory): void {
    const enough = Math.min(this.#mostActive(), ENOUGH_READY / 2);
    const wanted = enough - this.#ready.size - this.#arriving;
    if (wanted <= 0 || this.#active.size >= this.#mostActive()) return;
    this.#arriving += outside.fetch(wanted, () => {
      this.#arriving -= 1;
      this.pump();
    });
  }

  #attempt(delivery: Delivery): void {
    delivery.state = "active";
    this.#active.set(delivery, true);
    const content = this.#parts.load(delivery.message);
    const outcome =
      content instanceof Promise
        ? content.then((loaded) => this.#send(delivery, loaded))
        : this.#send(delivery, content);
    outcome.then(
      (result) => this.#finish(delivery, result),
      (thrown: unknown) => this.#notSent(delivery, describeError(thrown)),
    );
  }

  #send(delivery: Delivery, content: Content): Promise<DeliveryOutcome> {
    this.#parts.started?.(delivery);
    const { id, envelope, crlfOnly, origin, properties } = delivery.message;
    const { sender } = envelope;
    const recipients = delivery.records.map((record) => record.recipient);
    return this.#courier.deliver({ id, sender, recipients, envelope, content, crlfOnly, origin, properties });
  }

  #finish(delivery: Delivery, outcome: DeliveryOutcome): void {
    // Who was not reached then was cut off. What was answered is not sent again by the next run, as long as the store hears it.
    if (this.#parts.cutOff.isOver && outcome.kind === "unreachable") return;
    const isFormer = this.#former.has(delivery);
    if (isFormer || this.#stopped) delivery.isBrokenOff = wasBrokenOff(outcome);
    this.#letGo(delivery);
    if (outcome.kind === "report") {
      this.#hasAnswered = true;
      if (this.#failures > 0) this.#answersAgain();
      this.#parts.attempted(delivery, { kind: "replies", ...outcome.report });
    } else {
      const { reply: said, remote, transient } = outcome;
      // What a former courier met with says nothing of the way there is now.
      if (!isFormer) this.lastFailure = { reply: said, remote, time: this.#parts.clock.now() };
      this.#backOff(transient && !isFormer);
      this.#parts.attempted(delivery, { kind: "unreachable", reply: said, remote });
    }
    this.pump();
  }

  /** The next hop was not asked: the content could not be read, say. That is no reason to leave the next hop alone. */
  #notSent(delivery: Delivery, reason: string): void {
    if (this.#parts.cutOff.isOver) return;
    this.#letGo(delivery);
    this.#parts.attempted(delivery, {
      kind: "unreachable",
      reply: reply(451, "3.0", reason),
      remote: "",
    });
    this.pump();
  }

  #letGo(delivery: Delivery): void {
    this.#active.delete(delivery);
    this.#former.delete(delivery);
    if (delivery.isBrokenOff !== true) delivery.attempts += 1;
  }

  #answersAgain(): void {
    this.#failures = 0;
    this.#parts.linkChanged?.({ isUp: true, failures: 0, nextAttempt: undefined });
  }

  /** Many deliveries may fail on one outage: it counts once. */
  #backOff(transient: boolean): void {
    if (!transient || this.blockedUntil > 0) return;
    this.#failures += 1;
    this.#blockedUntil = this.#parts.clock.now() + this.#parts.retryDelayMs(this.#failures);
    this.#alarm.atLatest(this.#blockedUntil);
    this.#parts.linkChanged?.({
      isUp: false,
      failures: this.#failures,
      nextAttempt: this.#blockedUntil,
    });
    if (this.#ready.size > 0) this.#parts.stranded?.(this.#ready.first(MOST_STRANDED));
  }

  #wake(): void {
    if (this.#stopped) return;
    const now = this.#parts.clock.now();
    if (this.#blockedUntil > now) this.#alarm.atLatest(this.#blockedUntil);
    for (const delivery of this.#deferred) {
      const due = delivery.nextAttempt ?? 0;
      if (due > now) {
        this.#alarm.atLatest(due);
        continue;
      }
      this.#deferred.delete(delivery);
      this.#makeReady(delivery);
    }
    this.pump();
  }
}
