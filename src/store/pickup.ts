// Pickup: takes complete message files from a folder and submits each exactly once.
//
// Order for one file, so that a crash anywhere neither loses nor doubles it:
//   1. rename into the claim folder as `<message id>~<name>`: only one process can win it, and it is out of Pickup;
//   2. submit under that id: durable when it resolves;
//   3. unlink the claimed file.
// At start each claimed file is looked up by its id: a message of the store that has this id came from it, so step 3
// is made up for; otherwise step 2 is done again under the same id.
import { type FSWatcher, watch, type WatchEventType } from "node:fs";
import { lstat, mkdir, readdir } from "node:fs/promises";
import path from "node:path";
import { describeError } from "../core/errors.ts";
import { type Claim, FILES_AT_ONCE, PickupClaims, type SubmissionParts } from "./pickup-claims.ts";
import { type FileVersion, isSameVersion } from "./pickup-file.ts";

export interface PickupOptions extends SubmissionParts {
  readonly folder: string;
  /** On the same volume, and of one service alone. Default: `Queue/pickup` beside `folder`, which the lock of the store guards. */
  readonly claimFolder?: string;
  /** Default 1000 ms; changes are also watched, which some file systems do not report. */
  readonly pollMs?: number;
  /** A file is complete when its size and time stayed the same for so long, as it is now. */
  readonly settleMs: () => number;
  /** Larger files are left, as it is now. Absent: all are taken. */
  readonly maxBytes?: (() => number) | undefined;
}

export interface Pickup {
  /** `isCommitted`: whether the store held a message of this id when the service started; asked of the claimed files found. */
  start(isCommitted: (id: string) => boolean): Promise<void>;
  /** Resolves when the files in hand are done. */
  close(): Promise<void>;
}

export function createPickup(options: PickupOptions): Pickup {
  return new FolderPickup(options);
}

const DEFAULT_POLL_MS = 1000;
/** What nobody seems to write to is complete when it stayed the same for so long. */
const UNTOUCHED_SETTLE_MS = 250;

interface Sighting extends FileVersion {
  readonly since: number;
}

class FolderPickup implements Pickup {
  readonly #options: PickupOptions;
  readonly #claims: PickupClaims;
  /** Names that appeared at once, and in whose files nobody wrote since: moved in, as writers should. */
  readonly #movedIn = new Set<string>();
  /** Files that are not settled yet. */
  #sightings = new Map<string, Sighting>();
  /** Names that a warning was given for. */
  #warned = new Set<string>();
  /** The folder could not be read last time, and that was told. */
  #isUnreadable = false;
  #watcher: FSWatcher | undefined;
  #cancelTimer: (() => void) | undefined;
  /** When the next round is. */
  #due = Infinity;
  #round: Promise<void> | undefined;
  #closed = false;

  constructor(options: PickupOptions) {
    this.#options = options;
    const { folder, claimFolder = path.join(path.dirname(folder), "Queue", "pickup") } = options;
    this.#claims = new PickupClaims(claimFolder, options);
  }

