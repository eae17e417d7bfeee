// Group commit: while one write and its barrier are under way all further records wait, and go together with the next.
import fs from "node:fs";
import path from "node:path";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import { syncFolder } from "../../message/sync-folder.ts";
import { writeAll } from "../durable-file.ts";
import { GroupDelay } from "./group-delay.ts";
import { type Entry, Segment } from "./message-index.ts";
import type { StoreCounts } from "../store-counts.ts";
import { encodeSegmentHeader, type RecordType, SEGMENT_HEADER_BYTES, segmentFileName } from "./record.ts";

/** A record on its way to disk. */
export interface PendingRecord {
  readonly type: RecordType;
  readonly entry: Entry;
  readonly buffers: readonly Buffer[];
  readonly bytes: number;
  readonly withContent: boolean;
  /** The content file to let go once the record is durable. */
  readonly releases: string | undefined;
  /** Someone waits for it: a record without a waiter is kept and written again after a failure. */
  readonly waiter: Waiter | undefined;
}

export interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

export interface WriterOwner {
  landed(record: PendingRecord, segment: Segment, offset: number): void;
  /** Nobody will be told that this record is durable. */
  failed(record: PendingRecord): void;
  segmentOpened(segment: Segment): void;
  /** A barrier went through. */
  synced(): void;
  writeFailed(error: Error): void;
}

export interface WriterOptions {
  readonly folder: string;
  readonly salt: Buffer;
  readonly firstSequence: number;
  readonly segmentBytes: number;
  readonly syncIntervalMs: number;
  readonly groupDelayMs: number;
  readonly clock: Clock;
  readonly counts: StoreCounts;
}

/** One write is bounded, so that a burst does not make everybody wait for one long barrier. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** States and ends wait this long, or for this many bytes, for company before they are written. */
const WRITE_AFTER_MS = 5;
const MAX_IDLE_BYTES = 1024 * 1024;
const RETRY_AFTER_MS = 1000;
/** A write with it comes back when its bytes are on disk. On macOS they may still be in the cache of the disk then. */
const DURABLE_WRITES = process.platform === "linux" ? fs.constants.O_DSYNC : undefined;

export class SegmentWriter {
  readonly #options: WriterOptions;
  readonly #owner: WriterOwner;
  #pending: PendingRecord[] = [];
  #pendingBytes = 0;
  /** Pending records that somebody waits for. */
  #pendingWaiters = 0;
  #segment: Segment | undefined;
  #handle = -1;
  /** The same file for batches that somebody waits for: write and barrier are one step of the thread pool, not two. */
  #durableHandle: number | undefined;
  #nextSequence: number;
  #isAbandoned = false;
  #busy = false;
  #scheduled = false;
  /** Whether records are written and not yet synchronised. */
  #owesBarrier = false;
  #barrierIsDue = false;
  readonly #group: GroupDelay;
  /** Ends the wait of the next barrier for company; undefined: it does not wait. */
  #cancelGroup: (() => void) | undefined;
  #cancelWrite: (() => void) | undefined;
  #cancelBarrier: (() => void) | undefined;
  #idleWaiters: Waiter[] = [];

  constructor(options: WriterOptions, owner: WriterOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#nextSequence = options.firstSequence;
    this.#group = new GroupDelay(options.groupDelayMs);
  }

  append(record: PendingRecord): void {
    this.#pending.push(record);
    this.#pendingBytes += record.bytes;
    if (record.waiter !== undefined) this.#pendingWaiters += 1;
    if (this.#cancelGroup !== undefined && this.#group.isComplete(this.#pendingWaiters)) this.#endGroup();
    if (record.waiter !== undefined || this.#pendingBytes > MAX_IDLE_BYTES) this.#schedule();
    else this.#cancelWrite ??= this.#options.clock.after(WRITE_AFTER_MS, this.#onWriteTimer);
  }

  /** Resolves when everything appended so far is durable; rejects when a write fails before. */
  drain(): Promise<void> {
    if (!this.#busy && this.#pending.length === 0 && !this.#owesBarrier) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#idleWaiters.push({ resolve, reject });
      this.#schedule();
    });
  }

  async close(): Promise<void> {
    try {
      await this.drain();
    } finally {
      this.#cancelWrite?.();
      this.#cancelBarrier?.();
      this.#sealSegment();
    }
  }

  /** The file of the current segment is gone: what is written from now on goes to a new one. */
  abandonSegment(): void {
    if (this.#busy) this.#isAbandoned = true;
    else this.#sealSegment();
  }

  readonly #onWriteTimer = (): void => {
    this.#cancelWrite = undefined;
    this.#schedule();
  };

  readonly #onBarrierTimer = (): void => {
    this.#cancelBarrier = undefined;
    this.#barrierIsDue = true;
    this.#schedule();
  };

