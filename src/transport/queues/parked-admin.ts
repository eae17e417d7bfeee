// What people see and do of messages that are parked. What has to be done to a message is done when it is back in memory.
import type { Clock } from "../../core/clock.ts";
import type { StoreDriver } from "../../store/store-driver.ts";
import { adviceFor } from "./hold-advice.ts";
import type { ParkedMessage, ParkedQueue } from "./parked-messages.ts";
import type { Parking } from "./parking.ts";
import { OPERATOR_HOLD, SINK_QUEUES, WHY_FROZEN, lastReplyOf, recipientsOf } from "./queue-entries.ts";
import type { QueueSet } from "./queue-set.ts";
import type { KeptBack, QueueEntry } from "./queue-view.ts";
import {
  type QueuedMessage,
  applyState,
  createQueuedMessage,
  makeDue,
  makeDueNow,
} from "../queued-message.ts";
import { heldForServer } from "../revived-message.ts";
import { NEVER_DUE, groupOf, isGroupKey } from "./waiting-groups.ts";

export interface ParkedAdminParts {
  readonly parking: Parking;
  readonly store: Pick<StoreDriver, "reload" | "rest">;
  readonly queues: QueueSet;
  readonly discard: (message: QueuedMessage) => void;
  readonly save: (message: QueuedMessage) => void;
  readonly clock: Clock;
}

/** Each answers how many messages it is about to change. `ids` empty: all that are parked. */
export class ParkedAdmin {
  readonly #parts: ParkedAdminParts;

  constructor(parts: ParkedAdminParts) {
    this.#parts = parts;
  }

  async list(most: number): Promise<QueueEntry[]> {
    const entries: QueueEntry[] = [];
    if (most <= 0) return entries;
    const some: ParkedMessage[] = [];
    for (const parked of this.#parts.parking.parked.all()) if (some.push(parked) === most) break;
    for (const { id } of some) {
      const entry = await this.show(id);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  async show(id: string): Promise<QueueEntry | undefined> {
    const { parking, store, queues } = this.#parts;
    const parked = parking.parked.find(id);
    if (parked === undefined) return undefined;
    const recovered = await store.reload(id);
    if (!parking.parked.has(id)) return undefined;
    store.rest(id);
    const message = createQueuedMessage(id, recovered.origin, recovered.envelope, undefined);
    if (recovered.state !== undefined) applyState(message, recovered.state);
    const blockedUntil = queues.find(parked.queue)?.blockedUntil ?? 0;
    // What is parked as held and has no reason in the store is held for the virtual server that it came by.
    if (isHeld(parked)) message.held ??= heldForServer(message.origin.server);
    const { state, reason } = this.#standing(parked);
    return {
      id,
      queue: isGroupKey(parked.queue) ? SINK_QUEUES[message.stage] : parked.queue,
      state,
      reason: message.held?.text ?? lastReplyOf(message) ?? reason,
      advice: adviceFor(message),
      sender: message.envelope.sender,
      recipients: recipientsOf(message),
      size: message.size,
      arrivalTime: message.origin.arrivalTime,
      attempts: message.attempts,
      nextAttempt: parked.due === NEVER_DUE ? undefined : Math.max(parked.due, blockedUntil) || undefined,
    };
  }

  #standing(parked: ParkedMessage): Pick<QueueEntry, "state" | "reason"> {
    if (isHeld(parked)) return { state: "held" };
    const frozenBy = this.#parts.queues.frozenBy(nameOf(parked.queue));
    return frozenBy === undefined ? { state: "retry" } : { state: "frozen", reason: WHY_FROZEN[frozenBy] };
  }

  retry(ids: readonly string[]): number {
    const { parking, queues } = this.#parts;
    if (ids.length > 0) {
      const waiting = this.#parked(ids).filter(({ held }) => !held);
      for (const { id, queue } of waiting) {
        queues.find(queue)?.unblock();
        parking.wake(id, (message) => {
          message.held = undefined;
          makeDueNow(message);
        });
      }
      return waiting.length;
    }
    return this.forceAll(() => true);
  }

  /** All of one queue that neither people hold nor sinks defer. */
  force(key: string): number {
    const { parking, queues, clock } = this.#parts;
    const moved = parking.parked.makeReady(key, isGroupKey(key) ? undefined : clock.now());
    if (isGroupKey(key)) parking.pump(key);
    else queues.find(key)?.unblock();
    return moved;
  }

  /** All of these queues that nobody holds. */
  forceAll(isMeant: (queue: string) => boolean): number {
    const keys = [...this.#parts.parking.parked.queues()].map(({ key }) => key).filter(isMeant);
    return keys.reduce((sum, key) => sum + this.force(key), 0);
  }

  hold(ids: readonly string[]): number {
    return this.#change(ids, isNotOperators, (message) => {
      message.held = OPERATOR_HOLD;
      message.nextAttempt = undefined;
      this.#parts.save(message);
    });
  }

  release(ids: readonly string[]): number {
    return this.#change(ids, isHeld, (message) => {
      message.held = undefined;
      makeDue(message);
      this.#parts.save(message);
    });
  }

  remove(ids: readonly string[]): number {
    return this.#change(ids, () => true, this.#parts.discard);
  }

  keptBack(verb: "retry" | "release", ids: readonly string[]): KeptBack {
    const { parking, queues } = this.#parts;
    const isFrozen = (key: string): boolean => queues.frozenBy(nameOf(key)) !== undefined;
    if (ids.length > 0) {
      const isMeant = verb === "retry" ? isNotOperators : isHeld;
      const stay = this.#parked(ids).filter((parked) => isMeant(parked) && isFrozen(parked.queue));
      return { messages: stay.length, queues: stay.map(({ queue }) => nameOf(queue)) };
    }
    const stay = [...parking.parked.queues()]
      .filter(({ key }) => isFrozen(key))
      .map((queue) => ({ name: nameOf(queue.key), count: countMeant(verb, queue) }))
      .filter(({ count }) => count > 0);
    return {
      messages: stay.reduce((sum, { count }) => sum + count, 0),
      queues: stay.map(({ name }) => name),
    };
  }

  #change(
    ids: readonly string[],
    isMeant: (parked: ParkedMessage) => boolean,
    act: (message: QueuedMessage) => void,
  ): number {
    const { parking } = this.#parts;
    const chosen = (ids.length === 0 ? [...parking.parked.all()] : this.#parked(ids))
      .filter((parked) => isMeant(parked))
      .map(({ id }) => id);
    void parking.bringAll(chosen, act);
    return chosen.length;
  }

  #parked(ids: readonly string[]): ParkedMessage[] {
    return ids.flatMap((id) => this.#parts.parking.parked.find(id) ?? []);
  }
}

/** As people know the queue. */
function nameOf(key: string): string {
  const group = groupOf(key);
  return group === undefined ? key : SINK_QUEUES[group.stage];
}

/** Of all that a queue has parked. */
function countMeant(verb: "retry" | "release", { key, held, size }: ParkedQueue): number {
  if (verb === "retry") return size - held.count;
  return groupOf(key)?.heldBy === undefined ? held.count : size;
}

const isNotOperators = ({ held }: ParkedMessage): boolean => !held;

/** By the operator, or before the sinks by one of them. */
const isHeld = ({ held, queue }: ParkedMessage): boolean => held || groupOf(queue)?.heldBy !== undefined;
