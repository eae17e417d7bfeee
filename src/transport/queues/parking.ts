// Which messages are in memory: all, as long as there are few. Beyond that, those that wait are parked: the store has them,
// and of each one little more than its id and its due time is kept, until its queue asks for it.
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { RecoveredMessage, StoreDriver } from "../../store/store-driver.ts";
import type { OutsideMemory } from "./destination-queue.ts";
import { type RestingPlace, SEVERAL } from "../deliveries.ts";
import { type IsAged, ParkedMessages, type ParkedQueue } from "./parked-messages.ts";
import { ownTimesOf } from "../patience.ts";
import { type QueuedMessage, makeDue } from "../queued-message.ts";
import { unfinishedCopies } from "../unfinished-copies.ts";
import { type WaitingGroup, groupOf, isGroupKey } from "./waiting-groups.ts";

export interface ParkingParts {
  readonly store: Pick<StoreDriver, "reload" | "reloadInOrder" | "rest">;
  /** Messages kept in memory. When there are more, those that only wait are parked. */
  readonly maxInMemory: number;
  readonly messages: ReadonlyMap<string, QueuedMessage>;
  /** Where a message waits that may be parked, because the store has it as it is. `isTight`: being behind many others is waiting, too. */
  readonly resting: (message: QueuedMessage, isTight: boolean) => RestingPlace | undefined;
  /** The same for a message that is in no queue yet: where it would wait. */
  readonly wouldRest: (message: QueuedMessage, isTight: boolean) => RestingPlace | undefined;
  /** Forgets what is in memory of a message that is parked. */
  readonly letGo: (message: QueuedMessage) => void;
  /** Makes the message from what the store has; `isNew`: for the first time in this run. */
  readonly revive: (recovered: RecoveredMessage, isNew: boolean) => QueuedMessage;
  /** Sends the message on its way again, from where its state says it stood. */
  readonly goOn: (message: QueuedMessage) => void;
  /** Drops an unfinished copy: the message that was being split is split anew. */
  readonly forget: (id: string) => void;
  /** Looks whether it has waited for too long. */
  readonly check: (message: QueuedMessage) => void;
  /** Brings up what a queue has parked. */
  readonly pump: (key: string) => void;
  /** Messages that sinks work on or that wait for their turn there. */
  readonly inSubmission: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Name of the queue for messages that the store found at the start and that are not sorted into their queues yet. */
const UNSORTED = "last run";
const TICK_MS = 1000;
/** How long to wait before a message that could not be read is read again. */
const RETRY_MS = 60_000;
const SORTED_AT_ONCE = 100;
/** How many messages that have grown old are looked at in one go. */
const MAX_AGED = 10_000;
/** While more messages than these are at the sinks, those of the last run wait. */
const MAX_IN_SUBMISSION = 400;

export class Parking {
  readonly parked = new ParkedMessages();
  readonly #parts: ParkingParts;
  /** Messages on their way back to memory. */
  #arriving = 0;
  #cancelTick: (() => void) | undefined;
  #cancelFreed: (() => void) | undefined;
  #stopped = false;
  #isWakingAged = false;
  /** Keys of the queues that are not of one next hop, and whose ready messages are on their way to memory. */
  readonly #emptying = new Set<string>();

  constructor(parts: ParkingParts) {
    this.#parts = parts;
  }

  /** There are many in memory: what is attempted later than others does not stay. */
  get isFull(): boolean {
    return this.#parts.messages.size > this.#parts.maxInMemory;
  }

  /** There are many in all: what waits for a time, or for a next hop that is left alone, does not stay. */
  get isCrowded(): boolean {
    return this.#parts.messages.size + this.parked.size > this.#parts.maxInMemory;
  }

  /** Messages that are not in memory. */
  get size(): number {
    return this.parked.size + this.#arriving;
  }

  /** Messages of the last run that are in no queue yet. */
  get unsorted(): number {
    return this.parked.queueOf(UNSORTED).size;
  }

  /** The store has the message as it is now. Who saved it may not be done with it. */
  saved(message: QueuedMessage): void {
    if (this.isCrowded) queueMicrotask(() => this.rest(message));
  }

  /** Lets go of a message that waits in one queue, when there are many, and the store has it as it is now. */
  rest(message: QueuedMessage): void {
    const { messages, resting } = this.#parts;
    // Until the store has what sinks changed, nobody else has it.
    if (!this.isCrowded || messages.get(message.id) !== message || message.edits !== "none") return;
    this.#park(message, resting(message, this.isFull));
  }

