// Messages that wait and are not in memory: of each one its id, its queue, and when it is due. A doubly linked list in typed
// arrays per queue and priority, and one per second for those that wait for a time of their own.
import { IdTable, grown } from "../../store/segments/id-table.ts";

export type Priority = "high" | "normal" | "low";

export const PRIORITIES: readonly Priority[] = ["high", "normal", "low"];

/** What is due within this time is not worth parking. */
export const SOON_MS = 2000;

export interface ParkedMessage {
  readonly id: string;
  /** Key of its queue. */
  readonly queue: string;
  readonly priority: Priority;
  /** ms since the epoch; 0: as soon as the next hop takes it. */
  readonly due: number;
  /** From when it grows old, ms since the epoch. */
  readonly since: number;
  /** By the operator. */
  readonly held: boolean;
  readonly delayNoticeSent: boolean;
  /** Absent: the settings say when it expires, and when its sender hears that it waits. */
  readonly ownTimes?: OwnTimes | undefined;
}

/** That sinks have given to one message, ms since the epoch. */
export interface OwnTimes {
  readonly expiry: number | undefined;
  readonly delayNotice: number | undefined;
}

/** Whether messages of the queue of this key are meant. */
export type IsMeantQueue = (queue: string) => boolean;

/** Whether something is to be said of a message that waits in this queue. */
export type IsAged = (
  queue: string,
  since: number,
  delayNoticeSent: boolean,
  ownTimes: OwnTimes | undefined,
) => boolean;

interface List {
  first: number;
  last: number;
  count: number;
}

const createList = (): List => ({ first: NONE, last: NONE, count: 0 });

const NONE = -1;
const HELD = 1;
const NOTICE_SENT = 2;
const LATER = 4;
const OWN_TIMES = 8;
const SECOND_MS = 1000;

/** What waits outside memory for one next hop. */
export class ParkedQueue {
  readonly key: string;
  readonly index: number;
  readonly ready: readonly List[] = PRIORITIES.map(createList);
  readonly held: List = createList();
  /** Of those that wait for a time of their own. */
  laterCount = 0;
  readyCount = 0;

  constructor(key: string, index: number) {
    this.key = key;
    this.index = index;
  }

  get size(): number {
    return this.readyCount + this.held.count + this.laterCount;
  }
}