  /** After this round of socket events, so that all messages that ended in it share the barrier; or when the group is complete. */
  #schedule(): void {
    if (this.#busy || this.#scheduled) return;
    this.#scheduled = true;
    const delayMs = this.#group.delayMs(performance.now(), this.#pendingWaiters);
    if (delayMs > 0) {
      // Not a timer of the clock, which keeps no process alive: there are records to write.
      const timer = setTimeout(this.#onImmediate, delayMs);
      this.#cancelGroup = () => clearTimeout(timer);
    } else setImmediate(this.#onImmediate);
  }

  #endGroup(): void {
    this.#cancelGroup?.();
    this.#cancelGroup = undefined;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => {
    this.#scheduled = false;
    this.#cancelGroup = undefined;
    const onlyBarrier = this.#pending.length === 0;
    if (this.#busy || (onlyBarrier && !this.#wantsBarrier([]))) return;
    this.#busy = true;
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    const segment = this.#segment;
    const goesOn = segment !== undefined && (onlyBarrier || segment.size < this.#options.segmentBytes);
    if (goesOn && !this.#isAbandoned) this.#writeBatch(segment);
    else this.#openSegment().then(this.#writeFirst, this.#openFailed);
  };

  readonly #writeFirst = (segment: Segment): void => this.#writeBatch(segment);

  readonly #openFailed = (error: unknown): void => this.#fail(this.#takeBatch(), error);

  async #openSegment(): Promise<Segment> {
    const { folder, salt } = this.#options;
    this.#sealSegment();
    const sequence = this.#nextSequence;
    this.#nextSequence += 1;
    const file = path.join(folder, segmentFileName(sequence, salt));
    const handle = await fs.promises.open(file, "wx+", 0o600);
    try {
      await handle.write(encodeSegmentHeader(sequence, salt), 0, SEGMENT_HEADER_BYTES, 0);
      await handle.sync();
      await syncFolder(folder);
    } catch (error) {
      await fs.promises.unlink(file).catch(() => undefined);
      throw error;
    } finally {
      await handle.close();
    }
    // A plain descriptor from here on: the callback interface costs a third of the promise one per write.
    this.#handle = fs.openSync(file, "r+");
    this.#durableHandle = openDurable(file);
    const { ino } = fs.fstatSync(this.#handle);
    const segment = new Segment(sequence, file, salt, SEGMENT_HEADER_BYTES, ino);
    this.#segment = segment;
    this.#owner.segmentOpened(segment);
    return segment;
  }

  #takeBatch(): PendingRecord[] {
    let bytes = 0;
    let count = 0;
    for (const record of this.#pending) {
      if (count > 0 && bytes + record.bytes > MAX_BATCH_BYTES) break;
      bytes += record.bytes;
      count += 1;
    }
    this.#pendingBytes -= bytes;
    if (count < this.#pending.length) {
      const batch = this.#pending.splice(0, count);
      this.#pendingWaiters -= waitersOf(batch);
      return batch;
    }
    const batch = this.#pending;
    this.#pending = [];
    this.#pendingWaiters = 0;
    return batch;
  }

  #writeBatch(segment: Segment): void {
    const batch = this.#takeBatch();
    const buffers: Buffer[] = [];
    for (const record of batch) for (const buffer of record.buffers) buffers.push(buffer);
    const handle = this.#handle;
    // A durable write makes its own bytes durable, and not those that an earlier write still owes a barrier.
    const isOneStep = !this.#owesBarrier && this.#wantsBarrier(batch);
    const durableHandle = isOneStep ? this.#durableHandle : undefined;
    const begun = performance.now();
    writeAll(durableHandle ?? handle, buffers, segment.size, (writeError) => {
      if (writeError !== null) return this.#fail(batch, writeError);
      if (durableHandle !== undefined) return this.#landSynced(batch, segment, begun);
      if (!this.#wantsBarrier(batch)) return this.#landUnsynced(batch, segment);
      fs.fdatasync(handle, (syncError) => {
        if (syncError !== null) return this.#fail(batch, syncError);
        return this.#landSynced(batch, segment, begun);
      });
    });
  }

  /** Everything in the segment is on disk. */
  #landSynced(batch: readonly PendingRecord[], segment: Segment, begun: number): void {
    this.#cancelBarrier?.();
    this.#cancelBarrier = undefined;
    this.#owesBarrier = false;
    this.#barrierIsDue = false;
    const now = performance.now();
    this.#group.barrierEnded(now, now - begun, waitersOf(batch), this.#pendingWaiters);
    const { counts } = this.#options;
    counts.barriers += 1;
    counts.barrierMs += now - begun;
    counts.isFailing = false;
    this.#land(batch, segment);
  }

  /** Somebody waits for it, or it was put off for long enough. */
  #wantsBarrier(batch: readonly PendingRecord[]): boolean {
    if (this.#owesBarrier && (this.#barrierIsDue || this.#idleWaiters.length > 0)) return true;
    return this.#idleWaiters.length > 0 || waitersOf(batch) > 0;
  }

  /** States and ends outlive a killed process at once, a power failure with the next barrier. */
  #landUnsynced(batch: readonly PendingRecord[], segment: Segment): void {
    this.#owesBarrier = true;
    this.#cancelBarrier ??= this.#options.clock.after(this.#options.syncIntervalMs, this.#onBarrierTimer);
    this.#land(batch, segment);
  }

  #land(batch: readonly PendingRecord[], segment: Segment): void {
    this.#busy = false;
    let offset = segment.size;
    for (const record of batch) {
      this.#owner.landed(record, segment, offset);
      offset += record.bytes;
    }
    segment.size = offset;
    for (const record of batch) record.waiter?.resolve();
    if (this.#pending.length > 0 || (this.#owesBarrier && this.#idleWaiters.length > 0)) this.#schedule();
    else this.#settleIdle(undefined);
    this.#owner.synced();
  }

  /**
   * After a failed barrier the kernel may hold the pages clean though they are not on disk, and a second fdatasync
   * would answer success: nothing of this batch counts, and nothing more goes to this file.
   */
  #fail(batch: readonly PendingRecord[], cause: unknown): void {
    this.#busy = false;
    this.#cutSegment();
    const error = new OnArrivalError("STORE_FAILED", `the store could not write: ${describeError(cause)}`, {
      cause,
    });
    const kept: PendingRecord[] = [];
    for (const record of batch) {
      if (record.waiter === undefined) kept.push(record);
      else this.#owner.failed(record);
      record.waiter?.reject(error);
    }
    for (const record of kept) this.#pendingBytes += record.bytes;
    this.#pending = [...kept, ...this.#pending];
    this.#settleIdle(error);
    this.#options.counts.failures += 1;
    this.#options.counts.isFailing = true;
    this.#owner.writeFailed(error);
    // Commits try again at once with a new segment; records that nobody waits for give the disk some time.
    if (this.#pendingWaiters > 0) this.#schedule();
    else if (this.#pending.length > 0) {
      this.#cancelWrite ??= this.#options.clock.after(RETRY_AFTER_MS, this.#onWriteTimer);
    }
  }

  /** Cuts off what was not synchronised: what nobody was promised shall not come back, and its space is needed. */
  #cutSegment(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    try {
      fs.ftruncateSync(this.#handle, segment.size);
    } catch {
      // The ids that were refused are ended in the next segment as well.
    }
    this.#sealSegment();
  }

  #sealSegment(): void {
    this.#isAbandoned = false;
    if (this.#segment === undefined) return;
    this.#owesBarrier = false;
    this.#segment.sealed = true;
    this.#segment = undefined;
    fs.close(this.#handle, () => undefined);
    if (this.#durableHandle !== undefined) fs.close(this.#durableHandle, () => undefined);
    this.#handle = -1;
    this.#durableHandle = undefined;
  }

  #settleIdle(error: Error | undefined): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }
}

const waitersOf = (records: readonly PendingRecord[]): number =>
  records.reduce((count, { waiter }) => (waiter === undefined ? count : count + 1), 0);

/** Undefined: the barrier is a step of its own. */
function openDurable(file: string): number | undefined {
  if (DURABLE_WRITES === undefined) return undefined;
  try {
    return fs.openSync(file, fs.constants.O_RDWR | DURABLE_WRITES);
  } catch {
    // Too many open files: mail goes on with one descriptor.
    return undefined;
  }
}
