// Steps 7 and 8: which recipients of a message go where, and wait in which queue.
import { TurnoverMap } from "../core/turnover-map.ts";
import type { Recipient } from "../core/envelope.ts";
import type { Clock } from "../core/clock.ts";
import { type Reply, isPermanent } from "../core/reply.ts";
import type { Delivery, DestinationQueue } from "./queues/destination-queue.ts";
import type { MessageStates } from "./message-states.ts";
import type { Queues } from "./parts.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { QueuedMessage, RecipientRecord } from "./queued-message.ts";
import { type RouteGroup, type Router, groupByRoute, groupRecords, isUnreachable } from "./routing/router.ts";
import type { ChosenRoutes, RouterSinks } from "./routing/router-sinks.ts";

export const NO_DELIVERIES: readonly Delivery[] = [];

/** Where a message waits, so that it need not stay in memory meanwhile. */
export interface RestingPlace {
  /** Key of the queue. */
  readonly queue: string;
  readonly nextAttempt: number | undefined;
}

/** Key under which messages for several next hops are parked: no next hop has this name. */
export const SEVERAL = "several next hops";
/** How often a message for several next hops is looked at while one of their queues is frozen. */
const LOOK_AGAIN_MS = 60_000;

export interface DeliveriesParts {
  readonly router: Router;
  /** Absent: the settings alone decide. */
  readonly routerSinks?: RouterSinks | undefined;
  readonly queues: Queues;
  readonly states: MessageStates;
  readonly writes: PendingWrites;
  readonly clock: Clock;
  readonly retryDelayMs: (attempts: number) => number;
  readonly isLive: (message: QueuedMessage) => boolean;
  /** Called when the message is in its queues: it has ended, when no recipient waits any more, or has to be saved. */
  readonly placed: (message: QueuedMessage) => void;
}

export class Deliveries {
  readonly #parts: DeliveriesParts;
  readonly #of = new TurnoverMap<QueuedMessage, readonly Delivery[]>();
  /** Messages whose router sinks have not answered yet, with what is to happen then. */
  readonly #choosing = new Map<QueuedMessage, ((routes: ChosenRoutes) => void)[]>();
  #router: Router;

  constructor(parts: DeliveriesParts) {
    this.#parts = parts;
    this.#router = parts.router;
  }

  of(message: QueuedMessage): readonly Delivery[] {
    return this.#of.get(message) ?? NO_DELIVERIES;
  }

  /** Of a message that is not attempted soon; nothing is written for it. `isTight`: see DestinationQueue.isResting. */
  resting(message: QueuedMessage, isTight: boolean): RestingPlace | undefined {
    if (this.#parts.writes.has(message)) return undefined;
    const deliveries = this.of(message);
    const [delivery, another] = deliveries;
    if (another !== undefined) return this.#restingForSeveral(message, deliveries);
    if (delivery?.queue.isResting(delivery, isTight) !== true) return undefined;
    return { queue: delivery.queue.key, nextAttempt: delivery.nextAttempt };
  }

  /** None of its queues brings it back: each may have parked others before it. So it comes when one of them may take it. */
  #restingForSeveral(message: QueuedMessage, deliveries: readonly Delivery[]): RestingPlace | undefined {
    if (message.held !== undefined) return { queue: SEVERAL, nextAttempt: undefined };
    const now = this.#parts.clock.now();
    let nextAttempt = now + LOOK_AGAIN_MS;
    if (deliveries.every(({ queue, state }) => state === "deferred" || queue.blockedUntil > 0))
      nextAttempt = Math.min(
        ...deliveries.map((delivery) => Math.max(delivery.nextAttempt ?? 0, delivery.queue.blockedUntil)),
      );
    const rests = deliveries.every(
      (delivery) =>
        delivery.queue.isResting(delivery, false) &&
        (delivery.state === "deferred" || delivery.queue.isLeftAlone),
    );
    return rests && nextAttempt > now ? { queue: SEVERAL, nextAttempt } : undefined;
  }

