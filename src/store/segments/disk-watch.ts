// Samples free space and whether the segments are still in their folder, every few seconds instead of per message.
import { statfs } from "node:fs/promises";
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";

export interface DiskWatchOptions {
  readonly folder: string;
  readonly minFreeBytes: number;
  readonly sampleMs: number;
  readonly clock: Clock;
  /** Is told when nothing can be accepted any more, and when it can again. */
  readonly logger: Logger;
  /** The folder is there: whether all that it should have is in it. Mail is taken again when this resolves. */
  readonly lookInside: () => Promise<void>;
}

export class DiskWatch {
  readonly #options: DiskWatchOptions;
  #sampling: Promise<void> | undefined;
  #cancelNext: (() => void) | undefined;
  #isStopped = false;
  #refusal: string | undefined;

  constructor(options: DiskWatchOptions) {
    this.#options = options;
  }

  /** Why nothing can be accepted now, as the last sample found it. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Samples now and from now on. Resolves after the first sample. */
  async start(): Promise<void> {
    await this.sample();
    const { clock, sampleMs } = this.#options;
    if (!this.#isStopped) this.#cancelNext = clock.after(sampleMs, () => void this.start());
  }

  /** Resolves when no sample is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelNext?.();
    await this.#sampling;
  }

  sample(): Promise<void> {
    this.#sampling ??= this.#sample().finally(() => {
      this.#sampling = undefined;
    });
    return this.#sampling;
  }

  async #sample(): Promise<void> {
    const { folder, minFreeBytes, lookInside } = this.#options;
    const before = this.#refusal;
    try {
      const { bavail, bsize } = await statfs(folder);
      const free = bavail * bsize;
      await lookInside();
      this.#refusal =
        free < minFreeBytes
          ? `${free} bytes are free below ${folder}, fewer than store.minFreeBytes (${minFreeBytes})`
          : undefined;
    } catch (error) {
      this.#refusal = describeError(error);
    }
    this.#tellChange(before, this.#refusal);
  }

  #tellChange(before: string | undefined, refusal: string | undefined): void {
    const { logger, folder } = this.#options;
    if (before === undefined && refusal !== undefined)
      logger.error({ folder, refusal }, "no mail is taken: the disk is full or cannot be looked at");
    if (before !== undefined && refusal === undefined) logger.info({ folder }, "mail is taken again");
  }
}
