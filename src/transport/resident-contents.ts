// Keeps the contents of queued messages in memory up to a budget; beyond it they are read back from the store when due.
import type { QueuedMessage } from "./queued-message.ts";

export class ResidentContents {
  readonly #budgetBytes: number;
  readonly #sizes = new Map<QueuedMessage, number>();
  #bytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** Counts a message that enters the queues; when the budget is spent its content is saved where needed and dropped. */
  limit(message: QueuedMessage, save: () => void): void {
    if (message.content === undefined || this.#sizes.has(message)) return;
    if (this.#bytes + message.size <= this.#budgetBytes) {
      this.#sizes.set(message, message.size);
      this.#bytes += message.size;
      return;
    }
    if (message.contentUnsaved) save();
    message.content = undefined;
  }

  forget(message: QueuedMessage): void {
    const size = this.#sizes.get(message);
    if (size === undefined) return;
    this.#sizes.delete(message);
    this.#bytes -= size;
  }
}
