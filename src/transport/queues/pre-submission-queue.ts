// Messages whose submission has to be tried again: a sink failed on them, or asked for it (REFERENCE 4.2.2).
import type { Clock } from "../../core/clock.ts";
import { Alarm } from "../alarm.ts";
import type { RestingPlace } from "../deliveries.ts";
import { SOON_MS } from "./parked-messages.ts";
import type { HeldKind } from "./queue-view.ts";
import { SINK_QUEUES } from "./queue-entries.ts";
import type { QueueSet } from "./queue-set.ts";
import type { HoldReason, QueuedMessage } from "../queued-message.ts";
import { NEVER_DUE, groupKeyOf, heldKind } from "./waiting-groups.ts";

export class PreSubmissionQueue {
  readonly #clock: Clock;
  readonly #submit: (message: QueuedMessage) => void;
  readonly #queues: Pick<QueueSet, "isFrozen">;
  readonly #waiting = new Map<QueuedMessage, HoldReason | undefined>();
  readonly #alarm: Alarm;

  constructor(clock: Clock, submit: (message: QueuedMessage) => void, queues: Pick<QueueSet, "isFrozen">) {
    this.#clock = clock;
    this.#submit = submit;
    this.#queues = queues;
    this.#alarm = new Alarm(clock, () => this.#wake());
  }

  add(message: QueuedMessage, reason: HoldReason | undefined = message.held): void {
    this.#waiting.set(message, reason);
    this.#watch(message);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Held messages; in the queues of next hops only the operator holds some, so many are `inQueues`. */
  heldByKind(inQueues: number): Record<HeldKind, number> {
    const held = { script: 0, sink: 0, poison: 0, operator: inQueues };
    for (const { held: reason } of this.#waiting.keys())
      if (reason !== undefined) held[heldKind(reason)] += 1;
    return held;
  }

  remove(message: QueuedMessage): void {
    this.#waiting.delete(message);
  }

  has(message: QueuedMessage): boolean {
    return this.#waiting.has(message);
  }

  /** Why the message waits. */
  reasonOf(message: QueuedMessage): HoldReason | undefined {
    return this.#waiting.get(message);
  }

  /** The operator has frozen the queue that it is in, or is about to wait in. */
  isFrozen({ stage }: QueuedMessage): boolean {
    return this.#queues.isFrozen(SINK_QUEUES[stage]);
  }

  /** Of a message that needs no memory while it waits. What is left alone until the restart is not in the store as it is here. */
  resting(message: QueuedMessage): RestingPlace | undefined {
    const { held, copies } = message;
    if (!this.#waiting.has(message) || held?.abandoned === true || copies !== undefined) return undefined;
    const queue = groupKeyOf(message, this.#waiting.get(message));
    if (held?.by === "operator") return { queue, nextAttempt: undefined };
    const nextAttempt = this.#waitsForPeople(message) ? NEVER_DUE : (message.nextAttempt ?? 0);
    return nextAttempt > this.#clock.now() + SOON_MS ? { queue, nextAttempt } : undefined;
  }

  /** Submits the messages that `wants` answers true for at once. */
  release(wants: (message: QueuedMessage, reason: HoldReason | undefined) => boolean): number {
    const released = [...this.#waiting].filter(([message, reason]) => wants(message, reason));
    for (const [message] of released) {
      this.#waiting.delete(message);
      message.triedBefore = message.nextAttempt;
      message.held = undefined;
      message.nextAttempt = undefined;
      this.#submit(message);
    }
    return released.length;
  }

  /** One of the queues is frozen no more: what is due in it goes on. */
  thawed(): void {
    this.#wake();
  }

  stop(): void {
    this.#alarm.cancel();
  }

  #wake(): void {
    const now = this.#clock.now();
    this.release((message) => !this.#waitsForPeople(message) && (message.nextAttempt ?? 0) <= now);
    for (const message of this.#waiting.keys()) this.#watch(message);
  }

  #watch(message: QueuedMessage): void {
    if (!this.#waitsForPeople(message)) this.#alarm.atLatest(message.nextAttempt ?? 0);
  }

  #waitsForPeople(message: QueuedMessage): boolean {
    const { held } = message;
    return (
      held?.by === "operator" || held?.poison === true || held?.abandoned === true || this.isFrozen(message)
    );
  }
}
