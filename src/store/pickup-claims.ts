// The claimed files of Pickup: each is submitted under the id in its name and removed; what fails is tried again.
import { access, constants, lstat, mkdir, readdir, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { hasDomain } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { mailDate } from "../core/mail-date.ts";
import { isMissing, systemCodeOf } from "../core/system-error.ts";
import type { Content } from "../message/content.ts";
import { receivedFromPickup } from "../message/received.ts";
import type { Badmail } from "./badmail.ts";
import { type ClaimedFile, type FileVersion, readClaimedFile, readLateContent } from "./pickup-file.ts";
import type { ParseAddresses } from "./pickup-message.ts";
import type { SpoolFile } from "./store-driver.ts";

export interface SubmissionParts {
  /** Name of the virtual server that takes the messages. */
  readonly server?: string;
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

export interface Claim {
  /** In the claim folder: `<message id>~<name in Pickup>`. */
  readonly name: string;
  /** What is durable of it, in the store or in Badmail: only its file has to go. */
  taken: FileVersion | undefined;
  failures: number;
  /** Rounds before it is tried again. */
  pause: number;
}

/** Submissions under way at a time: they share the barriers of the store. */
export const FILES_AT_ONCE = 16;
/** A round is mostly a second: a file that cannot be read is looked at once a minute in the end. */
const MOST_ROUNDS = 64;
/** With these it is not the file that is at fault. */
const OF_EVERY_FILE = new Set(["STORE_FAILED", "EMFILE", "ENFILE", "ENOMEM"]);
const MAX_NAME_BYTES = 255;

export class PickupClaims {
  readonly #folder: string;
  readonly #parts: SubmissionParts;
  /** Not done yet: again at a later round. */
  #waiting: Claim[] = [];
  #standsStill = false;
  #isTold = false;

  constructor(folder: string, parts: SubmissionParts) {
    this.#folder = folder;
    this.#parts = parts;
  }

  /** Finds what the last run claimed; what it committed as well only has to go. */
  async open(isCommitted: (id: string) => boolean): Promise<void> {
    // Nobody else may write here: what lies in it is taken as claimed.
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#folder)) {
      if (isCommitted(idOf(name))) await unlink(path.join(this.#folder, name));
      else this.#waiting.push(newClaim(name));
    }
  }

  /** Nothing could be submitted in this round, whatever the file: what is in Pickup is as safe there. */
  get standsStill(): boolean {
    return this.#standsStill;
  }

  /** Begins a round with those that wait from earlier ones. */
  async submitAgain(): Promise<void> {
    this.#standsStill = false;
    const due = this.#waiting.filter(({ pause }) => pause === 0);
    this.#waiting = this.#waiting.filter(({ pause }) => pause > 0);
    for (const claim of this.#waiting) claim.pause -= 1;
    while (due.length > 0 && !this.#standsStill) await this.submit(due.splice(0, FILES_AT_ONCE));
    this.#waiting.push(...due);
  }

  /**
   * Undefined when somebody else was first, or when nothing can be claimed. Throws what is wrong with the file.
   * A read-only file is renamed like any other: so it is sent once, not again and again as KB 221432 tells.
   */
  async claim(folder: string, name: string): Promise<Claim | undefined> {
    const from = path.join(folder, name);
    const claim = newClaim(cutToBytes(`${this.#parts.nextId()}~${name}`, MAX_NAME_BYTES));
    try {
      await access(from, constants.R_OK);
      await this.#moveIn(from, path.join(this.#folder, claim.name));
      return claim;
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (await exists(from)) this.#everyFileFails(from, error);
      return undefined;
    }
  }

  /** Somebody may have removed the claim folder: without the one above it, too, nothing is taken. */
  async #moveIn(from: string, to: string): Promise<void> {
    try {
      await rename(from, to);
    } catch (error) {
      if (!isMissing(error) || !(await exists(from))) throw error;
      await mkdir(this.#folder, { mode: 0o700 });
      await rename(from, to);
    }
  }

  async submit(claims: readonly Claim[]): Promise<void> {
    const done = await Promise.all(claims.map((claim) => this.#submit(claim)));
    if (!this.#isTold || this.#standsStill || !done.includes(true)) return;
    this.#isTold = false;
    this.#parts.logger.info({ folder: this.#folder }, "Pickup goes on");
  }

  /** Answers whether it is done. */
  async #submit(claim: Claim): Promise<boolean> {
    const file = path.join(this.#folder, claim.name);
    try {
      claim.taken ??= await this.#take(claim.name, file);
      if (claim.taken === undefined) {
        this.#waiting.push(claim);
        return false;
      }
      await this.#keepLateContent(claim, file, claim.taken);
      await unlink(file);
      return true;
    } catch (error) {
      if (!isMissing(error) || !(await this.#isGone(file))) this.#failed(claim, file, error);
      return false;
    }
  }

  /** Undefined when the file was still being written. */
  async #take(name: string, file: string): Promise<FileVersion | undefined> {
    const { badmail, clock, createSpool, hostName, logger, maxHops, parseAddresses } = this.#parts;
    const id = idOf(name);
    const pickupFileName = name.slice(id.length + 1);
    const arrivalTime = clock.now();
    const trace = receivedFromPickup(hostName(), id, mailDate(arrivalTime));
    const read = await readClaimedFile(file, { parseAddresses, maxHops: maxHops(), trace, createSpool });
    if (read.kind === "changing") return undefined;
    if (read.kind === "refusal") {
      const reason = { code: "PICKUP_INVALID", text: `${pickupFileName}: ${read.reason}` };
      logger.warn({ ...reason, message: id }, "Pickup file moved to Badmail");
      await badmail.put(id, { sender: "", recipients: [] }, read.content, reason);
    } else {
      const server = this.#parts.server ?? "default";
      await this.#submitRead(id, { via: "pickup", arrivalTime, server, pickupFileName }, read);
    }
    return read.version;
  }

  /** A program held the file open and wrote more to it while what was there was submitted. */
  async #keepLateContent(claim: Claim, file: string, taken: FileVersion): Promise<void> {
    const late = await readLateContent(file, taken);
    if (late === undefined) return;
    const { badmail, logger, nextId } = this.#parts;
    const message = idOf(claim.name);
    const pickupFileName = claim.name.slice(message.length + 1);
    const id = nextId();
    const text = `${pickupFileName}: the file was written to after it had been submitted as ${message}`;
    await badmail.put(id, { sender: "", recipients: [] }, late.content, { code: "PICKUP_CHANGED", text });
    claim.taken = late.version;
    logger.error(
      { code: "PICKUP_CHANGED", message, badmail: id, text },
      "Pickup file submitted before it was whole; all of it is in Badmail",
    );
  }

  async #submitRead(
    id: string,
    origin: Origin,
    read: Extract<ClaimedFile, { kind: "message" }>,
  ): Promise<void> {
    try {
      await this.#parts.submit(id, origin, this.#completed(read.envelope), read.content);
    } catch (error) {
      await read.discard();
      throw error;
    }
  }

  #completed({ sender, recipients, ...more }: Envelope): Envelope {
    const domain = this.#parts.defaultDomain?.();
    const complete = (address: string): string =>
      domain === undefined || address === "" || hasDomain(address) ? address : `${address}@${domain}`;
    return {
      ...more,
      sender: complete(sender),
      recipients: recipients.map((recipient) => ({ ...recipient, address: complete(recipient.address) })),
    };
  }

  /** Somebody took it away. When the claim folder is away as a whole, it may come back with all that is in it. */
  async #isGone(file: string): Promise<boolean> {
    return (await exists(this.#folder)) && !(await exists(file));
  }

  #failed(claim: Claim, file: string, error: unknown): void {
    this.#waiting.push(claim);
    if (isOfEveryFile(error)) {
      this.#everyFileFails(file, error);
      return;
    }
    claim.pause = Math.min(2 ** claim.failures, MOST_ROUNDS);
    claim.failures += 1;
    // Further attempts would only fill the log.
    if (claim.failures > 1) return;
    const text = claim.taken ? "submitted Pickup file not removed" : "Pickup file not submitted";
    this.#parts.logger.error({ file, error: describeError(error) }, `${text}; it is tried again`);
  }

  /** Told once, until a file is submitted again. */
  #everyFileFails(file: string, error: unknown): void {
    this.#standsStill = true;
    if (this.#isTold) return;
    this.#isTold = true;
    this.#parts.logger.error(
      { file, error: describeError(error) },
      "Pickup stands still; its files are submitted when that is over",
    );
  }
}

const newClaim = (name: string): Claim => ({ name, taken: undefined, failures: 0, pause: 0 });

/** At the end of a character. */
function cutToBytes(text: string, most: number): string {
  const bytes = Buffer.from(text);
  let end = Math.min(most, bytes.length);
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}

const idOf = (claim: string): string => claim.split("~", 1)[0] ?? "";

const exists = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    (error: unknown) => !isMissing(error),
  );

function isOfEveryFile(error: unknown): boolean {
  const code = systemCodeOf(error);
  return code !== undefined && OF_EVERY_FILE.has(code);
}
