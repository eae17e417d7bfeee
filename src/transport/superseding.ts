// Step 8: a message that names another one (MP_SUPERSEDES_MSG_GUID) replaces it in the queues (REFERENCE 4.6.2). What it replaces
// ends without a report: its sender has sent something newer.
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { QueuedMessage } from "./queued-message.ts";
import { WaitingGuids } from "./waiting-guids.ts";

export interface SupersedingParts {
  readonly messages: ReadonlyMap<string, QueuedMessage>;
  readonly isInHand: (message: QueuedMessage) => boolean;
  /** Brings back those that are not in memory, some at a time, and does that to each before it goes on. */
  readonly wake: (ids: readonly string[], before: (message: QueuedMessage) => void) => Promise<void>;
  readonly discard: (message: QueuedMessage, reason: string) => void;
  readonly log: Logger;
}

interface Replacement {
  /** Id of the newer message. */
  readonly by: string;
  /** MP_MSG_GUID of what it replaces. */
  readonly guid: string;
}

/** So many are marked at a time: one message may replace a million. */
const PORTION = 100;

export class Superseding {
  readonly #parts: SupersedingParts;
  /** Those that wait for delivery. Copies of a message share a GUID. */
  readonly #waiting = new WaitingGuids();
  /** Those that are replaced, as long as something works on them or they are on their way to memory. */
  readonly #replaced = new Map<string, Replacement>();

  constructor(parts: SupersedingParts) {
    this.#parts = parts;
  }

  /** The message waits for its delivery from now on. */
  waits({ id, origin, properties }: QueuedMessage): void {
    if (properties.size === 0) return;
    const own = properties.get("MP_MSG_GUID");
    if (typeof own === "string") this.#waiting.add(id, own, origin.arrivalTime);
    const guid = properties.get("MP_SUPERSEDES_MSG_GUID");
    if (typeof guid !== "string") return;
    // Copies of the message itself stay, and what came later: a slow sink must not make old news replace newer ones.
    const older = this.#waiting.olderThan(guid, origin.arrivalTime);
    if (older.length > 0) this.#goOn(this.#replace(older, { by: id, guid }));
  }

  async #replace(ids: readonly string[], replacement: Replacement): Promise<void> {
    for (let at = 0; at < ids.length; at += PORTION) {
      // Some may be finished since.
      const portion = ids.slice(at, at + PORTION).filter((id) => this.#waiting.has(id));
      for (const id of portion) this.#replaced.set(id, replacement);
      // oxlint-disable-next-line no-await-in-loop -- they must not be in memory all at once
      await this.#take(portion);
    }
  }

  #goOn(work: Promise<void>): void {
    work.catch((thrown: unknown) =>
      this.#parts.log.error(
        { error: describeError(thrown) },
        "messages that are superseded may go out all the same",
      ),
    );
  }

  /** Whether the message is replaced: then nothing more is to be done for it. */
  hasTaken(message: QueuedMessage): boolean {
    if (this.#replaced.size === 0 || !this.#isReplaced(message)) return false;
    if (!this.#parts.isInHand(message)) this.#end(message);
    return true;
  }

  /** Takes what could not be taken before. */
  sweep(): void {
    if (this.#replaced.size > 0) this.#goOn(this.#take([...this.#replaced.keys()]));
  }

  #take(ids: readonly string[]): Promise<void> {
    const { messages, isInHand, wake } = this.#parts;
    const outside: string[] = [];
    for (const id of ids) {
      const message = messages.get(id);
      if (message === undefined) outside.push(id);
      else if (!isInHand(message)) this.#end(message);
    }
    return outside.length === 0 ? DONE : wake(outside, (woken) => this.#end(woken));
  }

  #end(message: QueuedMessage): void {
    const by = this.#isReplaced(message) ? this.#replaced.get(message.id)?.by : undefined;
    this.#replaced.delete(message.id);
    // What people hold they want to see.
    if (by !== undefined && message.held?.by !== "operator")
      this.#parts.discard(message, `superseded by ${by}`);
  }

  #isReplaced({ id, properties }: QueuedMessage): boolean {
    const replacement = this.#replaced.get(id);
    return replacement !== undefined && properties.get("MP_MSG_GUID") === replacement.guid;
  }

  /** The message is finished. */
  ended({ id, properties }: QueuedMessage): void {
    if (properties.size === 0) return;
    this.#replaced.delete(id);
    this.#waiting.remove(id);
  }
}

const DONE = Promise.resolve();
