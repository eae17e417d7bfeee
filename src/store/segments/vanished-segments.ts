// Segments whose files are no longer where they were written: somebody removed the queue folder under the running service.
// What was answered with 250 is written anew, as long as an open descriptor still reads it.
import { mkdir, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { ignoreMissing } from "../../core/system-error.ts";
import { type CompactionOwner, copyForward } from "./compaction.ts";
import type { Segment } from "./message-index.ts";

export interface VanishedOwner {
  readonly compaction: () => CompactionOwner;
  readonly logger: Logger;
  /** Those below the queue folder. */
  readonly folders: readonly string[];
  /** The folder may be another one: takes its lock, or throws. */
  readonly relock: () => void;
  /** Nothing more goes to the file of the current segment. */
  readonly abandonSegment: () => void;
}

/** Records that are on their way when it begins land in a vanished segment once more. */
const MAX_ROUNDS = 20;
const ROUND_MS = 50;

export class VanishedSegments {
  readonly #owner: VanishedOwner;
  readonly #told = new WeakSet<Segment>();
  /** Their messages cannot be read any more. */
  readonly #givenUp = new WeakSet<Segment>();

  constructor(owner: VanishedOwner) {
    this.#owner = owner;
  }

  /** To be called while the queue folder is there. Throws when nothing may be written to it. */
  async look(): Promise<void> {
    const gone = await this.#find();
    if (gone.length === 0) return;
    const { folders, relock, abandonSegment } = this.#owner;
    this.#tell(gone);
    relock();
    for (const folder of folders) await mkdir(folder, { recursive: true });
    abandonSegment();
    await this.#writeAnew(gone);
  }

  async #find(): Promise<Segment[]> {
    const { segments } = this.#owner.compaction();
    const candidates = segments.filter((segment) => !this.#givenUp.has(segment));
    const inPlace = await Promise.all(candidates.map(isInPlace));
    // Compaction may have removed some meanwhile.
    return candidates.filter((segment, index) => inPlace[index] === false && segments.includes(segment));
  }

  #tell(gone: readonly Segment[]): void {
    const untold = gone.filter((segment) => !this.#told.has(segment));
    for (const segment of untold) this.#told.add(segment);
    if (untold.length === 0) return;
    this.#owner.logger.error(
      { code: "STORE_FAILED", files: untold.map(({ path }) => path) },
      "files of the queue were removed under the running service: their messages are written anew",
    );
  }

  async #writeAnew(gone: readonly Segment[]): Promise<void> {
    const { logger } = this.#owner;
    const compaction = this.#owner.compaction();
    let messages = 0;
    const counting: CompactionOwner = {
      ...compaction,
      copyMessage: (...copy) => {
        messages += 1;
        return compaction.copyMessage(...copy);
      },
    };
    let failure: unknown;
    for (let round = 0; round < MAX_ROUNDS && gone.some(isNeeded); round += 1) {
      if (round > 0) await delay(ROUND_MS);
      failure = await copyAll(counting, gone);
    }
    logger.info({ messages }, "messages of removed files were written anew");
    if (failure === undefined || isWriteFailure(failure)) return;
    const lost = gone.filter(isNeeded);
    for (const segment of lost) this.#givenUp.add(segment);
    logger.error(
      { code: "STORE_FAILED", files: lost.map(({ path }) => path), error: describeError(failure) },
      "not all messages of removed files could be read: put the files back",
    );
  }
}

/** Answers the first failure. */
async function copyAll(owner: CompactionOwner, segments: readonly Segment[]): Promise<unknown> {
  let failure: unknown;
  for (const segment of segments) {
    await copyForward(owner, segment).catch((error: unknown) => {
      failure ??= error;
    });
  }
  return failure;
}

const isNeeded = ({ liveRecords }: Segment): boolean => liveRecords > 0;

/** The next look tries it again. */
const isWriteFailure = (error: unknown): boolean =>
  error instanceof OnArrivalError && error.code === "STORE_FAILED";

async function isInPlace({ path, inode }: Segment): Promise<boolean> {
  // What cannot be looked at (no right to the folder, a file in its place) may still be there.
  const found = await stat(path).catch(ignoreMissing);
  return found !== undefined && (inode === undefined || found.ino === inode);
}
