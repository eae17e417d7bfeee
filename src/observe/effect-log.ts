// Writes the effect log: rotating files of JSON lines in one folder, in blocks, for a bounded time and size.
import { closeSync, mkdirSync, openSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { BlockWriter } from "./block-writer.ts";

export interface EffectLogSettings {
  readonly enabled: boolean;
  readonly keepHours: number;
  /** Bytes of all files together. */
  readonly maxSize: number;
}

/** Of the mailroot. */
export const EFFECTS_FOLDER = "Effects";

const BLOCKS = { blockBytes: 64 * 1024, flushMs: 100, maxPendingBytes: 16 * 1024 * 1024 };
/** A file is deleted as a whole, so what is kept falls short of the bounds by a part or two in so many. */
const FILES = 8;
const HOUR_MS = 3_600_000;
/** How soon a folder that could not be written is tried again. */
const REOPEN_MS = 60_000;
const NAME = /^effects-(\d{13})\.jsonl$/;

/** A chain, and its line with its end. */
export interface ChainText {
  readonly id: string;
  readonly line: string;
}

interface OpenFile {
  readonly name: string;
  readonly fd: number;
  readonly writer: BlockWriter;
  readonly openedAt: number;
  /** Chains that the file holds. */
  readonly chains: Set<string>;
  chars: number;
}

export class EffectLog {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  #settings: EffectLogSettings;
  #file: OpenFile | undefined;
  #notBefore = 0;
  #closed = false;
  #closing: Promise<unknown> = Promise.resolve();
  #cancelSweep: (() => void) | undefined;

  constructor(folder: string, settings: EffectLogSettings, clock: Clock, log: Logger) {
    this.#folder = folder;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#sweepHourly();
  }

  get enabled(): boolean {
    return this.#settings.enabled;
  }

  configure(settings: EffectLogSettings): void {
    this.#settings = settings;
    if (!settings.enabled) this.#rotate();
    this.#sweep();
  }

  /** One line with its end, after the chain that it names. */
  write(line: string, now: number, chain?: ChainText): void {
    const file = this.#currentFile(now);
    if (file === undefined) return;
    if (chain !== undefined && !file.chains.has(chain.id)) {
      file.chains.add(chain.id);
      this.#append(file, chain.line);
    }
    this.#append(file, line);
  }

  /** Everything written before is on its way to the file when it returns. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep?.();
    this.#rotate();
    await this.#closing;
  }

  #append(file: OpenFile, line: string): void {
    file.writer.write(line);
    file.chars += line.length;
  }

  #currentFile(now: number): OpenFile | undefined {
    const file = this.#file;
    if (file !== undefined) {
      const isFull = file.chars >= this.#settings.maxSize / FILES;
      if (!isFull && now - file.openedAt < (this.#settings.keepHours * HOUR_MS) / FILES) return file;
      this.#rotate();
      this.#sweep();
    }
    // A shadow run may end after the service did.
    return this.#closed || now < this.#notBefore ? undefined : this.#open(now);
  }

  #open(now: number): OpenFile | undefined {
    try {
      mkdirSync(this.#folder, { recursive: true });
      // A file of its own for each run: the last line of an earlier one may be torn.
      const name = `effects-${String(now).padStart(13, "0")}.jsonl`;
      const fd = openSync(path.join(this.#folder, name), "a");
      this.#file = {
        name,
        fd,
        writer: new BlockWriter(fd, BLOCKS),
        openedAt: now,
        chains: new Set(),
        chars: 0,
      };
    } catch (thrown) {
      this.#notBefore = now + REOPEN_MS;
      this.#log.error(
        { folder: this.#folder, error: describeError(thrown) },
        "the effect log cannot be written: messages go on without records; tried again in a minute",
      );
    }
    return this.#file;
  }

  #rotate(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#closing = Promise.all([this.#closing, closeFile(file)]);
  }

  #sweepHourly(): void {
    this.#sweep();
    this.#cancelSweep = this.#clock.after(HOUR_MS, () => this.#sweepHourly());
  }

  #sweep(): void {
    this.#removeOld().catch((thrown: unknown) => {
      this.#log.warn({ error: describeError(thrown) }, "old files of the effect log could not be removed");
    });
  }

  /** Newest first: what lies beyond the time or the size goes. The open file, and the next one, may still grow by their parts. */
  async #removeOld(): Promise<void> {
    await this.#closing;
    const names = await effectFiles(this.#folder);
    const { keepHours, maxSize } = this.#settings;
    const oldest = this.#clock.now() - keepHours * HOUR_MS;
    let room = maxSize - (2 * maxSize) / FILES;
    for (const name of names.toReversed()) {
      if (name === this.#file?.name) continue;
      const file = path.join(this.#folder, name);
      // oxlint-disable-next-line no-await-in-loop -- a few files an hour
      const found = await stat(file).catch(() => undefined);
      if (found === undefined) continue;
      room -= found.size;
      // oxlint-disable-next-line no-await-in-loop
      if (room < 0 || found.mtimeMs < oldest) await rm(file, { force: true });
    }
  }
}

async function closeFile({ writer, fd }: OpenFile): Promise<void> {
  await writer.close();
  closeSync(fd);
}

/** Names of the files, oldest first. */
export async function effectFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name)).toSorted();
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return [];
    throw thrown;
  }
}
