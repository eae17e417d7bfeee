// Writes the effect log: rotating files of JSON lines in one folder, each with the chains that its lines name.
import { readdir } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { isMissing } from "../core/system-error.ts";
import { type FileStamp, RotatingLog, type RotatingLogSettings } from "./rotating-log.ts";

export interface EffectLogSettings {
  readonly enabled: boolean;
  readonly keepHours: number;
  /** Bytes of all files together. */
  readonly maxSize: number;
}

/** Of the mailroot. */
export const EFFECTS_FOLDER = "Effects";

const FLUSH_MS = 100;
/** Files that the time is divided into. Each is deleted as a whole: what is kept may be one or two of them short of the time. */
const FILES = 8;
const HOUR_MS = 3_600_000;
const HOURS_PER_DAY = 24;
const NAME = /^effects-\d{13}\.jsonl$/;
/** When the file was begun, ms since the epoch. */
const STAMP: FileStamp = { of: (now) => String(now).padStart(13, "0"), pattern: /^\d{13}$/ };

/** A chain, and its line with its end. */
export interface ChainText {
  readonly id: string;
  readonly line: string;
}

export class EffectLog {
  readonly #folder: string;
  readonly #lines: RotatingLog;
  #settings: EffectLogSettings;
  /** Chains that the file holds. */
  readonly #chains = new Set<string>();
  #fileNumber = 0;

  constructor(folder: string, settings: EffectLogSettings, clock: Clock, log: Logger) {
    this.#folder = folder;
    this.#settings = settings;
    this.#lines = new RotatingLog(rotating(folder, settings), {
      what: "the effect log",
      prefix: "effects",
      extension: "jsonl",
      stamp: STAMP,
      until: (now) => now + (this.#settings.keepHours * HOUR_MS) / FILES,
      flushMs: FLUSH_MS,
      clock,
      log,
    });
  }

  get enabled(): boolean {
    return this.#settings.enabled;
  }

  configure(settings: EffectLogSettings): void {
    this.#settings = settings;
    this.#lines.configure(rotating(this.#folder, settings));
  }

  /** One line with its end, after the chain that it names. */
  write(line: string, now: number, chain?: ChainText): void {
    const file = this.#lines.fileNumber(now);
    if (file !== this.#fileNumber) {
      this.#fileNumber = file;
      this.#chains.clear();
    }
    if (chain === undefined || this.#chains.has(chain.id)) {
      this.#lines.write(line, now);
      return;
    }
    this.#chains.add(chain.id);
    // As one text: a chain that fills its file must not send its line to the next one.
    this.#lines.write(chain.line + line, now);
  }

  /** Everything written before is in the file when it resolves. */
  close(): Promise<void> {
    return this.#lines.close();
  }
}

function rotating(folder: string, { enabled, maxSize, keepHours }: EffectLogSettings): RotatingLogSettings {
  return { enabled, folder, maxSize, keepDays: keepHours / HOURS_PER_DAY };
}

/** Names of the files, oldest first. */
export async function effectFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => NAME.test(name)).toSorted();
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
}
