// Step 8: a message that names another one (MP_SUPERSEDES_MSG_GUID) replaces it in the queues (REFERENCE 4.6.2). What it replaces
// ends without a report: its sender has sent something newer.
import type { QueuedMessage } from "./queued-message.ts";

export interface SupersedingParts {
  readonly messages: ReadonlyMap<string, QueuedMessage>;
  readonly isInHand: (message: QueuedMessage) => boolean;
  /** Brings back a message that is not in memory, and does that to it before it goes on. */
  readonly wake: (id: string, before: (message: QueuedMessage) => void) => void;
  readonly discard: (message: QueuedMessage, reason: string) => void;
}

export class Superseding {
  readonly #parts: SupersedingParts;
  /** Those that wait for delivery: when they arrived, by their MP_MSG_GUID and their ids. Copies of a message share a GUID. */
  readonly #waiting = new Map<string, Map<string, number>>();
  /** Those that are replaced, and by which message, as long as something works on them. */
  readonly #replaced = new Map<string, string>();

  constructor(parts: SupersedingParts) {
    this.#parts = parts;
  }

  /** The message waits for its delivery from now on. */
  waits({ id, origin, properties }: QueuedMessage): void {
    if (properties.size === 0) return;
    const guid = properties.get("MP_MSG_GUID");
    if (typeof guid === "string") {
      const same = this.#waiting.get(guid) ?? new Map<string, number>();
      this.#waiting.set(guid, same.set(id, origin.arrivalTime));
    }
    const superseded = properties.get("MP_SUPERSEDES_MSG_GUID");
    if (typeof superseded !== "string") return;
    for (const [older, arrivalTime] of this.#waiting.get(superseded) ?? []) {
      // Copies of the message itself stay, and what came later: a slow sink must not make old news replace newer ones.
      if (arrivalTime >= origin.arrivalTime) continue;
      this.#replaced.set(older, id);
      this.#take(older);
    }
  }

  /** Whether the message is replaced: then nothing more is to be done for it. */
  hasTaken({ id }: QueuedMessage): boolean {
    if (this.#replaced.size === 0 || !this.#replaced.has(id)) return false;
    this.#take(id);
    return true;
  }

  /** Takes what could not be taken before. */
  sweep(): void {
    for (const id of this.#replaced.keys()) this.#take(id);
  }

  #take(id: string): void {
    const message = this.#parts.messages.get(id);
    if (message === undefined) this.#parts.wake(id, (woken) => this.#end(woken));
    else if (!this.#parts.isInHand(message)) this.#end(message);
  }

  #end(message: QueuedMessage): void {
    const by = this.#replaced.get(message.id);
    this.#replaced.delete(message.id);
    // What people hold they want to see.
    if (by !== undefined && message.held?.by !== "operator")
      this.#parts.discard(message, `superseded by ${by}`);
  }

  /** The message is finished. */
  ended({ id, properties }: QueuedMessage): void {
    const guid = properties.size === 0 ? undefined : properties.get("MP_MSG_GUID");
    if (typeof guid !== "string") return;
    this.#replaced.delete(id);
    const same = this.#waiting.get(guid);
    same?.delete(id);
    if (same?.size === 0) this.#waiting.delete(guid);
  }
}