export class ParkedMessages {
  readonly #ids = new IdTable();
  #queue = new Int32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  #due = new Float64Array(0);
  #since = new Float64Array(0);
  #flags = new Uint8Array(0);
  #priority = new Uint8Array(0);
  /** Expiry and delay notice of those that have times of their own; NaN: it has only the other one. */
  #ownTimes = new Float64Array(0);
  readonly #queues = new Map<string, ParkedQueue>();
  readonly #byIndex: (ParkedQueue | undefined)[] = [];
  /** By the second at whose end they are due. */
  readonly #later = new Map<number, List>();

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.find(id) >= 0;
  }

  queueOf(key: string): ParkedQueue {
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const free = this.#byIndex.indexOf(undefined);
    const index = free < 0 ? this.#byIndex.length : free;
    const queue = new ParkedQueue(key, index);
    this.#byIndex[index] = queue;
    this.#queues.set(key, queue);
    return queue;
  }

  /** The queue is no more; what is asked for by its key later is a new one. */
  forgetQueue(key: string): void {
    const queue = this.#queues.get(key);
    if (queue === undefined || queue.size > 0) return;
    this.#queues.delete(key);
    this.#byIndex[queue.index] = undefined;
  }

  queues(): Iterable<ParkedQueue> {
    return this.#queues.values();
  }

  /** false: its id is none of ours. */
  park(message: ParkedMessage): boolean {
    const { id, queue: key, priority, due, since, held, delayNoticeSent, ownTimes } = message;
    if (!IdTable.fits(id)) return false;
    const slot = this.#ids.add(id);
    this.#grow();
    this.#queue[slot] = this.queueOf(key).index;
    this.#due[slot] = due;
    this.#since[slot] = since;
    this.#priority[slot] = PRIORITIES.indexOf(priority);
    this.#flags[slot] = (held ? HELD : 0) | (delayNoticeSent ? NOTICE_SENT : 0) | (due > 0 ? LATER : 0);
    if (ownTimes !== undefined) this.#keepTimes(slot, ownTimes);
    this.#enlist(slot);
    return true;
  }

  /** Takes a message out; undefined when it is not here. */
  take(id: string): ParkedMessage | undefined {
    const slot = this.#ids.find(id);
    return slot < 0 ? undefined : this.#remove(slot);
  }

  /** Undefined when it is not here. */
  find(id: string): ParkedMessage | undefined {
    const slot = this.#ids.find(id);
    return slot < 0 ? undefined : this.#read(slot);
  }

  /**
   * All of the queue that nobody holds waits for its next hop only; answers how many do. Without those that begin to age later
   * than `now`: they must not leave yet.
   */
  makeReady(key: string, now = Infinity): number {
    const queue = this.#queues.get(key);
    if (queue === undefined) return 0;
    for (const slot of queue.laterCount === 0 ? [] : this.#ids.slots()) {
      const isLater = ((this.#flags[slot] ?? 0) & (HELD | LATER)) === LATER;
      if (isLater && this.#queue[slot] === queue.index && (this.#since[slot] ?? 0) <= now) this.#isDue(slot);
    }
    return queue.readyCount;
  }

  /** Takes out the first that is due: of high priority before normal before low. */
  takeReady(queue: ParkedQueue): ParkedMessage | undefined {
    const list = queue.ready.find(({ count }) => count > 0);
    return list === undefined ? undefined : this.#remove(list.first);
  }

  /** Puts those that are due by now to those that wait for their next hop only; answers their queues. */
  wakeDue(now: number): Set<ParkedQueue> {
    const woken = new Set<ParkedQueue>();
    for (const [second, list] of this.#later) {
      if (second * SECOND_MS > now) continue;
      while (list.first !== NONE) {
        const slot = list.first;
        this.#isDue(slot);
        const queue = this.#queueAt(slot);
        if (queue !== undefined) woken.add(queue);
      }
    }
    return woken;
  }

  get anyLater(): boolean {
    return this.#later.size > 0;
  }

  /** From when the oldest one grows old; Infinity when there is none. */
  oldest(): number {
    let oldest = Infinity;
    for (const slot of this.#ids.slots()) oldest = Math.min(oldest, this.#since[slot] ?? Infinity);
    return oldest;
  }

  /** A copy of what is known, in no order. */
  *all(): Generator<ParkedMessage> {
    for (const slot of this.#ids.slots()) yield this.#read(slot);
  }

  /** Ids of up to `most` messages that nobody holds. No object is made for the others: there may be a million. */
  *aged(isAged: IsAged, most: number): Generator<string> {
    let found = 0;
    for (const slot of this.#ids.slots()) {
      const flags = this.#flags[slot] ?? 0;
      const queue = this.#queueAt(slot);
      if ((flags & HELD) !== 0 || queue === undefined) continue;
      const hasNotice = (flags & NOTICE_SENT) !== 0;
      if (!isAged(queue.key, this.#since[slot] ?? 0, hasNotice, this.#timesOf(slot))) continue;
      yield this.#ids.idAt(slot);
      found += 1;
      if (found === most) return;
    }
  }

  /** Those of the queues that are meant which begin to age later than now: they must not leave yet. */
  deferredCounts(isMeant: IsMeantQueue, now: number): { readonly waiting: number; readonly held: number } {
    let waiting = 0;
    let held = 0;
    for (const slot of this.#deferred(isMeant, now)) {
      if (((this.#flags[slot] ?? 0) & HELD) === 0) waiting += 1;
      else held += 1;
    }
    return { waiting, held };
  }

  /** Of them, the ids of those that nobody holds. */
  deferredIds(isMeant: IsMeantQueue, now: number): string[] {
    const slots = [...this.#deferred(isMeant, now)];
    return slots
      .filter((slot) => ((this.#flags[slot] ?? 0) & HELD) === 0)
      .map((slot) => this.#ids.idAt(slot));
  }

  *#deferred(isMeant: IsMeantQueue, now: number): Generator<number> {
    for (const slot of this.#ids.slots()) {
      if ((this.#since[slot] ?? 0) <= now) continue;
      const queue = this.#queueAt(slot);
      if (queue !== undefined && isMeant(queue.key)) yield slot;
    }
  }

  /** Up to `most` ids that begin so. */
  idsWith(prefix: string, most: number): string[] {
    return this.#ids.idsWith(prefix, most);
  }

  #keepTimes(slot: number, { expiry = Number.NaN, delayNotice = Number.NaN }: OwnTimes): void {
    this.#ownTimes = grown(this.#ownTimes, (length) => new Float64Array(length), 2 * this.#ids.capacity);
    this.#ownTimes[2 * slot] = expiry;
    this.#ownTimes[2 * slot + 1] = delayNotice;
    this.#flags[slot] = (this.#flags[slot] ?? 0) | OWN_TIMES;
  }

  #timesOf(slot: number): OwnTimes | undefined {
    if (((this.#flags[slot] ?? 0) & OWN_TIMES) === 0) return undefined;
    const [expiry = Number.NaN, delayNotice = Number.NaN] = this.#ownTimes.subarray(2 * slot, 2 * slot + 2);
    return { expiry: isSet(expiry), delayNotice: isSet(delayNotice) };
  }

  #isDue(slot: number): void {
    this.#delist(slot);
    this.#flags[slot] = (this.#flags[slot] ?? 0) & ~LATER;
    this.#due[slot] = 0;
    this.#enlist(slot);
  }

  #remove(slot: number): ParkedMessage {
    const message = this.#read(slot);
    this.#delist(slot);
    this.#ids.remove(slot);
    return message;
  }

  #read(slot: number): ParkedMessage {
    const flags = this.#flags[slot] ?? 0;
    return {
      id: this.#ids.idAt(slot),
      queue: this.#queueAt(slot)?.key ?? "",
      priority: PRIORITIES[this.#priority[slot] ?? 1] ?? "normal",
      due: this.#due[slot] ?? 0,
      since: this.#since[slot] ?? 0,
      held: (flags & HELD) !== 0,
      delayNoticeSent: (flags & NOTICE_SENT) !== 0,
      ownTimes: this.#timesOf(slot),
    };
  }

  #queueAt(slot: number): ParkedQueue | undefined {
    return this.#byIndex[this.#queue[slot] ?? NONE];
  }

  #enlist(slot: number): void {
    const queue = this.#queueAt(slot);
    if (queue === undefined) return;
    const list = this.#listOf(slot, queue);
    this.#count(slot, queue, 1);
    this.#next[slot] = NONE;
    this.#previous[slot] = list.last;
    if (list.last === NONE) list.first = slot;
    else this.#next[list.last] = slot;
    list.last = slot;
    list.count += 1;
  }

  #delist(slot: number): void {
    const queue = this.#queueAt(slot);
    if (queue === undefined) return;
    const list = this.#listOf(slot, queue);
    this.#count(slot, queue, -1);
    const next = this.#next[slot] ?? NONE;
    const previous = this.#previous[slot] ?? NONE;
    if (next === NONE) list.last = previous;
    else this.#previous[next] = previous;
    if (previous === NONE) list.first = next;
    else this.#next[previous] = next;
    list.count -= 1;
    if (list.count === 0 && ((this.#flags[slot] ?? 0) & (HELD | LATER)) === LATER)
      this.#later.delete(secondOf(this.#due[slot] ?? 0));
  }

  #count(slot: number, queue: ParkedQueue, by: number): void {
    const flags = this.#flags[slot] ?? 0;
    if ((flags & HELD) !== 0) return;
    if ((flags & LATER) === 0) queue.readyCount += by;
    else queue.laterCount += by;
  }

  #listOf(slot: number, queue: ParkedQueue): List {
    const flags = this.#flags[slot] ?? 0;
    if ((flags & HELD) !== 0) return queue.held;
    if ((flags & LATER) === 0) return queue.ready[this.#priority[slot] ?? 1] ?? queue.held;
    const second = secondOf(this.#due[slot] ?? 0);
    const known = this.#later.get(second);
    if (known !== undefined) return known;
    const list = createList();
    this.#later.set(second, list);
    return list;
  }

  #grow(): void {
    const { capacity } = this.#ids;
    if (this.#queue.length >= capacity) return;
    this.#queue = grown(this.#queue, (length) => new Int32Array(length), capacity);
    this.#next = grown(this.#next, (length) => new Int32Array(length), capacity);
    this.#previous = grown(this.#previous, (length) => new Int32Array(length), capacity);
    this.#due = grown(this.#due, (length) => new Float64Array(length), capacity);
    this.#since = grown(this.#since, (length) => new Float64Array(length), capacity);
    this.#flags = grown(this.#flags, (length) => new Uint8Array(length), capacity);
    this.#priority = grown(this.#priority, (length) => new Uint8Array(length), capacity);
  }
}

const isSet = (time: number): number | undefined => (Number.isNaN(time) ? undefined : time);

const secondOf = (due: number): number => Math.ceil(due / SECOND_MS);
