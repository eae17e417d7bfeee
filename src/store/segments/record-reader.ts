// Reads records back. The files of the segments last read stay open: mail that is due again is read in the order of its arrival.
import { type FileHandle, open } from "node:fs/promises";
import { OnArrivalError } from "../../core/errors.ts";
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
  /** Fewer than a whole block where the file ended when it was read. */
  readonly bytes: Buffer;
}

const MAX_OPEN = 8;
const BLOCK_BYTES = 256 * 1024;
/** Blocks kept of reading ahead: more than one, because messages and their states may lie apart. */
const MAX_BLOCKS = 4;

export class RecordReader {
  /** The last used at the end. */
  readonly #open = new Map<Segment, OpenSegment>();
  /** The last read first. */
  readonly #blocks: Block[] = [];
  #isClosed = false;

  /** Throws STORE_CORRUPT for bytes that have changed since they were written. */
  async read(place: Place): Promise<StoredRecord> {
    const { segment, offset, bytes } = place;
    return checked(place, await this.#bytes(segment, offset, bytes));
  }

  /** The same for who goes through many messages in their order, one at a time: what lies behind the record is read with it. */
  async readAhead(place: Place): Promise<StoredRecord> {
    const { segment, offset, bytes } = place;
    if (bytes > BLOCK_BYTES) return this.read(place);
    // A million messages are ten thousand blocks: read into the places of others, they leave no garbage behind.
    const oldest = this.#blocks.length < MAX_BLOCKS ? undefined : this.#blocks.pop();
    const room = oldest === undefined ? Buffer.allocUnsafeSlow(BLOCK_BYTES) : wholeOf(oldest.bytes);
    const block = { segment, offset, bytes: await this.#bytes(segment, offset, BLOCK_BYTES, room) };
    this.#blocks.unshift(block);
    this.#blocks.length = Math.min(this.#blocks.length, MAX_BLOCKS);
    return this.readKnown(place) ?? this.read(place);
  }

  /** Undefined: it was not read along with others. The bytes are those of the record until the next call of readAhead. */
  readKnown(place: Place): StoredRecord | undefined {
    const { segment, offset, bytes } = place;
    for (const block of this.#blocks) {
      const at = offset - block.offset;
      if (block.segment === segment && at >= 0 && at + bytes <= block.bytes.length)
        return checked(place, block.bytes.subarray(at, at + bytes));
    }
    return undefined;
  }

  /** Fewer where the file ends. */
  async #bytes(
    segment: Segment,
    offset: number,
    bytes: number,
    buffer: Buffer = Buffer.allocUnsafe(bytes),
  ): Promise<Buffer> {
    const file = this.#use(segment);
    try {
      const handle = await file.handle;
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

  /** Whoever removes their files leaves us what is in them, unless others were read since. Of many the last ones. */
  keepOpen(segments: readonly Segment[]): void {
    for (const segment of segments.slice(-MAX_OPEN)) {
      const file = this.#use(segment);
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
    this.#isClosed = true;
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
      // Who still reads when the store has closed has a file for himself.
      file = { segment, handle: open(segment.path, "r"), readers: 0, isClosing: this.#isClosed };
      // One that cannot be opened is tried anew by the next reader.
      const failed = file;
      file.handle.catch(() => this.#retire(failed));
    } else {
      this.#open.delete(segment);
    }
    if (!this.#isClosed) this.#open.set(segment, file);
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

const wholeOf = ({ buffer }: Buffer): Buffer => Buffer.from(buffer, 0, BLOCK_BYTES);
