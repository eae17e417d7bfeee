// Samples free space and whether the current segment is still in its folder, every few seconds instead of per message.
import { fstat } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { promisify } from "node:util";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";

const fileStatus = promisify(fstat);

export interface DiskWatchOptions {
  readonly folder: string;
  readonly minFreeBytes: number;
  readonly sampleMs: number;
  readonly clock: Clock;
  /** The current segment and its open descriptor. */
  readonly current: () => { readonly path: string; readonly handle: number } | undefined;
  /** Is told when nothing can be accepted any more, and when it can again. */
  readonly logger: Logger;
  /** The segment is no longer where it was written. */
  readonly onSegmentGone: () => void;
}

export class DiskWatch {
  readonly #options: DiskWatchOptions;
  #sampledAt = 0;
  #sampling = false;
  #refusal: string | undefined;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
  }

  /** Why nothing can be accepted now. Starts a new sample when the last one is old; does not wait for it. */
  refusal(): string | undefined {
    const now = this.#options.clock.now();
    if (now - this.#sampledAt >= this.#options.sampleMs && !this.#sampling) void this.sample();
    return this.#refusal;
  }

  async sample(): Promise<void> {
    const { folder, minFreeBytes, clock, current, onSegmentGone } = this.#options;
    const before = this.#refusal;
    this.#sampling = true;
    this.#sampledAt = clock.now();
    try {
      const { bavail, bsize } = await statfs(folder);
      const free = bavail * bsize;
      this.#refusal =
        free < minFreeBytes
          ? `${free} bytes are free below ${folder}, fewer than store.minFreeBytes (${minFreeBytes})`
          : undefined;
      // A folder that was moved away would take writes for ever, and nobody would find them again.
      const segment = current();
      if (segment !== undefined && !(await isInPlace(segment.path, segment.handle))) onSegmentGone();
    } catch (error) {
      this.#refusal = describeError(error);
    } finally {
      this.#sampling = false;
      this.#tellChange(before, this.#refusal);
    }
  }

  #tellChange(before: string | undefined, refusal: string | undefined): void {
    const { logger, folder } = this.#options;
    if (before === undefined && refusal !== undefined)
      logger.error({ folder, refusal }, "no mail is taken: the disk is full or cannot be looked at");
    if (before !== undefined && refusal === undefined) logger.info({ folder }, "mail is taken again");
  }
}

async function isInPlace(path: string, handle: number): Promise<boolean> {
  const [opened, named] = await Promise.all([fileStatus(handle), stat(path).catch(() => undefined)]);
  return named !== undefined && named.ino === opened.ino;
}
