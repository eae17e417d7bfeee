// Takes the content of one message as it arrives: in memory while it is small, then through a spool with back-pressure.
import { Content, headerBlockLength, MAX_HEADER_BLOCK_BYTES } from "../../message/content.ts";
import type { Intake, Spool } from "./intake.ts";

export type BareLineEndingPolicy = "reject" | "allow";

/** The limit as it is from now on. A promise does not reject. */
export type AskForMore = (size: number, limit: number) => number | Promise<number>;

/** What stays in memory of a spooled message, at least: enough for the rules that look at its beginning. */
const START_BYTES = 64 * 1024;
/** A message up to this size is made one buffer; a larger one stays in the pieces in which it came. */
const JOIN_UP_TO_BYTES = 16 * 1024;
/** Chunks below this size are copied behind each other: each would cost a hundred bytes and a microsecond of its own wherever the message goes. */
const SMALL_BYTES = 512;
const BLOCK_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

export class DataCollector {
  readonly #intake: Intake;
  readonly #inlineBytes: number;
  #maxBytes: number;
  readonly #askForMore: AskForMore | undefined;
  #chunks: Buffer[] = [];
  /** Where small chunks go, as long as the last chunk is a part of it. */
  #block: Buffer = NOTHING;
  #size = 0;
  #spoolAt: number;
  #spool: Spool | undefined;
  #start: Buffer | undefined;
  #failure: { readonly cause: unknown } | undefined;
  #isDiscarding = false;
  #pending: Promise<void> | undefined;

  /** `askForMore` is asked each time the content grows beyond its limit. */
  constructor(intake: Intake, inlineBytes: number, maxBytes: number, askForMore?: AskForMore) {
    this.#intake = intake;
    this.#askForMore = askForMore;
    this.#inlineBytes = inlineBytes;
    this.#spoolAt = inlineBytes;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#size;
  }

  get isOversize(): boolean {
    return this.#size > this.#maxBytes;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** The first bytes of the content, at least its header block. */
  get start(): Buffer {
    if (this.#start !== undefined) return this.#start;
    const first = this.#chunks[0] ?? NOTHING;
    if (this.#chunks.length < 2 || headerBlockLength(first) < first.length) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  /** Never rejects: a fault of the store is told by `finish`, when the client expects a reply. */
  add(chunk: Buffer): Promise<void> | undefined {
    this.#size += chunk.length;
    if (this.#isDiscarding) return undefined;
    return this.isOversize ? this.#addBeyond(chunk) : this.#keep(chunk);
  }

  #addBeyond(chunk: Buffer): Promise<void> | undefined {
    const raised = this.#askForMore?.(this.#size, this.#maxBytes) ?? this.#maxBytes;
    return raised instanceof Promise
      ? raised.then((limit) => this.#keepUpTo(limit, chunk))
      : this.#keepUpTo(raised, chunk);
  }

  #keepUpTo(limit: number, chunk: Buffer): Promise<void> | undefined {
    this.#maxBytes = limit;
    // The client may have left while a sink was asked.
    if (this.#isDiscarding) return undefined;
    // The rest of a refused message is drained, not kept.
    return this.isOversize ? this.discard() : this.#keep(chunk);
  }

  #keep(chunk: Buffer): Promise<void> | undefined {
    if (this.#spool !== undefined) return this.#writeTo(this.#spool, chunk);
    if (chunk.length < SMALL_BYTES && this.#chunks.length > 0) this.#append(chunk);
    else this.#chunks.push(chunk);
    if (this.#size <= this.#spoolAt) return undefined;
    return this.#startSpool();
  }

  #append(chunk: Buffer): void {
    const last = this.#chunks.at(-1);
    const used = last?.buffer === this.#block.buffer ? last.length : BLOCK_BYTES;
    const fits = used + chunk.length <= BLOCK_BYTES;
    if (fits) this.#chunks.pop();
    else this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    const start = fits ? used : 0;
    chunk.copy(this.#block, start);
    this.#chunks.push(this.#block.subarray(0, start + chunk.length));
  }

  /** The content behind `trace`. Rejects with what the store answered when a write failed. */
  finish(trace: Buffer): Content | Promise<Content> {
    if (this.#failure !== undefined) return Promise.reject(asError(this.#failure.cause));
    if (this.#spool !== undefined) return this.#spool.finish(Buffer.concat([trace, this.start]));
    if (this.#size <= JOIN_UP_TO_BYTES) return Content.fromBuffer(Buffer.concat([trace, ...this.#chunks]));
    const { start } = this;
    const header = Buffer.concat([trace, start.subarray(0, headerBlockLength(start))]);
    return Content.fromPieces(header, [trace, ...this.#chunks]);
  }

  /** Forgets everything; what still arrives is only counted. */
  discard(): Promise<void> | undefined {
    this.#isDiscarding = true;
    this.#chunks = [];
    this.#start = undefined;
    const spool = this.#spool;
    this.#spool = undefined;
    if (spool === undefined) return undefined;
    // A spool takes one call at a time: the write in hand comes first when the client left in the middle of it.
    const before = this.#pending;
    return this.#guard(async () => {
      await before;
      await spool.discard();
    });
  }

  #startSpool(): Promise<void> | undefined {
    const all = Buffer.concat(this.#chunks);
    const headerBytes = headerBlockLength(all);
    // Everything that reads headers reads them from memory, so a spool begins behind the header block.
    if (headerBytes === all.length && all.length < MAX_HEADER_BLOCK_BYTES) {
      this.#chunks = [all];
      this.#spoolAt = Math.min(MAX_HEADER_BLOCK_BYTES, Math.max(all.length, this.#inlineBytes) * 2);
      return undefined;
    }
    const startBytes = Math.min(all.length, Math.max(START_BYTES, headerBytes));
    // A copy, so that the first megabyte is not pinned by its beginning.
    this.#start = Buffer.from(all.subarray(0, startBytes));
    this.#chunks = [];
    return this.#guard(async () => {
      const spool = await this.#intake.createSpool();
      if (this.#isDiscarding) return spool.discard();
      this.#spool = spool;
      if (startBytes < all.length) await spool.write(all.subarray(startBytes));
    });
  }

  #writeTo(spool: Spool, chunk: Buffer): Promise<void> {
    return this.#guard(() => spool.write(chunk));
  }

  #guard(call: () => Promise<void>): Promise<void> {
    this.#pending = this.#attempt(call);
    return this.#pending;
  }

  async #attempt(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (cause) {
      this.#failure ??= { cause };
      const spool = this.#spool;
      this.#isDiscarding = true;
      this.#spool = undefined;
      // The first fault is the one to tell; a second one while cleaning up adds nothing.
      await spool?.discard().catch(() => undefined);
    }
  }
}

const asError = (cause: unknown): Error => (cause instanceof Error ? cause : new Error(String(cause)));
