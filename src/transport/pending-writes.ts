// What is under way for a message outside its steps: reports and Badmail copies that are being written, and sinks that choose its
// routes. Until that is over the message must neither end nor be taken away.
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { QueuedMessage } from "./queued-message.ts";

export class PendingWrites {
  readonly #log: Logger;
  readonly #counts = new Map<QueuedMessage, number>();
  #onSettled: (() => void) | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  has(message: QueuedMessage): boolean {
    return this.#counts.has(message);
  }

  /** Calls `next` when `work` is over, which has to see to its failures itself. */
  track(message: QueuedMessage, work: Promise<void>, next: () => void): void {
    this.#counts.set(message, (this.#counts.get(message) ?? 0) + 1);
    const end = (): void => {
      const left = (this.#counts.get(message) ?? 1) - 1;
      if (left > 0) this.#counts.set(message, left);
      else this.#counts.delete(message);
      next();
      if (this.#counts.size === 0) this.#onSettled?.();
    };
    work.then(end).catch((thrown: unknown) => {
      this.#log.error(
        { message: message.id, error: describeError(thrown) },
        "message stays in the queue until the next start",
      );
    });
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    if (this.#counts.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }
}
