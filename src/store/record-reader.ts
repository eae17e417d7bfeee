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

const MAX_OPEN = 8;

export class RecordReader {
  /** The last used at the end. */
  readonly #open = new Map<Segment, OpenSegment>();

  /** Throws STORE_CORRUPT for bytes that have changed since they were written. */
  async read(place: Place): Promise<StoredRecord> {
    const { segment, offset, bytes } = place;
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
      const record = done === bytes ? checkedRecord(buffer, segment.salt) : undefined;
      if (record !== undefined) return record;
    } finally {
      file.readers -= 1;
      this.#settle(file);
    }
    throw new OnArrivalError(
      "STORE_CORRUPT",
      `${segment.path}: the record at ${offset} is not as it was written`,
    );
  }

  /** The segment is removed: an open file would keep its space. */
  forget(segment: Segment): void {
    const file = this.#open.get(segment);
    if (file !== undefined) this.#retire(file);
  }

  close(): void {
    for (const file of this.#open.values()) this.#retire(file);
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
