// Lines in files of one folder, a new file each day (or sooner) and when one is full, for a bounded time and size. Written in blocks;
// a folder that is full or cannot be written costs lines and never mail.
import { closeSync, fstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { BlockWriter } from "./block-writer.ts";

export interface RotatingLogSettings {
  readonly enabled: boolean;
  readonly folder: string;
  /** Bytes of all files together. */
  readonly maxSize: number;
  readonly keepDays: number;
}

export interface RotatingLogParts {
  /** What the log is called in lines of the service's own log. */
  readonly what: string;
  /** Names are `prefix-stamp.extension`. */
  readonly prefix: string;
  readonly extension: string;
  /** Default: `YYYYMMDD-HHMMSSmmm`, in UTC. */
  readonly stamp?: FileStamp;
  /** When a file that is begun now is to be followed by another; default: at the end of the day. */
  readonly until?: (now: number) => number;
  /** The first lines of each file, with their ends. */
  readonly heading?: ((now: number) => string) | undefined;
  /** How lines that were too many are told, with its end. */
  readonly droppedText?: (lines: number) => string;
  /** How long lines are gathered, ms. */
  readonly flushMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The part of a file's name that says when it was begun: later ones sort behind. */
export interface FileStamp {
  readonly of: (now: number) => string;
  readonly pattern: RegExp;
}

const BLOCK_BYTES = 64 * 1024;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
/** Files that the size is divided into. Each is deleted as a whole: what is kept may be one or two of them short of the size. */
const FILES = 8;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** How soon a folder that could not be written is tried again. */
const REOPEN_MS = 60_000;
/** How soon it is seen that the file was removed. */
const LOOK_MS = 1000;

interface OpenFile {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  readonly writer: BlockWriter;
  readonly until: number;
  chars: number;
  nextLook: number;
  linesSinceLook: number;
}

export class RotatingLog {
  readonly #parts: RotatingLogParts;
  #settings: RotatingLogSettings;
  #file: OpenFile | undefined;
  #notBefore = 0;
  #hasComplained = false;
  #closed = false;
  #closing: Promise<unknown> = Promise.resolve();
  #stillClosing = 0;
  #cancelSweep: (() => void) | undefined;
  #filesBegun = 0;
  /** Lines that are in no file: the folder could not be written, or the file was removed meanwhile. */
  lost = 0;

  constructor(settings: RotatingLogSettings, parts: RotatingLogParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#sweepHourly();
  }

  get enabled(): boolean {
    return this.#settings.enabled;
  }

  configure(settings: RotatingLogSettings): void {
    const isElsewhere = settings.folder !== this.#settings.folder;
    this.#settings = settings;
    if (isElsewhere || !settings.enabled) this.#rotate();
    else if (this.#file !== undefined) this.#look(this.#file, this.#parts.clock.now());
    this.#notBefore = 0;
    this.#sweep();
  }

  /** One line with its end. */
  write(line: string, now: number): void {
    const file = this.#currentFile(now);
    if (file === undefined) {
      this.lost += 1;
      return;
    }
    file.writer.write(line);
    file.chars += line.length;
    file.linesSinceLook += 1;
  }

  /** Differs from file to file: tells whether what an earlier line said is in the file that the next one goes to. */
  fileNumber(now: number): number {
    this.#currentFile(now);
    return this.#filesBegun;
  }

  /** Calls when the lines written before are with the system, or lost for good; in the order of the calls. */
  whenKept(go: () => void): void {
    if (this.#stillClosing > 0) void this.#closing.then(() => this.whenKept(go));
    else if (this.#file === undefined) go();
    else this.#file.writer.whenWritten(go);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep?.();
    this.#rotate();
    await this.#closing;
  }

  #currentFile(now: number): OpenFile | undefined {
    if (this.#file !== undefined && now >= this.#file.nextLook) this.#look(this.#file, now);
    const file = this.#file;
    if (file !== undefined) {
      if (now < file.until && file.chars < this.#settings.maxSize / FILES) return file;
      this.#rotate();
    }
    return this.#closed || now < this.#notBefore ? undefined : this.#open(now);
  }

  /** Leaves a file that somebody removed or renamed: what goes there is not found by its name. */
  #look(file: OpenFile, now: number): void {
    const lines = file.linesSinceLook;
    file.linesSinceLook = 0;
    file.nextLook = now + LOOK_MS;
    const found = find(file);
    if (found === "in place") {
      // A file that could not be written is none by now: the next failure is another one, and told.
      this.#hasComplained = false;
      return;
    }
    this.#rotate();
    if (found === "elsewhere") return;
    this.lost += lines;
    const { what, log } = this.#parts;
    log.warn({ file: file.path, lines }, `a file of ${what} was removed: further lines go to a new one`);
  }

  #open(now: number): OpenFile | undefined {
    const { prefix, extension, heading, flushMs, droppedText } = this.#parts;
    const { stamp = DAY_STAMP, until = endOfDay } = this.#parts;
    const { folder } = this.#settings;
    const settings = {
      blockBytes: BLOCK_BYTES,
      flushMs,
      maxPendingBytes: MAX_PENDING_BYTES,
      ...(droppedText && { droppedText }),
    };
    try {
      mkdirSync(folder, { recursive: true });
      // A file of its own for each run: the last line of an earlier one may be torn.
      const name = `${prefix}-${stamp.of(now)}.${extension}`;
      const file = path.join(folder, name);
      const fd = openSync(file, "a", 0o640);
      const writer = new BlockWriter(
        fd,
        settings,
        (error) => this.#failed(error),
        (lines) => (this.lost += lines),
      );
      const head = heading?.(now) ?? "";
      if (head !== "") writer.write(head);
      const begun = { chars: head.length, nextLook: now + LOOK_MS, linesSinceLook: 0 };
      this.#file = { name, path: file, fd, writer, until: until(now), ...begun };
      this.#filesBegun += 1;
      this.#sweep();
    } catch (thrown) {
      this.#failed(thrown);
    }
    return this.#file;
  }

  #failed(thrown: unknown): void {
    const { what, clock, log } = this.#parts;
    this.#notBefore = clock.now() + REOPEN_MS;
    this.#rotate();
    if (this.#hasComplained) return;
    this.#hasComplained = true;
    log.error(
      { folder: this.#settings.folder, error: describeError(thrown) },
      `${what} cannot be written: mail goes on without it, and it is tried again every minute`,
    );
  }

  #rotate(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#stillClosing += 1;
    this.#closing = Promise.all([this.#closing, closeFile(file)]).finally(() => {
      this.#stillClosing -= 1;
    });
  }

  /** Also without a new file: what is old goes from a quiet service too. */
  #sweepHourly(): void {
    this.#sweep();
    this.#cancelSweep = this.#parts.clock.after(HOUR_MS, () => this.#sweepHourly());
  }

  #sweep(): void {
    this.#removeOld().catch((thrown: unknown) => {
      this.#parts.log.warn({ error: describeError(thrown) }, `old files of ${this.#parts.what} stay`);
    });
  }

  /** Newest first: what lies beyond the time or the size goes. The open file, and the next one, may still grow by their parts. */
  async #removeOld(): Promise<void> {
    const { folder, maxSize, keepDays } = this.#settings;
    await this.#closing;
    const oldest = this.#parts.clock.now() - keepDays * DAY_MS;
    let room = maxSize - (2 * maxSize) / FILES;
    for (const name of (await this.#names(folder)).toReversed()) {
      if (name === this.#file?.name) continue;
      const file = path.join(folder, name);
      // oxlint-disable-next-line no-await-in-loop -- a few files a day
      const found = await stat(file).catch(() => undefined);
      if (found === undefined) continue;
      room -= found.size;
      // oxlint-disable-next-line no-await-in-loop
      if (room < 0 || found.mtimeMs < oldest) await rm(file, { force: true });
    }
  }

  /** Of the files of this log, oldest first: others of the folder are not ours to delete. */
  async #names(folder: string): Promise<string[]> {
    const { prefix, extension, stamp = DAY_STAMP } = this.#parts;
    const names = await readdir(folder).catch(() => [] as string[]);
    return names
      .filter((name) => name.startsWith(`${prefix}-`) && name.endsWith(`.${extension}`))
      .filter((name) => stamp.pattern.test(name.slice(prefix.length + 1, -extension.length - 1)))
      .toSorted();
  }
}

function find({ path: named, fd }: OpenFile): "in place" | "elsewhere" | "removed" {
  try {
    const { ino, dev, nlink } = fstatSync(fd);
    const found = statSync(named, { throwIfNoEntry: false });
    if (found?.ino === ino && found.dev === dev) return "in place";
    return nlink > 0 ? "elsewhere" : "removed";
  } catch {
    // Whether the folder can be used is seen, and told, when the next file is opened.
    return "elsewhere";
  }
}

async function closeFile({ writer, fd }: OpenFile): Promise<void> {
  await writer.close();
  closeSync(fd);
}

const endOfDay = (now: number): number => now - (now % DAY_MS) + DAY_MS;

/** "20261122-054200123" */
const DAY_STAMP: FileStamp = {
  of(now) {
    const digits = new Date(now).toISOString().replaceAll(/\D/g, "");
    return `${digits.slice(0, 8)}-${digits.slice(8)}`;
  },
  pattern: /^\d{8}-\d{9}$/,
};