  /** The same of a message that is in no queue yet. Undefined too where only its routing could tell. */
  wouldRest(message: QueuedMessage, isTight: boolean): RestingPlace | undefined {
    if (this.#parts.routerSinks?.isEmpty === false) return undefined;
    const [group, another] = this.#grouped(message, message.recipients, undefined);
    if (group === undefined || another !== undefined || group.route.kind === "unreachable") return undefined;
    const queue = this.#parts.queues.of(group.route);
    const nextAttempt = later(dueOf(message, group.records), message.notBefore);
    const rests = message.held !== undefined || queue.wouldRest(nextAttempt, isTight);
    return rests ? { queue: queue.key, nextAttempt } : undefined;
  }

  /** Queues the recipients that wait; those in one of the deliveries that `stay` do already. `isStored`: the store has it as it is. */
  route(message: QueuedMessage, stay: readonly Delivery[] = NO_DELIVERIES, isStored = false): void {
    this.#of.set(message, stay);
    const routes = this.#routesOf(message);
    if (Array.isArray(routes)) routes.push((chosen) => this.#routeBy(message, chosen, isStored));
    else this.#routeBy(message, routes, isStored);
  }

  #routeBy(message: QueuedMessage, routes: ChosenRoutes | undefined, isStored: boolean): void {
    const stay = this.of(message);
    const groups = this.#grouped(message, this.#unplaced(message, message.recipients), routes);
    if (groups.length === 0 && stay.length === 0) {
      this.#parts.placed(message);
      return;
    }
    // With several next hops some may be done when the service dies: the state tells which.
    if (groups.length > 1 && !isStored) this.#parts.states.save(message);
    const added: Delivery[] = [];
    for (const { route, records } of groups) {
      const { attempts } = message;
      const queue = this.#parts.queues.of(route);
      const nextAttempt =
        route.kind === "unreachable"
          ? this.#refused(route.reply, records, attempts + 1)
          : later(dueOf(message, records), message.notBefore);
      added.push({ message, records, queue, attempts, nextAttempt, state: "ready" });
    }
    this.#of.set(message, stay.length === 0 ? added : [...stay, ...added]);
    this.#parts.states.limit(message);
    for (const delivery of added) delivery.queue.add(delivery);
  }

  /** After an attempt: the routes may have changed since the delivery was queued, and its queue may be gone. */
  defer(delivery: Delivery, pending: readonly RecipientRecord[]): void {
    const { message, attempts } = delivery;
    message.attempts = Math.max(message.attempts, attempts);
    const routes = this.#routesOf(message);
    if (!Array.isArray(routes)) {
      this.#deferBy(delivery, pending, routes);
      return;
    }
    routes.push((chosen) => {
      this.#deferBy(delivery, pending, chosen);
      this.#parts.placed(message);
    });
  }

  #deferBy(
    { message, attempts, queue: from, isBrokenOff }: Delivery,
    pending: readonly RecipientRecord[],
    routes: ChosenRoutes | undefined,
  ): void {
    const again: Delivery[] = [];
    const groups = this.#grouped(message, this.#unplaced(message, pending), routes);
    for (const { route, records } of groups) {
      const queue = this.#parts.queues.of(route);
      let nextAttempt = this.#nextAttempt(queue, attempts);
      if (route.kind === "unreachable") nextAttempt = this.#refused(route.reply, records, attempts);
      // It waited because there was no way, or its way was replaced: now there is one.
      else if (isUnreachable(from.key) || isBrokenOff === true) nextAttempt = undefined;
      const isOneOfSeveral = groups.length > 1 || this.of(message).length > 0;
      for (const record of records) record.nextAttempt = isOneOfSeveral ? nextAttempt : undefined;
      again.push({ message, records, queue, attempts, nextAttempt, state: "deferred" });
    }
    this.#of.set(message, [...this.of(message), ...again]);
    for (const delivery of again) delivery.queue.add(delivery);
  }

