// The store driver: messages appended to segment files below <mailroot>/Queue, durable by group commit.
// Read next: record.ts (the bytes), segment-writer.ts (the barrier), recovery.ts (the start), compaction.ts (the space).
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { Envelope, Origin } from "../../core/envelope.ts";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import { type Logger, silentLogger } from "../../core/logger.ts";
import type { Content } from "../../message/content.ts";
import { type CompactionOwner, tidySegments } from "./compaction.ts";
import { ContentCache } from "./content-cache.ts";
import { ContentFiles } from "./content-files.ts";
import { type LaidOut, layOut } from "./content-layout.ts";
import { DiskWatch } from "./disk-watch.ts";
import { type MailrootLock, lockMailroot } from "../mailroot-lock.ts";
import { createMessageIds } from "../../core/message-ids.ts";
import { LivingMessages } from "./living-messages.ts";
import { Entry, type Segment, dropPlaces, placeMessage, placeState } from "./message-index.ts";
import { readBack, readContent, readInOrder, readMessage, throwStoreFailed } from "./read-back.ts";
import type { MessageJson, StateJson } from "./record-json.ts";
import { RecordReader } from "./record-reader.ts";
import { encodeRecord, recordType, type RecordType, SALT_BYTES } from "./record.ts";
import { recoverStore, reportRecovery } from "./recovery.ts";
import { type PendingRecord, SegmentWriter, type Waiter } from "./segment-writer.ts";
import { StoreCounts, type StoreFigures } from "../store-counts.ts";
import { DEFAULT_STORE_SETTINGS, type StoreSettings } from "../settings.ts";
import type { RecoveredMessage, Recovery, SpoolFile, StoreDriver } from "../store-driver.ts";
import { VanishedSegments } from "./vanished-segments.ts";
import { WriteFault } from "./write-fault.ts";

export interface SegmentStoreOptions {
  /** `<mailroot>/Queue`. */
  readonly folder: string;
  readonly settings?: Partial<StoreSettings>;
  readonly clock?: Clock;
  /** In [0, 1): the tag of this run in the message ids. */
  readonly random?: () => number;
  /** Makes the ids where several stores share them; absent: the store makes its own. */
  readonly nextId?: () => string;
  readonly logger?: Logger;
}

/** How long after a barrier old segments are looked at. */
const TIDY_AFTER_MS = 500;

export class SegmentStore implements StoreDriver {
  readonly nextId: () => string;
  readonly counts = new StoreCounts();
  readonly #folder: string;
  readonly #settings: StoreSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** New for every run: see record.ts for what it protects from. */
  readonly #salt = randomBytes(SALT_BYTES);
  readonly #files: ContentFiles;
  readonly #fault: WriteFault;
  readonly #cache: ContentCache;
  readonly #disk: DiskWatch;
  readonly #vanished: VanishedSegments;
  readonly #segments: Segment[] = [];
  readonly #reader = new RecordReader();
  #living = new LivingMessages();
  #writer: SegmentWriter | undefined;
  #lock: MailrootLock | undefined;
  #cancelTidy: (() => void) | undefined;
  #tidying: Promise<void> | undefined;
  #closing = false;