  /** A message as the store has it, in no queue yet: one that would only wait is not even put there. */
  takeUp(message: QueuedMessage): void {
    const { goOn, wouldRest } = this.#parts;
    if (this.isCrowded && this.#park(message, wouldRest(message, this.isFull))) return;
    goOn(message);
    this.rest(message);
  }

  #park(message: QueuedMessage, place: RestingPlace | undefined): boolean {
    if (place === undefined) return false;
    const { clock, store, letGo } = this.#parts;
    const { queue, nextAttempt: due } = place;
    const isLater = due !== undefined && due > clock.now();
    const isParked = this.parked.park({
      id: message.id,
      queue,
      priority: message.priority,
      due: isLater ? due : 0,
      since: Math.max(message.origin.arrivalTime, message.notBefore ?? 0),
      held: message.held?.by === "operator",
      delayNoticeSent: message.delayNoticeSent,
      ownTimes: ownTimesOf(message, queue),
    });
    if (!isParked) return false;
    letGo(message);
    store.rest(message.id);
    this.#tickSoon();
    return true;
  }

  /** What waits for several next hops. */
  get several(): ParkedQueue {
    return this.parked.queueOf(SEVERAL);
  }

  /** What waits before the sinks. */
  groups(): { readonly group: WaitingGroup; readonly messages: number }[] {
    return [...this.parked.queues()].flatMap(({ key, size }) => {
      const group = size === 0 ? undefined : groupOf(key);
      return group === undefined ? [] : { group, messages: size };
    });
  }

  /** Those that are meant go to the sinks again, bit by bit, unless the operator holds them; answers how many. */
  release(isMeant: (group: WaitingGroup) => boolean): number {
    let released = 0;
    for (const { key } of this.parked.queues()) {
      const group = groupOf(key);
      if (group !== undefined && group.heldBy !== "operator" && isMeant(group)) {
        released += this.parked.makeReady(key);
        this.pump(key);
      }
    }
    return released;
  }

  /** A queue takes mail earlier than it said: what waits for it and for others does not know. */
  freed(): void {
    if (this.several.size === 0 || this.#stopped) return;
    // All of it is looked at then: not more often than anybody notices.
    this.#cancelFreed ??= this.#parts.clock.after(TICK_MS, () => {
      this.#cancelFreed = undefined;
      this.parked.makeReady(SEVERAL);
      this.pump(SEVERAL);
    });
  }