  async start(isCommitted: (id: string) => boolean): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true });
    await this.#claims.open(isCommitted);
    this.#watch();
    this.#runRound();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#watcher?.close();
    await this.#round;
  }

  #watch(): void {
    try {
      const watcher = watch(this.#options.folder, { persistent: false }, (event, name) => {
        if (name !== null) this.#note(event, name);
        this.#wakeAfter(this.#untouchedMs);
      });
      watcher.on("error", () => watcher.close());
      this.#watcher = watcher;
    } catch (error) {
      this.#options.logger.info({ error: describeError(error) }, "Pickup is polled, not watched");
    }
  }

  /** A name that comes or goes is "rename", a write "change". */
  #note(event: WatchEventType, name: string): void {
    if (event === "rename") this.#movedIn.add(name);
    else this.#movedIn.delete(name);
  }

  get #untouchedMs(): number {
    return Math.min(UNTOUCHED_SETTLE_MS, this.#options.settleMs());
  }

  /** A wake that comes sooner stands: where files come without end, each would put it off. */
  #wakeAfter(delayMs: number): void {
    if (this.#closed || this.#round !== undefined) return;
    const due = this.#options.clock.now() + delayMs;
    if (due >= this.#due) return;
    this.#due = due;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#runRound());
  }

  #runRound(): void {
    if (this.#closed || this.#round !== undefined) return;
    this.#due = Infinity;
    this.#round = this.#takeAll().then(
      (unsettled) => this.#roundDone(unsettled),
      (error: unknown) => {
        this.#unreadable(describeError(error));
        this.#roundDone(false);
      },
    );
  }

  /** Told once: every round would find the same. */
  #unreadable(error: string): void {
    if (this.#isUnreadable) return;
    this.#isUnreadable = true;
    this.#movedIn.clear();
    this.#watcher?.close();
    const { folder, logger } = this.#options;
    logger.error({ folder, error }, "Pickup cannot be read; its files are taken when it can");
  }

  /** A folder that was away is another one, which nobody watches yet. */
  #readable(): void {
    if (!this.#isUnreadable) return;
    this.#isUnreadable = false;
    this.#options.logger.info({ folder: this.#options.folder }, "Pickup can be read again");
    if (!this.#closed) this.#watch();
  }

  #roundDone(unsettled: boolean): void {
    this.#round = undefined;
    this.#wakeAfter(unsettled ? this.#untouchedMs : (this.#options.pollMs ?? DEFAULT_POLL_MS));
  }

  /** Answers whether files are still changing. */
  async #takeAll(): Promise<boolean> {
    await this.#claims.submitAgain();
    if (this.#claims.standsStill) return false;
    const { settled, unsettled } = await this.#look();
    for (let at = 0; at < settled.length && !this.#closed; at += FILES_AT_ONCE) {
      const claims: Claim[] = [];
      for (const name of settled.slice(at, at + FILES_AT_ONCE)) {
        const claim = await this.#claim(name);
        if (claim !== undefined) claims.push(claim);
      }
      await this.#claims.submit(claims);
      if (this.#claims.standsStill) break;
    }
    return unsettled;
  }

  /** The complete files, oldest first. */
  async #look(): Promise<{ settled: string[]; unsettled: boolean }> {
    const now = this.#options.clock.now();
    const seen = new Map<string, Sighting>();
    const settled: { name: string; mtimeMs: number }[] = [];
    const present = new Set<string>();
    let unsettled = false;
    // Others may come in while this goes on.
    const movedIn = [...this.#movedIn];
    const items = await readdir(this.#options.folder, { withFileTypes: true });
    this.#readable();
    for (const item of items) {
      // A leading dot is how writers hide a file until they rename it.
      if (item.name.startsWith(".")) continue;
      present.add(item.name);
      if (!item.isFile()) {
        this.#warn(item.name, item.isSymbolicLink() ? "a symbolic link is not followed" : "not a file");
        continue;
      }
      const sighting = await this.#sight(item.name, now);
      if (sighting === undefined) {
        // Node puts U+FFFD for the bytes of a name that are no UTF-8, and no file has the name that comes of it.
        if (item.name.includes("\ufffd")) this.#warn(item.name, "its name is not UTF-8");
        continue;
      }
      const isSettled = this.#isSettled(item.name, sighting, now);
      const whyLeft = this.#whyLeft(sighting.size);
      if (!isSettled || whyLeft !== undefined) seen.set(item.name, sighting);
      else settled.push({ name: item.name, mtimeMs: sighting.mtimeMs });
      if (isSettled && whyLeft !== undefined) this.#warn(item.name, whyLeft);
      unsettled ||= !isSettled;
    }
    this.#sightings = seen;
    this.#warned = new Set([...this.#warned].filter((name) => present.has(name)));
    for (const name of movedIn) if (!present.has(name)) this.#movedIn.delete(name);
    settled.sort((a, b) => a.mtimeMs - b.mtimeMs);
    return { settled: settled.map(({ name }) => name), unsettled };
  }

  async #sight(name: string, now: number): Promise<Sighting | undefined> {
    const status = await lstat(path.join(this.#options.folder, name)).catch(() => undefined);
    if (status === undefined) return undefined;
    const before = this.#sightings.get(name);
    if (before !== undefined && isSameVersion(before, status)) return before;
    return { size: status.size, mtimeMs: status.mtimeMs, since: now };
  }

  /** The time of a file may come from the clock of another machine: what is old by it has to stay the same as well. */
  #isSettled(name: string, { mtimeMs, since }: Sighting, now: number): boolean {
    const settleMs = this.#movedIn.has(name) ? 0 : this.#options.settleMs();
    return now - since >= this.#untouchedMs && now - Math.min(since, mtimeMs) >= settleMs;
  }

  #whyLeft(size: number): string | undefined {
    if (size === 0) return "the file is empty";
    const most = this.#options.maxBytes?.() ?? Infinity;
    return size > most ? `the file has ${size} bytes, limits.maxMessageSize is ${most}` : undefined;
  }

  async #claim(name: string): Promise<Claim | undefined> {
    try {
      return await this.#claims.claim(this.#options.folder, name);
    } catch (error) {
      this.#warn(name, describeError(error));
      return undefined;
    }
  }

  #warn(name: string, reason: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#options.logger.warn({ file: path.join(this.#options.folder, name), reason }, "Pickup file left");
  }
}