  constructor(options: SegmentStoreOptions) {
    this.#folder = path.resolve(options.folder);
    this.#settings = { ...DEFAULT_STORE_SETTINGS, ...options.settings };
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.nextId = options.nextId ?? createMessageIds(this.#clock, options.random ?? Math.random);
    this.#fault = new WriteFault(this.#logger, this.#clock);
    this.#files = new ContentFiles(path.join(this.#folder, "content"), this.nextId, (file, error) =>
      this.#logger.warn({ file, error: describeError(error) }, "content file not removed"),
    );
    this.#cache = new ContentCache(this.#settings.memoryBudget);
    this.#disk = new DiskWatch({
      logger: this.#logger,
      folder: this.#folder,
      minFreeBytes: this.#settings.minFreeBytes,
      sampleMs: this.#settings.diskSampleMs,
      clock: this.#clock,
      lookInside: () => this.#vanished.look(),
    });
    this.#vanished = new VanishedSegments({
      compaction: () => this.#compaction(),
      logger: this.#logger,
      folders: [this.#files.folder, path.join(this.#folder, "corrupt")],
      relock: () => this.#lock?.retake(),
      abandonSegment: () => this.#writer?.abandonSegment(),
    });
  }

  async open(): Promise<Recovery> {
    const corrupt = path.join(this.#folder, "corrupt");
    try {
      for (const folder of [this.#files.folder, corrupt]) await mkdir(folder, { recursive: true });
    } catch (error) {
      throw new OnArrivalError("MAILROOT_UNUSABLE", `${this.#folder}: ${describeError(error)}`, {
        cause: error,
      });
    }
    this.#lock = lockMailroot(this.#folder);
    try {
      return await this.#recover(corrupt);
    } catch (error) {
      this.#lock.release();
      this.#lock = undefined;
      throw error;
    }
  }

  async #recover(corrupt: string): Promise<Recovery> {
    const folders = { segments: this.#folder, contents: this.#files.folder, corrupt };
    const found = await recoverStore(folders, this.#reader, this.#settings.recoverAtOnce);
    this.#segments.push(...found.segments);
    this.#reader.keepOpen(found.segments);
    this.#living = found.living;
    for (const file of found.files) this.#files.retain(file);
    const orphans = await this.#files.removeOrphans(found.corrupt.length > 0 ? corrupt : undefined);
    await this.#disk.start();
    const { segmentBytes, syncIntervalMs, groupDelayMs } = this.#settings;
    this.#writer = new SegmentWriter(
      {
        folder: this.#folder,
        salt: this.#salt,
        firstSequence: found.lastSequence + 1,
        segmentBytes,
        syncIntervalMs,
        groupDelayMs,
        clock: this.#clock,
        counts: this.counts,
      },
      {
        landed: (record, segment, offset) => this.#landed(record, segment, offset),
        failed: (record) => this.#failed(record),
        segmentOpened: (segment) => {
          this.#segments.push(segment);
          this.#reader.keepOpen([segment]);
        },
        synced: () => {
          if (!this.counts.isFailing) this.#fault.worked();
          this.#tidySoon();
        },
        writeFailed: (error) => {
          this.#fault.failed(error);
          void this.#disk.sample();
        },
      },
    );
    for (const entry of found.lost) this.#append(recordType.end, entry, "", undefined, undefined, undefined);
    reportRecovery(this.#logger, found, orphans);
    this.#tidySoon();
    return { messages: found.messages, later: found.later, corrupt: found.corrupt };
  }

  async createSpoolFile(): Promise<SpoolFile> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    return this.#files.create().catch(throwStoreFailed);
  }

  commit(id: string, origin: Origin, envelope: Envelope, content: Content): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    const laidOut = this.#layOutInline(content);
    if (laidOut !== undefined) return this.#commit(id, { origin, envelope }, content, laidOut);
    return this.#rewrite(content).then(({ content: written, laidOut: found }) =>
      this.#commit(id, { origin, envelope }, written, found),
    );
  }

  #commit(id: string, message: MessageJson, content: Content, laidOut: LaidOut): Promise<void> {
    if (this.#living.has(id)) return Promise.reject(new OnArrivalError("INTERNAL", `${id} is in use`));
    const entry = new Entry(id);
    const { layout, memory } = laidOut;
    const json = JSON.stringify(layout === undefined ? message : { ...message, layout });
    if (layout !== undefined) this.#takeFile(entry, layout.file);
    this.#living.add(entry);
    return new Promise((resolve, reject) => {
      this.#append(recordType.message, entry, json, memory, { resolve, reject }, undefined);
      this.#cache.keep(entry, content);
    });
  }

  async saveState(id: string, state: string, content?: Content, isAwaited = false): Promise<void> {
    const entry = this.#entry(id);
    if (content === undefined) {
      entry.unlandedState = state;
      const append = (waiter?: Waiter): void =>
        this.#append(recordType.state, entry, JSON.stringify({ state }), undefined, waiter, undefined);
      if (isAwaited) await new Promise<void>((resolve, reject) => append({ resolve, reject }));
      else append();
      return;
    }
    const inline = this.#layOutInline(content);
    const { content: kept, laidOut } =
      inline === undefined ? await this.#rewrite(content) : { content, laidOut: inline };
    const { layout, memory } = laidOut;
    const json: StateJson = layout === undefined ? { state } : { state, layout };
    const before = entry.file;
    if (layout?.file !== before) {
      entry.file = undefined;
      if (layout !== undefined) this.#takeFile(entry, layout.file);
    }
    if (entry.removed) {
      // The message ended while its content was written: nothing may refer to that file.
      if (entry.file !== undefined && entry.file !== before) this.#files.release(entry.file);
      return;
    }
    entry.revision += 1;
    entry.unlandedState = state;
    const released = entry.file === before ? undefined : before;
    this.#append(recordType.state, entry, JSON.stringify(json), memory, undefined, released);
    this.#cache.keep(entry, kept);
  }

  async loadContent(id: string): Promise<Content> {
    return this.#entry(id).fresh ?? this.#read(id, (entry) => readContent(this.#reader, entry, this.#files));
  }

  reload(id: string): Promise<RecoveredMessage> {
    return this.#read(id, (entry) => readMessage(this.#reader, entry));
  }

  /** What compaction moves meanwhile is among those that are left out, at worst. */
  reloadInOrder(ids: readonly string[]): Promise<readonly RecoveredMessage[]> {
    const entries = ids.flatMap((id) => this.#living.peek(id) ?? []);
    return readInOrder(this.#reader, entries, () => undefined);
  }

  #read<Found>(id: string, read: (entry: Entry) => Promise<Found | undefined>): Promise<Found> {
    return readBack(() => this.#entry(id), read);
  }

  rest(id: string): void {
    const entry = this.#living.rest(id);
    if (entry !== undefined) this.#settle(entry);
  }

  #settle(entry: Entry): void {
    if (!entry.resting || entry.unlanded > 0) return;
    this.#cache.drop(entry);
    this.#living.settle(entry);
  }

  remove(id: string): void {
    const entry = this.#living.get(id);
    if (entry !== undefined) this.#end(entry);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelTidy?.();
    const lookedAt = this.#disk.stop();
    try {
      await this.#tidying;
      await this.#writer?.close();
      await Promise.all([lookedAt, this.#files.settled()]);
    } finally {
      this.#writer = undefined;
      this.#reader.close();
      this.#lock?.release();
      this.#lock = undefined;
    }
  }

  figures(): StoreFigures {
    return {
      messages: this.#living.size,
      working: this.#living.workingCount,
      segments: this.#segments.length,
      bytes: this.#segments.reduce((sum, { size }) => sum + size, 0),
      refusal: this.#refusal()?.message,
    };
  }

  #entry(id: string): Entry {
    const entry = this.#living.get(id);
    if (entry === undefined) throw new OnArrivalError("INTERNAL", `the store has no message ${id}`);
    return entry;
  }

  #refusal(): OnArrivalError | undefined {
    const reason = this.#writer === undefined || this.#closing ? "the store is not open" : this.#disk.refusal;
    return reason === undefined ? undefined : new OnArrivalError("STORE_FAILED", reason);
  }

  /** The layout of a content that can stand in a record as it is. */
  #layOutInline(content: Content): LaidOut | undefined {
    const laidOut = layOut(content, this.#files.folder);
    return laidOut !== undefined && laidOut.memoryBytes <= this.#settings.inlineBytes ? laidOut : undefined;
  }

  /** The content as a file of its own, header block first. */
  async #rewrite(content: Content): Promise<{ content: Content; laidOut: LaidOut }> {
    const written = await this.#files.rewrite(content).catch(throwStoreFailed);
    const laidOut = layOut(written, this.#files.folder);
    if (laidOut === undefined) throw new OnArrivalError("INTERNAL", "a content file without layout");
    return { content: written, laidOut };
  }

  #takeFile(entry: Entry, file: string): void {
    entry.file = file;
    this.#files.retain(file);
  }

  #append(
    type: RecordType,
    entry: Entry,
    json: string,
    memory: readonly Buffer[] | undefined,
    waiter: Waiter | undefined,
    releases: string | undefined,
  ): void {
    const writer = this.#writer;
    if (writer === undefined) throw new OnArrivalError("STORE_FAILED", "the store is not open");
    const { buffers, bytes } = encodeRecord(this.#salt, type, entry.id, json, entry.revision, memory);
    entry.version += 1;
    entry.unlanded += 1;
    writer.append({ type, entry, buffers, bytes, withContent: memory !== undefined, releases, waiter });
  }

  #end(entry: Entry): void {
    entry.removed = true;
    this.#living.end(entry);
    this.#cache.drop(entry);
    dropPlaces(entry);
    this.#append(recordType.end, entry, "", undefined, undefined, entry.file);
  }

  #landed(record: PendingRecord, segment: Segment, offset: number): void {
    const { entry, releases } = record;
    entry.unlanded -= 1;
    if (!entry.removed) {
      const place = { segment, offset, bytes: record.bytes };
      if (record.type === recordType.message) {
        placeMessage(entry, place);
        this.counts.commits += 1;
      } else if (record.type === recordType.state) placeState(entry, place, record.withContent);
    }
    if (releases !== undefined) this.#files.release(releases);
    if (entry.unlanded > 0) return;
    entry.unlandedState = undefined;
    // A message whose state is saved waits: what is left of many that came together would keep the memory of them all.
    if (record.type === recordType.state) this.#cache.drop(entry);
    this.#settle(entry);
  }

  /** A refused message is ended as well: part of its record may have reached the disk. A failed copy changes nothing. */
  #failed({ entry }: PendingRecord): void {
    entry.unlanded -= 1;
    if (entry.message === undefined && !entry.removed) this.#end(entry);
  }

  #tidySoon(): void {
    if (this.#segments.length < 2 || this.#tidying !== undefined || this.#closing) return;
    this.#cancelTidy ??= this.#clock.after(TIDY_AFTER_MS, () => {
      this.#cancelTidy = undefined;
      this.#tidying = this.#tidy();
    });
  }

  async #tidy(): Promise<void> {
    try {
      await tidySegments(this.#compaction(), this.#folder, this.#settings.segmentBytes);
    } catch (error) {
      this.#logger.error({ error: describeError(error) }, "old segments could not be tidied");
    } finally {
      this.#tidying = undefined;
    }
  }

  #compaction(): CompactionOwner {
    return {
      segments: this.#segments,
      living: this.#living,
      reader: this.#reader,
      copyMessage: async (entry, json, content) => {
        if (this.#closing) return;
        await new Promise<void>((resolve, reject) => {
          const waiter = { resolve, reject };
          this.#append(recordType.message, entry, JSON.stringify(json), [content], waiter, undefined);
        });
      },
    };
  }
}
