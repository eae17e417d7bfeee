// Promises of sinks that nobody waits for (MsgTrackLog, EventLog, notices of StoreDriver): what the sink is told of goes on at once.
// What becomes of them is logged with the name of the binding, and a sink that keeps none of them is not called for ever more.
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Binding } from "./binding.ts";

export interface OpenPromisesParts {
  /** That one binding may have open at a time. */
  readonly max: number;
  /** How long one counts as open. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface OpenOnes {
  count: number;
  isRefusalLogged: boolean;
}

export class OpenPromises {
  readonly #parts: OpenPromisesParts;
  /** By the id of the binding, which outlives a change of other bindings. */
  readonly #open = new Map<string, OpenOnes>();

  constructor(parts: OpenPromisesParts) {
    this.#parts = parts;
  }

  /** Whether the sink may be called, and promise once more. */
  admits({ id, displayName, event }: Binding): boolean {
    const open = this.#open.size === 0 ? undefined : this.#open.get(id);
    if (open === undefined || open.count < this.#parts.max) return true;
    if (!open.isRefusalLogged)
      this.#parts.log.error(
        { binding: displayName, event, promises: open.count },
        "sink has too many open promises; it is passed over until some are settled",
      );
    open.isRefusalLogged = true;
    return false;
  }

  /** One more is open until the answer is called, once. */
  begin({ id }: Binding): () => void {
    const open = this.#open.get(id) ?? { count: 0, isRefusalLogged: false };
    this.#open.set(id, open);
    open.count += 1;
    return () => {
      open.count -= 1;
      if (open.count === 0) this.#open.delete(id);
    };
  }

  leave(binding: Binding, promise: Promise<unknown>): void {
    const { clock, deadlineMs } = this.#parts;
    const close = this.begin(binding);
    let isOver = false;
    const end = (fault?: string): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      close();
      if (fault !== undefined) this.#failed(binding, fault);
    };
    const cancel = clock.after(deadlineMs, () => end(`no answer within ${deadlineMs} ms`));
    promise.then(
      () => end(),
      (thrown: unknown) => end(describeError(thrown)),
    );
  }

  #failed({ displayName, event }: Binding, fault: string): void {
    this.#parts.log.error(
      { binding: displayName, event, fault },
      "promise of a sink failed; what it had changed before counts",
    );
  }
}
