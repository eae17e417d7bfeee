// Keeps the contents of queued messages in memory up to a budget; beyond it they are read back from the store when due.
import { TurnoverMap } from "../core/turnover-map.ts";
import type { QueuedMessage } from "./queued-message.ts";

export class ResidentContents {
  readonly #budgetBytes: () => number;
  readonly #sizes = new TurnoverMap<QueuedMessage, number>();
  #bytes = 0;

  constructor(budgetBytes: () => number) {
    this.#budgetBytes = budgetBytes;
  }

  /** Bytes of the contents that are counted. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts a message; false when the budget is spent. */
  admit(message: QueuedMessage): boolean {
    if (this.#sizes.has(message)) return true;
    if (this.#bytes + message.size > this.#budgetBytes()) return false;
    this.#sizes.set(message, message.size);
    this.#bytes += message.size;
    return true;
  }

  holds(message: QueuedMessage): boolean {
    return this.#sizes.has(message);
  }

  forget(message: QueuedMessage): void {
    const size = this.#sizes.get(message);
    if (size === undefined) return;
    this.#sizes.delete(message);
    this.#bytes -= size;
  }
}
