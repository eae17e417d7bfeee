// One key-value store on disk: a log of what was set and deleted, synchronised before anybody is told, rewritten when most of
// it is history. After a crash the log ends where its last whole record does.
import { copyFile, type FileHandle, open, rename } from "node:fs/promises";
import path from "node:path";
import { crc32 } from "node:zlib";
import { syncFolder } from "../../message/sync-folder.ts";

export interface KeyValueEntry {
  readonly key: string;
  /** undefined: the key was deleted. */
  readonly value: Buffer | undefined;
  /** ms since the epoch; Infinity: never. */
  readonly expiresAt: number;
}

export interface KeyValueLogOptions {
  readonly file: string;
  /** What a rewritten log holds, and how many bytes that takes. */
  readonly live: () => Iterable<KeyValueEntry>;
  readonly liveBytes: () => number;
  /** In the order of the log. */
  readonly recovered: (entry: KeyValueEntry) => void;
  /** Bytes behind the last whole record: they were dropped, a copy of the file is beside it. */
  readonly damaged: (droppedBytes: number) => void;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const MAGIC = Buffer.from("OnArrival kv 1\n");
/** u32 length of the body, u32 checksum of the body. */
const HEAD_BYTES = 8;
/** u8 operation, f64 time of expiry, u32 length of the key; then the key and the value. */
const FIXED_BYTES = 13;
/** What an entry takes in the log beside its key and value. */
export const RECORD_BYTES = HEAD_BYTES + FIXED_BYTES;
const SET = 1;
const DELETE = 2;
const REWRITE_FROM_BYTES = 1024 * 1024;

export class KeyValueLog {
  #options: KeyValueLogOptions;
  #handle: FileHandle;
  #bytes: number;
  #pending: Waiting[] = [];
  #work: Promise<void> | undefined;
  #failure: unknown;

  private constructor(options: KeyValueLogOptions, handle: FileHandle, bytes: number) {
    this.#options = options;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  static async open(options: KeyValueLogOptions): Promise<KeyValueLog> {
    const { file } = options;
    const handle = await open(file, "a+", 0o600);
    try {
      const bytes = await handle.readFile();
      const end = recover(bytes, options.recovered);
      if (end < bytes.length) {
        await copyFile(file, `${file}.damaged`);
        await handle.truncate(end);
        options.damaged(bytes.length - end);
      }
      if (end === 0) {
        await handle.appendFile(MAGIC);
        await handle.sync();
        await syncFolder(path.dirname(file));
      }
      return new KeyValueLog(options, handle, Math.max(end, MAGIC.length));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Resolves when the entry is on the disk. After a rejection the log takes no more: it has to be opened anew. */
  append(entry: KeyValueEntry): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ bytes: encode(entry), resolve, reject });
      this.#work ??= this.#writePending();
    });
  }

  async close(): Promise<void> {
    await this.#work;
    await this.#handle.close();
  }

  /** What comes while the disk is busy shares the next barrier. */
  async #writePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const isHistory = this.#bytes > 2 * this.#options.liveBytes();
        if (this.#bytes > REWRITE_FROM_BYTES && isHistory) await this.#rewrite();
        else await this.#write(batch);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#failure = error;
        for (const { reject } of batch) reject(error);
      }
    }
    this.#work = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.concat(batch.map((waiting) => waiting.bytes));
    await this.#handle.appendFile(bytes);
    await this.#handle.datasync();
    this.#bytes += bytes.length;
  }

  /** What is live includes the batch that waits, and what came meanwhile is written again behind it. */
  async #rewrite(): Promise<void> {
    const { file, live } = this.#options;
    const bytes = Buffer.concat([MAGIC, ...[...live()].map((entry) => encode(entry))]);
    const temporary = `${file}.tmp`;
    const next = await open(temporary, "w", 0o600);
    try {
      await next.writeFile(bytes);
      await next.sync();
    } finally {
      await next.close();
    }
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
    const handle = await open(file, "a+", 0o600);
    await this.#handle.close();
    this.#handle = handle;
    this.#bytes = bytes.length;
  }
}

function encode({ key, value, expiresAt }: KeyValueEntry): Buffer {
  const name = Buffer.from(key);
  const body = Buffer.alloc(FIXED_BYTES + name.length + (value?.length ?? 0));
  body.writeUInt8(value === undefined ? DELETE : SET, 0);
  body.writeDoubleLE(expiresAt, 1);
  body.writeUInt32LE(name.length, 9);
  name.copy(body, FIXED_BYTES);
  value?.copy(body, FIXED_BYTES + name.length);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(body.length, 0);
  head.writeUInt32LE(crc32(body), 4);
  return Buffer.concat([head, body]);
}

/** Answers where the last whole record ends. */
function recover(bytes: Buffer, recovered: (entry: KeyValueEntry) => void): number {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return 0;
  let offset = MAGIC.length;
  while (offset + RECORD_BYTES <= bytes.length) {
    const start = offset + HEAD_BYTES;
    const end = start + bytes.readUInt32LE(offset);
    const body = bytes.subarray(start, end);
    if (end > bytes.length || body.length < FIXED_BYTES || crc32(body) !== bytes.readUInt32LE(offset + 4))
      break;
    const keyEnd = FIXED_BYTES + body.readUInt32LE(9);
    recovered({
      key: body.toString("utf8", FIXED_BYTES, keyEnd),
      // Copied: a slice would keep the whole file in memory.
      value: body.readUInt8(0) === SET ? Buffer.from(body.subarray(keyEnd)) : undefined,
      expiresAt: body.readDoubleLE(1),
    });
    offset = end;
  }
  return offset;
}
