// Reads records back. The files of the segments last read stay open: mail that is due again is read in the order of its arrival.
import { type FileHandle, open } from "node:fs/promises";
import { OnArrivalError } from "../core/errors.ts";
import type { Place, Segment } from "./message-index.ts";
import { type StoredRecord, checkedRecord } from "./record-json.ts";

interface OpenSegment {
  readonly segment: Segment;
  readonly handle: Promise<FileHandle>;
  readers: number;
  isClosing: boolean;
}

interface Block {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: Promise<Buffer>;
}

const MAX_OPEN = 8;
const BLOCK_BYTES = 256 * 1024;
/** Messages and their states may lie apart. */
const MAX_BLOCKS = 4;

export class RecordReader {
  /** The last used at the end. */
  readonly #open = new Map<Segment, OpenSegment>();
  /** The last read first. */
  readonly #blocks: Block[] = [];

  /** Throws STORE_CORRUPT for bytes that have changed since they were written. */
  async read(place: Place): Promise<StoredRecord> {
    const { segment, offset, bytes } = place;
    return checked(place, await this.#bytes(segment, offset, bytes));
  }

  /** The same for who goes through many messages in their order: what lies behind the record is read with it. */
  async readAhead(place: Place): Promise<StoredRecord> {
    const { segment, offset, bytes } = place;
    if (bytes > BLOCK_BYTES) return this.read(place);
    let block = this.#blocks.find((known) => known.segment === segment && contains(known, offset, bytes));
    if (block === undefined) {
      block = { segment, offset, bytes: this.#bytes(segment, offset, BLOCK_BYTES) };
      this.#blocks.unshift(block);
      this.#blocks.length = Math.min(this.#blocks.length, MAX_BLOCKS);
    }
    const at = offset - block.offset;
    const record = (await block.bytes).subarray(at, at + bytes);
    // The file may have grown since: the block ends where it ended then.
    return record.length < bytes ? this.read(place) : checked(place, record);
  }

  /** Fewer where the file ends. */
  async #bytes(segment: Segment, offset: number, bytes: number): Promise<Buffer> {
    const file = this.#use(segment);
    try {
      const handle = await file.handle;
      const buffer = Buffer.allocUnsafe(bytes);
      let done = 0;
      while (done < bytes) {
        const { bytesRead } = await handle.read(buffer, done, bytes - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return buffer.subarray(0, done);
    } finally {
      file.readers -= 1;
      this.#settle(file);
    }
  }

  /** The segment is removed: an open file would keep its space. */
  forget(segment: Segment): void {
    this.forgetAhead();
    const file = this.#open.get(segment);
    if (file !== undefined) this.#retire(file);
  }

  close(): void {
    this.forgetAhead();
    for (const file of this.#open.values()) this.#retire(file);
  }

  /** Who went through many messages is through. */
  forgetAhead(): void {
    this.#blocks.length = 0;
  }

  #use(segment: Segment): OpenSegment {
    let file = this.#open.get(segment);
    if (file === undefined) {
      const [oldest] = this.#open.size >= MAX_OPEN ? this.#open.values() : [];
      if (oldest !== undefined) this.#retire(oldest);
      file = { segment, handle: open(segment.path, "r"), readers: 0, isClosing: false };
      // One that cannot be opened is tried anew by the next reader.
      const failed = file;
      file.handle.catch(() => this.#retire(failed));
    } else {
      this.#open.delete(segment);
    }
    this.#open.set(segment, file);
    file.readers += 1;
    return file;
  }

  #retire(file: OpenSegment): void {
    if (this.#open.get(file.segment) === file) this.#open.delete(file.segment);
    if (file.isClosing) return;
    file.isClosing = true;
    this.#settle(file);
  }

  #settle(file: OpenSegment): void {
    if (!file.isClosing || file.readers > 0) return;
    file.handle.then((handle) => handle.close()).catch(() => undefined);
  }
}

function checked({ segment, offset }: Place, bytes: Buffer): StoredRecord {
  const record = checkedRecord(bytes, segment.salt);
  if (record !== undefined) return record;
  throw new OnArrivalError(
    "STORE_CORRUPT",
    `${segment.path}: the record at ${offset} is not as it was written`,
  );
}

const contains = ({ offset: start }: Block, offset: number, bytes: number): boolean =>
  offset >= start && offset + bytes <= start + BLOCK_BYTES;
