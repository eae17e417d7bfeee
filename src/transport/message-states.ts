// The messages of the transport and the store: saved states, and contents that are in memory or read back.
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { TurnoverMap } from "../core/turnover-map.ts";
import type { Content } from "../message/content.ts";
import type { StoreDriver } from "../store/store-driver.ts";
import { type QueuedMessage, formatState } from "./queued-message.ts";
import type { ResidentContents } from "./resident-contents.ts";
import type { StoreSinks } from "./store-sinks.ts";

export interface MessageStatesParts {
  readonly store: Pick<StoreDriver, "saveState" | "loadContent" | "remove">;
  readonly resident: ResidentContents;
  /** Absent: no sinks of StoreDriver. */
  readonly storeSinks?: Pick<StoreSinks, "isEmpty" | "tell"> | undefined;
  /** What the store is told has to be in the record of steps before: a crash in between must not leave an end unrecorded. */
  readonly whenKept?: ((go: () => void) => void) | undefined;
  /** The store has the message as it was when it was saved, which is as it is now unless it is untold. */
  readonly saved?: ((message: QueuedMessage) => void) | undefined;
  readonly log: Logger;
}

export class MessageStates {
  readonly #store: MessageStatesParts["store"];
  readonly #resident: ResidentContents;
  readonly #storeSinks: MessageStatesParts["storeSinks"];
  readonly #log: Logger;
  readonly #whenKept: (go: () => void) => void;
  readonly #saved: (message: QueuedMessage) => void;
  /** To be saved once more when the edits are in the store that are on the way to it. */
  readonly #changedMeanwhile = new Set<QueuedMessage>();
  /** Edits on the way to the store. */
  readonly #savings = new Map<QueuedMessage, Promise<void>>();
  /** Lets go of the files of contents that the store has replaced: sinks and next hops may be reading them. */
  readonly #replaced = new Map<QueuedMessage, () => void>();
  /** The last state of each message that the store is told when the record of steps is kept. */
  readonly #untold = new TurnoverMap<QueuedMessage, string>();

  constructor({ store, resident, storeSinks, whenKept, saved, log }: MessageStatesParts) {
    this.#store = store;
    this.#resident = resident;
    this.#storeSinks = storeSinks;
    this.#log = log;
    this.#whenKept = whenKept ?? ((go) => go());
    this.#saved = saved ?? (() => undefined);
  }

  load(message: QueuedMessage): Content | Promise<Content> {
    if (message.content !== undefined) return message.content;
    const reading = this.#store.loadContent(message.id);
    const sinks = this.#storeSinks;
    if (sinks === undefined || sinks.isEmpty) return reading;
    return reading.then((content) => {
      sinks.tell("read", message);
      return content;
    });
  }

  save(message: QueuedMessage): void {
    if (this.#savings.has(message)) {
      // Large edits are written before their state: a state saved now would be replaced by that older one.
      this.#changedMeanwhile.add(message);
    } else if (message.edits === "unsaved" && message.content !== undefined) {
      void this.#saveEdits(message, message.content);
    } else {
      const state = formatState(message);
      this.#untold.set(message, state);
      this.#whenKept(() => {
        this.#store
          .saveState(message.id, state)
          .catch((thrown: unknown) => this.#failed(message, "state of a message could not be saved", thrown));
        // The state of a later save counts: until the store has that one, what it has is out of date.
        if (this.#untold.get(message) === state) this.#untold.delete(message);
        this.#saved(message);
      });
    }
  }

  /** Whether the store has yet to be told the last state: what would be read back is an older one. */
  isUntold(message: QueuedMessage): boolean {
    return this.#untold.has(message);
  }

  /** As save; in the store when it resolves, before whatever is told to it afterwards. Throws STORE_FAILED. */
  async write(message: QueuedMessage, isDurable = false): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- what changed meanwhile follows the edits that are on the way
    while (this.#savings.has(message)) await this.#savings.get(message);
    if (message.edits === "unsaved" && message.content !== undefined)
      await this.#saveEdits(message, message.content);
    if (message.edits !== "none")
      throw new OnArrivalError("STORE_FAILED", "what sinks changed could not be saved");
    await new Promise<void>((resolve) => this.#whenKept(resolve));
    await this.#store.saveState(message.id, formatState(message), undefined, isDurable);
  }

  /** As write; durable when it resolves. */
  settle(message: QueuedMessage): Promise<void> {
    return this.write(message, true);
  }

  /** Counts the content against the memory budget; beyond it the content is dropped. */
  limit(message: QueuedMessage): void {
    if (message.content !== undefined && !this.#resident.admit(message)) this.drop(message);
  }

  /** Takes the content out of memory; what sinks changed stays until the store has it. */
  drop(message: QueuedMessage): void {
    this.#resident.forget(message);
    if (message.edits === "none") message.content = undefined;
    else if (message.edits === "unsaved") this.save(message);
  }

  /** The store alone has the message from now on. */
  release(message: QueuedMessage): void {
    this.#letGo(message);
    message.content = undefined;
  }

  /** The message is finished. */
  end(message: QueuedMessage): void {
    this.#letGo(message);
    this.#changedMeanwhile.delete(message);
    message.content = undefined;
    this.#whenKept(() => this.#remove(message));
  }

  #letGo(message: QueuedMessage): void {
    this.#resident.forget(message);
    this.#endHold(message);
  }

  #endHold(message: QueuedMessage): void {
    this.#replaced.get(message)?.();
    this.#replaced.delete(message);
  }

  #remove(message: QueuedMessage): void {
    try {
      this.#store.remove(message.id);
    } catch (thrown) {
      // The grace of a stop is over and the store closed: the next start repeats the delivery.
      this.#failed(message, "end of a message could not be saved", thrown);
    }
  }

  #saveEdits(message: QueuedMessage, content: Content): Promise<void> {
    const saving = this.#writeEdits(message, content);
    this.#savings.set(message, saving);
    return saving;
  }

  /** Until the store has the edits, what it would read back is the message before the sinks. */
  async #writeEdits(message: QueuedMessage, content: Content): Promise<void> {
    message.edits = "saving";
    // Before the hold of earlier edits ends: these may lie in the same file.
    const release = content.inMemory ? undefined : content.hold();
    this.#endHold(message);
    if (release !== undefined) this.#replaced.set(message, release);
    const state = formatState(message);
    const saved = new Promise<void>((resolve) => {
      this.#whenKept(() => resolve(this.#store.saveState(message.id, state, content)));
    });
    try {
      await saved;
      // Sinks of a later event may have made further ones.
      if (message.edits === "saving") {
        message.edits = "none";
        if (!this.#resident.holds(message)) message.content = undefined;
        this.#saved(message);
      }
    } catch (thrown) {
      message.edits = "unsaved";
      this.#failed(message, "state of a message could not be saved", thrown);
    }
    this.#savings.delete(message);
    if (this.#changedMeanwhile.delete(message)) this.save(message);
  }

  #failed(message: QueuedMessage, what: string, thrown: unknown): void {
    const error =
      thrown instanceof OnArrivalError ? thrown : new OnArrivalError("STORE_FAILED", describeError(thrown));
    this.#log.error({ message: message.id, code: error.code, error: error.message }, what);
  }
}