  /** An unreachable next hop is left alone by its queue as a whole; a refused recipient waits by itself. */
  #nextAttempt(queue: DestinationQueue, attempts: number): number | undefined {
    if (queue.blockedUntil > 0) return undefined;
    return this.#parts.clock.now() + this.#parts.retryDelayMs(attempts);
  }

  /** The reply of a router. With 4xx the recipients wait in its queue for their retry; with 5xx they fail at once. */
  #refused(said: Reply, records: readonly RecipientRecord[], attempts: number): number | undefined {
    if (isPermanent(said)) return undefined;
    for (const record of records) {
      record.lastReply = said;
      record.remote = undefined;
    }
    return this.#parts.clock.now() + this.#parts.retryDelayMs(attempts);
  }

  #unplaced(message: QueuedMessage, records: readonly RecipientRecord[]): readonly RecipientRecord[] {
    const deliveries = this.of(message);
    if (deliveries.length === 0) return records;
    const placed = new Set(deliveries.flatMap((delivery) => delivery.records));
    return records.filter((record) => !placed.has(record));
  }

  #grouped(
    message: QueuedMessage,
    records: readonly RecipientRecord[],
    routes: ChosenRoutes | undefined,
  ): RouteGroup[] {
    if (routes === undefined) return groupByRoute(this.#router, records, message.envelope.nextHop);
    return groupRecords(records, (recipient: Recipient) => routes(recipient));
  }

  /** The routes that sinks chose, undefined without sinks, or the list of those who wait for the sinks' answer. */
  #routesOf(message: QueuedMessage): ChosenRoutes | undefined | ((routes: ChosenRoutes) => void)[] {
    const { routerSinks } = this.#parts;
    if (routerSinks === undefined) return undefined;
    const known = this.#choosing.get(message);
    if (known !== undefined) return known;
    const chosen = routerSinks.choose(message, () => this.#router);
    if (!(chosen instanceof Promise)) return chosen;
    const waiting: ((routes: ChosenRoutes) => void)[] = [];
    this.#choosing.set(message, waiting);
    let found: ChosenRoutes | undefined;
    const choose = async (): Promise<void> => {
      found = await chosen;
    };
    this.#parts.writes.track(message, choose(), () => {
      this.#choosing.delete(message);
      if (found === undefined || !this.#parts.isLive(message)) return;
      for (const go of waiting) go(found);
    });
    return waiting;
  }

  remove(message: QueuedMessage, over: readonly Delivery[]): void {
    const deliveries = this.of(message);
    const others =
      over.length === deliveries.length
        ? NO_DELIVERIES
        : deliveries.filter((delivery) => !over.includes(delivery));
    this.#of.set(message, others);
  }

  /** Takes the deliveries that wait out of their queues and answers them. */
  takeWaiting(message: QueuedMessage): readonly Delivery[] {
    const waiting = this.of(message).filter((delivery) => delivery.queue.remove(delivery));
    if (waiting.length > 0) this.remove(message, waiting);
    return waiting;
  }

  /** The message is finished. */
  end(message: QueuedMessage): void {
    for (const delivery of this.of(message)) delivery.queue.remove(delivery);
    this.#of.delete(message);
    this.#parts.routerSinks?.ended(message);
  }

  /** Routes what waits anew. */
  reroute(message: QueuedMessage): void {
    this.takeWaiting(message);
    this.route(message, this.of(message));
  }

  rerouteAll(router: Router = this.#router): void {
    this.#router = router;
    for (const message of this.#of.keys()) this.reroute(message);
  }

  nextAttempt(message: QueuedMessage): number | undefined {
    return earliestAttempt(this.of(message));
  }
}

/** When the first of them is due; undefined when one waits for nothing but its next hop. */
function earliestAttempt(deliveries: readonly Delivery[]): number | undefined {
  const due = Math.min(...deliveries.map(({ nextAttempt }) => nextAttempt ?? 0));
  return due > 0 && due < Infinity ? due : undefined;
}

/** Of the recipients that go to one next hop. */
function dueOf({ nextAttempt }: QueuedMessage, records: readonly RecipientRecord[]): number | undefined {
  const own = Math.min(...records.map((record) => record.nextAttempt ?? 0));
  return own > 0 ? own : nextAttempt;
}

/** The later of two times that may be missing. */
function later(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.max(one, other);
}
