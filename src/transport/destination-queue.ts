// Step 8: one queue per next hop. First in, first out; a next hop that cannot be reached is left alone for its retry interval.
import type { Clock } from "../core/clock.ts";
import { type Reply, reply } from "../core/reply.ts";
import { describeError } from "../core/errors.ts";
import type { LinkState } from "../events/router-contexts.ts";
import type { Content } from "../message/content.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import { Alarm } from "./alarm.ts";
import type { QueuedMessage, RecipientRecord } from "./queued-message.ts";

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
}

/** When the first of them is due; undefined when one waits for nothing but its next hop. */
export function earliestAttempt(deliveries: readonly Delivery[]): number | undefined {
  const due = Math.min(...deliveries.map(({ nextAttempt }) => nextAttempt ?? 0));
  return due > 0 && due < Infinity ? due : undefined;
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

export interface DestinationQueueParts {
  readonly key: string;
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
  /** How long an unreachable next hop is left alone, after so many failures in a row. */
  readonly retryDelayMs: (failures: number) => number;
}

/** Length of the used-up start of the array of ready deliveries at which it is cut off. */
const CUT_LENGTH = 10_000;

export class DestinationQueue {
  readonly key: string;
  readonly #parts: DestinationQueueParts;
  /** In order; those that were removed stay in their places, because taking them out of many thousands is slow. */
  #ready: Delivery[] = [];
  /** Index of the first delivery of #ready that was not taken yet. */
  #head = 0;
  /** Deliveries of #ready that wait. */
  #readyCount = 0;
  readonly #deferred = new Set<Delivery>();
  readonly #held = new Set<Delivery>();
  readonly #active = new Set<Delivery>();
  #courier: Courier;
  #failures = 0;
  /** Why the next hop is left alone. */
  lastFailure: Reply | undefined;
  #blockedUntil = 0;
  #stopped = false;
  readonly #alarm: Alarm;

  constructor(parts: DestinationQueueParts) {
    this.key = parts.key;
    this.#parts = parts;
    this.#courier = parts.courier;
    this.#alarm = new Alarm(parts.clock, () => this.#wake());
  }

  get activeCount(): number {
    return this.#active.size;
  }

  /** How many deliveries are in which state. */
  get depth(): Record<"active" | "ready" | "deferred" | "held", number> {
    return {
      active: this.#active.size,
      ready: this.#readyCount,
      deferred: this.#deferred.size,
      held: this.#held.size,
    };
  }

  get isEmpty(): boolean {
    return this.#active.size + this.#deferred.size + this.#held.size + this.#readyCount === 0;
  }

  /** When an unreachable next hop is tried again; 0 when it is not blocked. */
  get blockedUntil(): number {
    return this.#blockedUntil > this.#parts.clock.now() ? this.#blockedUntil : 0;
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
      this.#pump();
    }
  }

  #makeReady(delivery: Delivery): void {
    delivery.state = "ready";
    this.#ready.push(delivery);
    this.#readyCount += 1;
  }

  /** Takes a waiting delivery out; false when its attempt is under way, or not recorded yet. */
  remove(delivery: Delivery): boolean {
    if (delivery.state === "active") return false;
    this.#deferred.delete(delivery);
    this.#held.delete(delivery);
    if (delivery.state === "ready") this.#readyCount -= 1;
    delivery.state = "removed";
    if (this.#ready.length - this.#head > 2 * this.#readyCount + CUT_LENGTH) {
      this.#ready = this.#ready.slice(this.#head).filter(({ state }) => state === "ready");
      this.#head = 0;
    }
    return true;
  }

  /** Further attempts go through another courier; it starts with unblock(). */
  useCourier(courier: Courier): void {
    this.#courier = courier;
    this.#failures = 0;
  }

  /** Tries the next hop now, whatever its retry interval says. */
  unblock(): void {
    this.#blockedUntil = 0;
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

  #pump(): void {
    if (this.#stopped || this.blockedUntil > 0) return;
    while (this.#readyCount > 0 && this.#courier.capacity > 0) {
      const delivery = this.#ready[this.#head];
      this.#head += 1;
      if (this.#head >= this.#ready.length || this.#head > CUT_LENGTH) {
        this.#ready = this.#ready.slice(this.#head);
        this.#head = 0;
      }
      if (delivery?.state !== "ready") continue;
      this.#readyCount -= 1;
      this.#attempt(delivery);
    }
  }

  #attempt(delivery: Delivery): void {
    delivery.state = "active";
    this.#active.add(delivery);
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
    const recipients = delivery.records.map((record) => record.recipient);
    const message = {
      id,
      sender: envelope.sender,
      recipients,
      envelope,
      content,
      crlfOnly,
      origin,
      properties,
    };
    return this.#courier.deliver(message);
  }

  #finish(delivery: Delivery, outcome: DeliveryOutcome): void {
    this.#active.delete(delivery);
    delivery.attempts += 1;
    if (outcome.kind === "report") {
      if (this.#failures > 0) this.#answersAgain();
      this.#parts.attempted(delivery, { kind: "replies", ...outcome.report });
    } else {
      this.lastFailure = outcome.reply;
      this.#backOff(outcome.transient);
      this.#parts.attempted(delivery, { kind: "unreachable", reply: outcome.reply, remote: outcome.remote });
    }
    this.#pump();
  }

  /** The next hop was not asked: the content could not be read, say. That is no reason to leave the next hop alone. */
  #notSent(delivery: Delivery, reason: string): void {
    this.#active.delete(delivery);
    delivery.attempts += 1;
    this.#parts.attempted(delivery, {
      kind: "unreachable",
      reply: reply(451, "3.0", reason),
      remote: "",
    });
    this.#pump();
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
    this.#pump();
  }
}
