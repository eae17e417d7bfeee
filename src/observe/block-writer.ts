// Gathers lines and writes them in blocks, one write at a time, never waiting for the disk.
// pino's own destination ends each flush with an fsync, which stopped the relay for milliseconds ten times a second.
import { write, writeSync } from "node:fs";
import { systemCodeOf } from "../core/system-error.ts";

export interface BlockWriterSettings {
  /** Lines are gathered up to this size … */
  readonly blockBytes: number;
  /** … or for this long. */
  readonly flushMs: number;
  /** A reader that is too slow loses lines beyond this, and is told how many. */
  readonly maxPendingBytes: number;
  /** How it is told, with its end; default: as a line of the log. */
  readonly droppedText?: (lines: number) => string;
}

/** How often a full pipe is tried again when lines have to be out before going on. */
const SYNC_ATTEMPTS = 1000;
const LF = 0x0a;

export class BlockWriter {
  readonly #fd: number;
  readonly #settings: BlockWriterSettings;
  readonly #onBroken: ((error: Error) => void) | undefined;
  readonly #onLost: ((lines: number) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pending: string[] = [];
  #pendingChars = 0;
  #dropped = 0;
  /** On its way; written again from here when a synchronous flush comes in between. */
  #inFlight: Buffer | undefined;
  #broken = false;
  /** Calls that wait for the block that is being gathered, and for the one on its way. */
  #afterPending: (() => void)[] = [];
  #afterFlight: (() => void)[] = [];

  /**
   * `onBroken` hears of the first write that failed; no later line can be counted on. `onLost` hears of all lines that
   * are not written whole.
   */
  constructor(
    fd: number,
    settings: BlockWriterSettings,
    onBroken?: (error: Error) => void,
    onLost?: (lines: number) => void,
  ) {
    this.#fd = fd;
    this.#settings = settings;
    this.#onBroken = onBroken;
    this.#onLost = onLost;
  }

  write(line: string): void {
    if (this.#pendingChars + line.length > this.#settings.maxPendingBytes) {
      this.#dropped += 1;
      this.#onLost?.(1);
      return;
    }
    this.#pending.push(line);
    this.#pendingChars += line.length;
    if (this.#pendingChars >= this.#settings.blockBytes) this.#writeBlock();
    this.#arm();
  }

  /** Calls when the system has every line written before, or will never have it; in the order of the calls. */
  whenWritten(go: () => void): void {
    if (this.#pending.length > 0) this.#afterPending.push(go);
    else if (this.#inFlight !== undefined) this.#afterFlight.push(go);
    else go();
  }

  /** Everything is handed to the system when it returns, unless nobody reads. */
  flushSync(): void {
    // What is on its way cannot be called back: its order with these lines is lost at worst, no line is.
    const block = this.#takeBlock();
    if (block !== undefined) this.#lose(this.#broken ? block : this.#writeSync(block));
    const calls = this.#afterPending;
    this.#afterPending = [];
    for (const go of calls) go();
  }

  /** Answers what was not written. */
  #writeSync(block: Buffer): Buffer {
    let written = 0;
    for (let attempt = 0; attempt < SYNC_ATTEMPTS && written < block.length; attempt += 1) {
      try {
        written += writeSync(this.#fd, block, written);
      } catch (thrown) {
        if (!isTryAgain(thrown)) break;
      }
    }
    return block.subarray(written);
  }

  /** Resolves when every line is out, the block on its way first. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#inFlight !== undefined && !this.#broken) await new Promise(setImmediate);
    this.flushSync();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#pending.length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writeBlock();
      this.#arm();
    }, this.#settings.flushMs);
    this.#timer.unref();
  }

  #writeBlock(): void {
    if (this.#inFlight !== undefined) return;
    const block = this.#takeBlock();
    if (block === undefined) return;
    this.#inFlight = block;
    this.#afterFlight = this.#afterPending;
    this.#afterPending = [];
    this.#continue(block);
  }

  #continue(block: Buffer): void {
    write(this.#fd, block, (error, written) => {
      this.#inFlight = undefined;
      // The reader of our output has gone away: mail goes on without a log.
      if (error !== null && !isTryAgain(error)) this.#break(error);
      const rest = error === null ? block.subarray(written) : block;
      if (this.#broken) this.#lose(rest);
      if (this.#broken || rest.length === 0) return this.#landed();
      this.#inFlight = rest;
      if (error === null) this.#continue(rest);
      else setTimeout(() => this.#continue(rest), this.#settings.flushMs).unref();
    });
  }

  #landed(): void {
    const calls = this.#afterFlight;
    this.#afterFlight = [];
    for (const go of calls) go();
    return undefined;
  }

  #break(error: Error): void {
    if (!this.#broken) this.#onBroken?.(error);
    this.#broken = true;
  }

  #lose(rest: Buffer): void {
    if (this.#onLost === undefined || rest.length === 0) return;
    let lines = 0;
    for (const byte of rest) if (byte === LF) lines += 1;
    this.#onLost(lines);
  }

  #takeBlock(): Buffer | undefined {
    if (this.#pending.length === 0 && this.#dropped === 0) return undefined;
    const { droppedText = logLine } = this.#settings;
    const lost = this.#dropped === 0 ? "" : droppedText(this.#dropped);
    const block = Buffer.from(this.#pending.join("") + lost);
    this.#pending = [];
    this.#pendingChars = 0;
    this.#dropped = 0;
    return block;
  }
}

const logLine = (lines: number): string =>
  `{"level":"warn","dropped":${lines},"msg":"log lines dropped: the reader is too slow"}\n`;

const isTryAgain = (thrown: unknown): boolean => systemCodeOf(thrown) === "EAGAIN";