  /** Brings up what waits for nothing any more. */
  pump(key: string): void {
    if (!isGroupKey(key) && key !== SEVERAL && key !== UNSORTED) {
      this.#parts.pump(key);
      return;
    }
    if (this.#emptying.has(key)) return;
    this.#emptying.add(key);
    this.#empty(this.parked.queueOf(key))
      .finally(() => this.#emptying.delete(key))
      .catch((thrown: unknown) =>
        this.#parts.log.error({ error: describeError(thrown) }, "messages wait for longer than they have to"),
      );
  }

  async #empty(queue: ParkedQueue): Promise<void> {
    const group = groupOf(queue.key);
    // One that the operator holds is among them when it could not be read before.
    const before = group === undefined || group.heldBy === "operator" ? undefined : clearWait;
    while (queue.readyCount > 0 && !this.#stopped) {
      const begun = this.#parts.clock.now();
      const some = this.#takeSome(queue).map((id) => this.#bring(id, queue.key, before));
      await Promise.all(some);
      await this.#pause(some.length === 0 ? TICK_MS / 10 : this.#parts.clock.now() - begun);
    }
    this.parked.forgetQueue(queue.key);
  }

  /** Few at a time go to the sinks: what waits for its turn there is in memory. */
  #takeSome(queue: ParkedQueue): string[] {
    const some: string[] = [];
    if (queue.key === SEVERAL && this.isFull) return some;
    while (some.length < SORTED_AT_ONCE && this.#parts.inSubmission() + some.length < MAX_IN_SUBMISSION) {
      const next = this.parked.takeReady(queue);
      if (next === undefined) break;
      some.push(next.id);
    }
    return some;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.clock.after(ms, resolve));
  }

  /** What the queue of this key has parked, and how it comes by it. */
  outside(key: string): OutsideMemory {
    const parked = this.parked.queueOf(key);
    return {
      parked,
      fetch: (wanted, arrived) => {
        let coming = 0;
        for (; coming < wanted && !this.#stopped; coming += 1) {
          const next = this.parked.takeReady(parked);
          if (next === undefined) break;
          void this.#bring(next.id, key, makeDue).then(arrived);
        }
        return coming;
      },
    };
  }

  /** Brings one message back, and does `before` to it before it goes on. false: it is not parked. */
  wake(id: string, before?: (message: QueuedMessage) => void): boolean {
    const parked = this.parked.take(id);
    if (parked === undefined) return false;
    void this.#bring(id, parked.queue, before);
    return true;
  }

  /** Brings back those that something is to be said of, some at a time. */
  wakeAged(isAged: IsAged): void {
    if (this.parked.size === 0 || this.#isWakingAged) return;
    this.#isWakingAged = true;
    this.bringAll([...this.parked.aged(isAged, MAX_AGED)], undefined, this.#parts.check)
      .finally(() => {
        this.#isWakingAged = false;
      })
      .catch((thrown: unknown) =>
        this.#parts.log.error({ error: describeError(thrown) }, "ages could not be checked"),
      );
  }

  /** One after the other, so that they are never in memory all at once. */
  async bringAll(
    ids: readonly string[],
    before: ((message: QueuedMessage) => void) | undefined,
    after?: (message: QueuedMessage) => void,
  ): Promise<void> {
    for (let at = 0; at < ids.length && !this.#stopped; at += SORTED_AT_ONCE) {
      const some = ids.slice(at, at + SORTED_AT_ONCE).flatMap((id) => this.parked.take(id) ?? []);
      await Promise.all(some.map(({ id, queue }) => this.#bring(id, queue, before, after)));
      await this.#pause(0);
    }
  }

  /** What an earlier run left, beside what was read at the start: sorted into the queues bit by bit. */
  sortLater(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const { clock, log } = this.#parts;
    const now = clock.now();
    const unknown = {
      queue: UNSORTED,
      priority: "normal",
      due: 0,
      held: false,
      delayNoticeSent: true,
    } as const;
    for (const id of ids) {
      // An id that this service did not make is no number.
      if (!this.parked.park({ id, ...unknown, since: now })) void this.#bring(id, UNSORTED);
    }
    this.#sort(this.parked.queueOf(UNSORTED), ids.length).catch((thrown: unknown) =>
      log.error({ error: describeError(thrown) }, "messages of the last run wait for the next start"),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick?.();
    this.#cancelFreed?.();
  }

  /** Half of the time at most is theirs: fresh mail goes on beside them. */
  async #sort(queue: ParkedQueue, messages: number): Promise<void> {
    const { clock, log } = this.#parts;
    while (queue.readyCount > 0 && !this.#stopped) {
      const begun = clock.now();
      const some = this.#takeSome(queue);
      await this.#sortSome(some);
      await this.#pause(some.length === 0 ? TICK_MS / 10 : clock.now() - begun);
    }
    if (!this.#stopped) log.info({ messages }, "all messages of the last run are in their queues");
  }

  async #sortSome(ids: readonly string[]): Promise<void> {
    const { store, revive, forget } = this.#parts;
    this.#arriving += ids.length;
    const found = await store.reloadInOrder(ids);
    this.#arriving -= ids.length;
    if (this.#stopped) return;
    const left = new Set(ids);
    // A copy is younger than its message: it is here, or parked still.
    for (const id of unfinishedCopies(found))
      if (left.delete(id) || this.parked.take(id) !== undefined) forget(id);
    for (const recovered of found) {
      if (!left.delete(recovered.id)) continue;
      try {
        this.takeUp(revive(recovered, true));
      } catch (thrown) {
        this.#unreadable(recovered.id, UNSORTED, thrown);
      }
    }
    for (const id of left) await this.#bring(id, UNSORTED);
  }

  async #bring(
    id: string,
    queue: string,
    before?: (message: QueuedMessage) => void,
    after?: (message: QueuedMessage) => void,
  ): Promise<void> {
    const { store, revive, goOn } = this.#parts;
    this.#arriving += 1;
    let message: QueuedMessage;
    try {
      const recovered = await store.reload(id);
      if (this.#stopped) return;
      message = revive(recovered, queue === UNSORTED);
    } catch (thrown) {
      if (!this.#stopped) this.#unreadable(id, queue, thrown);
      return;
    } finally {
      this.#arriving -= 1;
    }
    before?.(message);
    if (!this.#parts.messages.has(id)) return;
    goOn(message);
    after?.(message);
    this.rest(message);
  }

  #unreadable(id: string, queue: string, thrown: unknown): void {
    const { clock, log } = this.#parts;
    log.error({ message: id, error: describeError(thrown) }, "a message that waits could not be read");
    const due = clock.now() + RETRY_MS;
    const rest = { priority: "normal", since: due, held: false, delayNoticeSent: true } as const;
    this.parked.park({ id, queue, due, ...rest });
    this.#tickSoon();
  }

  #tickSoon(): void {
    if (!this.parked.anyLater || this.#stopped) return;
    this.#cancelTick ??= this.#parts.clock.after(TICK_MS, () => {
      this.#cancelTick = undefined;
      for (const { key } of this.parked.wakeDue(this.#parts.clock.now())) this.pump(key);
      this.#tickSoon();
    });
  }
}

/** The sinks are to see it again. */
function clearWait(message: QueuedMessage): void {
  message.triedBefore = message.nextAttempt;
  message.nextAttempt = undefined;
  message.held = undefined;
}
