// Gathers lines and writes them in blocks, one write at a time, never waiting for the disk.
// pino's own destination ends each flush with an fsync, which stopped the relay for milliseconds ten times a second.
import { write, writeSync } from "node:fs";

export interface BlockWriterSettings {
  /** Lines are gathered up to this size … */
  readonly blockBytes: number;
  /** … or for this long. */
  readonly flushMs: number;
  /** A reader that is too slow loses lines beyond this, and is told how many. */
  readonly maxPendingBytes: number;
}

/** How often a full pipe is tried again when lines have to be out before going on. */
const SYNC_ATTEMPTS = 1000;

export class BlockWriter {
  readonly #fd: number;
  readonly #settings: BlockWriterSettings;
  readonly #timer: NodeJS.Timeout;
  #pending: string[] = [];
  #pendingChars = 0;
  #dropped = 0;
  /** On its way; written again from here when a synchronous flush comes in between. */
  #inFlight: Buffer | undefined;
  #broken = false;

  constructor(fd: number, settings: BlockWriterSettings) {
    this.#fd = fd;
    this.#settings = settings;
    this.#timer = setInterval(() => this.#writeBlock(), settings.flushMs);
    this.#timer.unref();
  }

  write(line: string): void {
    if (this.#pendingChars + line.length > this.#settings.maxPendingBytes) {
      this.#dropped += 1;
      return;
    }
    this.#pending.push(line);
    this.#pendingChars += line.length;
    if (this.#pendingChars >= this.#settings.blockBytes) this.#writeBlock();
  }

  /** Everything is handed to the system when it returns, unless nobody reads. */
  flushSync(): void {
    // What is on its way cannot be called back: its order with these lines is lost at worst, no line is.
    const block = this.#takeBlock();
    if (block === undefined || this.#broken) return;
    let written = 0;
    for (let attempt = 0; attempt < SYNC_ATTEMPTS && written < block.length; attempt += 1) {
      try {
        written += writeSync(this.#fd, block, written);
      } catch (thrown) {
        if (!isTryAgain(thrown)) return;
      }
    }
  }

  /** Resolves when the block on its way is out as well. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.flushSync();
    while (this.#inFlight !== undefined && !this.#broken) await new Promise(setImmediate);
  }

  #writeBlock(): void {
    if (this.#inFlight !== undefined) return;
    const block = this.#takeBlock();
    if (block === undefined) return;
    this.#inFlight = block;
    this.#continue(block);
  }

  #continue(block: Buffer): void {
    write(this.#fd, block, (error, written) => {
      this.#inFlight = undefined;
      // The reader of our output has gone away: mail goes on without a log.
      if (error !== null && !isTryAgain(error)) this.#broken = true;
      const rest = error === null ? block.subarray(written) : block;
      if (this.#broken || rest.length === 0) return;
      this.#inFlight = rest;
      if (error === null) this.#continue(rest);
      else setTimeout(() => this.#continue(rest), this.#settings.flushMs).unref();
    });
  }

  #takeBlock(): Buffer | undefined {
    if (this.#pending.length === 0 && this.#dropped === 0) return undefined;
    const lost =
      this.#dropped === 0
        ? ""
        : `{"level":"warn","dropped":${this.#dropped},"msg":"log lines dropped: the reader is too slow"}\n`;
    const block = Buffer.from(this.#pending.join("") + lost);
    this.#pending = [];
    this.#pendingChars = 0;
    this.#dropped = 0;
    return block;
  }
}

const isTryAgain = (thrown: unknown): boolean =>
  thrown instanceof Error && "code" in thrown && thrown.code === "EAGAIN";
