// Pickup: takes complete message files from a folder and submits each exactly once.
//
// Order for one file, so that a crash anywhere neither loses nor doubles it:
//   1. rename into the claim folder as `<message id>~<name>`: only one process can win it, and it is out of Pickup;
//   2. submit under that id: durable when it resolves;
//   3. unlink the claimed file.
// At start each claimed file is looked up by its id: a message of the store that has this id came from it, so step 3
// is made up for; otherwise step 2 is done again under the same id.
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { access, constants, lstat, mkdir, readdir, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { hasDomain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { mailDate } from "../core/mail-date.ts";
import type { Content } from "../message/content.ts";
import { receivedFromPickup } from "../message/received.ts";
import type { Badmail } from "./badmail.ts";
import { readClaimedFile } from "./pickup-file.ts";
import type { ParseAddresses } from "./pickup-message.ts";
import type { SpoolFile } from "./store-driver.ts";

export interface PickupOptions {
  readonly folder: string;
  /** On the same volume, and of one service alone. Default: `Queue/pickup` beside `folder`, which the lock of the store guards. */
  readonly claimFolder?: string;
  /** Default 1000 ms; changes are also watched, which some file systems do not report. */
  readonly pollMs?: number;
  /** A file is complete when its size and time stayed the same for so long. Default 250 ms. */
  readonly settleMs?: number;
  /** Name of the virtual server that takes the messages. */
  readonly server?: string;
  /** Larger files are left, as it is now. Absent: all are taken. */
  readonly maxBytes?: (() => number) | undefined;
  /** Completes addresses without a domain. Absent: they stay as they are. */
  readonly defaultDomain?: (() => string) | undefined;
  /** Our name in the Received field. */
  readonly hostName: () => string;
  /** Received fields of a file before it counts as a loop, as it is now. */
  readonly maxHops: () => number;
  readonly nextId: () => string;
  readonly createSpool: () => Promise<SpoolFile>;
  readonly submit: (id: string, origin: Origin, envelope: Envelope, content: Content) => Promise<void>;
  readonly parseAddresses: ParseAddresses;
  readonly badmail: Badmail;
  readonly logger: Logger;
  readonly clock: Clock;
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

/** Submissions under way at a time: they share the barriers of the store. */
const FILES_AT_ONCE = 16;
const DEFAULT_POLL_MS = 1000;
const DEFAULT_SETTLE_MS = 250;

interface Sighting {
  readonly size: number;
  readonly mtimeMs: number;
  readonly since: number;
}

class FolderPickup implements Pickup {
  readonly #options: PickupOptions;
  readonly #claimFolder: string;
  readonly #settleMs: number;
  /** Files that are not settled yet. */
  #sightings = new Map<string, Sighting>();
  /** Names that a warning was given for. */
  #warned = new Set<string>();
  /** Claimed and not yet submitted: again at the next round. */
  #claimed: string[] = [];
  /** The folder could not be read last time, and that was told. */
  #isUnreadable = false;
  /** The last submission failed because the store takes nothing now. */
  #storeFails = false;
  #watcher: FSWatcher | undefined;
  #cancelTimer: (() => void) | undefined;
  #round: Promise<void> | undefined;
  #closed = false;

  constructor(options: PickupOptions) {
    this.#options = options;
    this.#settleMs = options.settleMs ?? DEFAULT_SETTLE_MS;
    this.#claimFolder = options.claimFolder ?? path.join(path.dirname(options.folder), "Queue", "pickup");
  }

  async start(isCommitted: (id: string) => boolean): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true });
    // Nobody else may write here: what lies in it is taken as claimed.
    await mkdir(this.#claimFolder, { recursive: true, mode: 0o700 });
    for (const claimed of await readdir(this.#claimFolder)) {
      const file = path.join(this.#claimFolder, claimed);
      if (isCommitted(idOf(claimed))) await unlink(file);
      else this.#claimed.push(claimed);
    }
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
      const watcher = watch(this.#options.folder, { persistent: false }, () =>
        this.#wakeAfter(this.#settleMs),
      );
      watcher.on("error", () => watcher.close());
      this.#watcher = watcher;
    } catch (error) {
      this.#options.logger.info({ error: describeError(error) }, "Pickup is polled, not watched");
    }
  }

  #wakeAfter(delayMs: number): void {
    if (this.#closed || this.#round !== undefined) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#runRound());
  }

  #runRound(): void {
    if (this.#closed || this.#round !== undefined) return;
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
    this.#wakeAfter(unsettled ? this.#settleMs : (this.#options.pollMs ?? DEFAULT_POLL_MS));
  }

  /** Answers whether files are still changing. */
  async #takeAll(): Promise<boolean> {
    const waiting = this.#claimed;
    this.#claimed = [];
    this.#storeFails = false;
    await this.#submitAll(waiting);
    // What is in Pickup is as safe there.
    if (this.#storeFails) return false;
    const { settled, unsettled } = await this.#look();
    for (let at = 0; at < settled.length && !this.#closed; at += FILES_AT_ONCE) {
      const claimed: string[] = [];
      for (const name of settled.slice(at, at + FILES_AT_ONCE)) {
        const claim = await this.#claim(name);
        if (claim !== undefined) claimed.push(claim);
      }
      await this.#submitAll(claimed);
      if (this.#storeFails) break;
    }
    return unsettled;
  }

  /** The complete files, oldest first. */
  async #look(): Promise<{ settled: string[]; unsettled: boolean }> {
    const now = this.#options.clock.now();
    const seen = new Map<string, Sighting>();
    const settled: { name: string; mtimeMs: number }[] = [];
    const present = new Set<string>();
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
      const status = await lstat(path.join(this.#options.folder, item.name)).catch(() => undefined);
      if (status === undefined) continue;
      const { size, mtimeMs } = status;
      const before = this.#sightings.get(item.name);
      const same = before?.size === size && before.mtimeMs === mtimeMs;
      const sighting = same ? before : { size, mtimeMs, since: now };
      const isSettled = now - sighting.since >= this.#settleMs;
      const whyLeft = this.#whyLeft(size);
      if (!isSettled || whyLeft !== undefined) seen.set(item.name, sighting);
      else settled.push({ name: item.name, mtimeMs });
      if (isSettled && whyLeft !== undefined) this.#warn(item.name, whyLeft);
    }
    this.#sightings = seen;
    this.#warned = new Set([...this.#warned].filter((name) => present.has(name)));
    settled.sort((a, b) => a.mtimeMs - b.mtimeMs);
    const unsettled = [...seen.values()].some(({ since }) => now - since < this.#settleMs);
    return { settled: settled.map(({ name }) => name), unsettled };
  }

  #whyLeft(size: number): string | undefined {
    if (size === 0) return "the file is empty";
    const most = this.#options.maxBytes?.() ?? Infinity;
    return size > most ? `the file has ${size} bytes, limits.maxMessageSize is ${most}` : undefined;
  }

  /** A read-only file is renamed like any other: so it is sent once, not again and again as KB 221432 tells. */
  async #claim(name: string): Promise<string | undefined> {
    const from = path.join(this.#options.folder, name);
    const claim = `${this.#options.nextId()}~${name.slice(0, MAX_CLAIM_NAME)}`;
    try {
      await access(from, constants.R_OK);
      await rename(from, path.join(this.#claimFolder, claim));
      return claim;
    } catch (error) {
      // ENOENT: somebody else was first.
      if (!isMissing(error)) this.#warn(name, describeError(error));
      return undefined;
    }
  }

  async #submitAll(claims: readonly string[]): Promise<void> {
    await Promise.all(claims.map((claim) => this.#submit(claim)));
  }

  async #submit(claim: string): Promise<void> {
    const { badmail, clock, createSpool, hostName, logger, maxHops, parseAddresses } = this.#options;
    const file = path.join(this.#claimFolder, claim);
    const id = idOf(claim);
    const pickupFileName = claim.slice(id.length + 1);
    try {
      const arrivalTime = clock.now();
      const trace = receivedFromPickup(hostName(), id, mailDate(arrivalTime));
      const parts = { parseAddresses, maxHops: maxHops(), trace, createSpool };
      const read = await readClaimedFile(file, parts);
      if (read.kind === "changing") {
        this.#claimed.push(claim);
        return;
      }
      if (read.kind === "refusal") {
        const reason = { code: "PICKUP_INVALID", text: `${pickupFileName}: ${read.reason}` };
        logger.warn({ ...reason, message: id }, "Pickup file moved to Badmail");
        await badmail.put(id, { sender: "", recipients: [] }, read.content, reason);
      } else {
        const server = this.#options.server ?? "default";
        const origin: Origin = { via: "pickup", arrivalTime, server, pickupFileName };
        await this.#submitRead(id, origin, read);
      }
      await unlink(file);
    } catch (error) {
      if (isMissing(error)) return;
      // A file that cannot be read waits for the next start: more attempts would only fill the log.
      if (error instanceof OnArrivalError && error.code === "STORE_FAILED") {
        this.#storeFails = true;
        this.#claimed.push(claim);
      }
      logger.error({ file, error: describeError(error) }, "Pickup file not submitted");
    }
  }

  async #submitRead(
    id: string,
    origin: Origin,
    read: { envelope: Envelope; content: Content; discard: () => Promise<void> },
  ): Promise<void> {
    try {
      await this.#options.submit(id, origin, this.#completed(read.envelope), read.content);
    } catch (error) {
      await read.discard();
      throw error;
    }
  }

  #completed({ sender, recipients, ...more }: Envelope): Envelope {
    const domain = this.#options.defaultDomain?.();
    const complete = (address: string): string =>
      domain === undefined || address === "" || hasDomain(address) ? address : `${address}@${domain}`;
    return {
      ...more,
      sender: complete(sender),
      recipients: recipients.map((recipient) => ({ ...recipient, address: complete(recipient.address) })),
    };
  }

  #warn(name: string, reason: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#options.logger.warn({ file: path.join(this.#options.folder, name), reason }, "Pickup file left");
  }
}

/** A file name has 255 bytes; the id and its mark need some, and a character has up to four. */
const MAX_CLAIM_NAME = 56;

const idOf = (claim: string): string => claim.split("~", 1)[0] ?? "";

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
