// The calls that one sandbox process has been told of: jobs name them by number, so that limits and grants cross once per
// binding and not once per message.
import type { CallFrame, ScriptCall } from "../../../runtime/contract.ts";

/** More than a service has bindings; calls of bindings that were changed stay until then. */
const MAX_KNOWN_CALLS = 4096;

export class KnownCalls {
  readonly #numbers = new Map<ScriptCall, number>();
  readonly #write: (frame: CallFrame) => void;

  constructor(write: (frame: CallFrame) => void) {
    this.#write = write;
  }

  /** The numbers of the calls; the process is told of those that are new to it. */
  numbersOf(calls: readonly ScriptCall[]): number[] {
    // Between two jobs only: the numbers of one job are of one table.
    if (this.#numbers.size + calls.length > MAX_KNOWN_CALLS) this.#numbers.clear();
    return calls.map((call) => this.#numbers.get(call) ?? this.#tell(call));
  }

  /** Number 0 begins the table anew on the other side, too. */
  #tell(call: ScriptCall): number {
    const number = this.#numbers.size;
    this.#numbers.set(call, number);
    this.#write({ type: "call", number, call });
    return number;
  }
}
