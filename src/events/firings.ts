// Whether a binding may be called now, and how often bindings with maxFirings were.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Binding } from "./binding.ts";
import type { PassReason } from "./effects.ts";

/** Calls of bindings with maxFirings so far, by binding id. A Map serves; the service keeps them in a file. */
export interface Firings {
  get(bindingId: string): number | undefined;
  set(bindingId: string, fired: number): unknown;
  /** Of these, calls that do not count for good yet, by what they are about: a crash brings it back to the sinks. */
  readonly open?: Map<unknown, Binding[]>;
}

export interface FiringParts {
  /** Absent: counting begins at 0. */
  readonly firings?: Firings | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The clock is read only for bindings that can expire. */
export const isExpired = ({ expiration }: Pick<Binding, "expiration">, clock: Pick<Clock, "now">): boolean =>
  expiration !== undefined && expiration <= clock.now();

/** `fired`: its calls so far; absent: none was counted. */
export const isUsedUp = ({ maxFirings }: Pick<Binding, "maxFirings">, fired = 0): boolean =>
  maxFirings !== undefined && maxFirings >= 0 && fired >= maxFirings;

const isCounted = ({ maxFirings }: Binding): boolean => maxFirings !== undefined && maxFirings >= 0;

/** Counts notifications of bindings with maxFirings, across sets. */
export class FiringCounter {
  readonly #fired: Firings;
  readonly #open: Map<unknown, Binding[]>;
  readonly #parts: FiringParts;

  constructor(parts: FiringParts) {
    this.#parts = parts;
    this.#open = parts.firings?.open ?? new Map<unknown, Binding[]>();
    this.#fired = parts.firings ?? new Map<string, number>();
  }

  /** Why the binding may not be called now; undefined when it may. */
  refusal(binding: Binding): PassReason | undefined {
    if (!binding.enabled) return "disabled";
    if (isExpired(binding, this.#parts.clock)) return "expired";
    return isUsedUp(binding, this.#fired.get(binding.id)) ? "used up" : undefined;
  }

  /** The binding is called, and whatever becomes of it the call counts. */
  count(binding: Binding): void {
    if (!isCounted(binding)) return;
    this.#add(binding, 1);
    this.#tellUsedUp(binding);
  }

  /** The binding is called about a message, by its id, or about something else; `settle` says whether that counts. */
  begin(binding: Binding, about: unknown): void {
    if (!isCounted(binding)) return;
    const open = this.#open.get(about);
    if (open === undefined) this.#open.set(about, [binding]);
    else open.push(binding);
    this.#add(binding, 1);
  }

  /** The run ended before the call. */
  cancel(binding: Binding, about: unknown): void {
    const open = this.#open.get(about);
    const place = open?.lastIndexOf(binding) ?? -1;
    if (place < 0) return;
    open?.splice(place, 1);
    this.#add(binding, -1);
  }

  /** What comes back meets all sinks anew: a call of this time that counted would let it pass one unseen. Answers whether any counts. */
  settle(about: unknown, comesBack: boolean): boolean {
    const open = this.#open.get(about);
    if (open === undefined) return false;
    this.#open.delete(about);
    for (const binding of open) {
      this.#add(binding, comesBack ? -1 : 0);
      if (!comesBack) this.#tellUsedUp(binding);
    }
    return !comesBack && open.length > 0;
  }

  /** With 0 the count is the same, and one that lasts. */
  #add({ id }: Binding, calls: number): void {
    this.#fired.set(id, (this.#fired.get(id) ?? 0) + calls);
  }

  #tellUsedUp({ id, displayName, maxFirings = 0 }: Binding): void {
    const fired = this.#fired.get(id) ?? 0;
    if (fired < maxFirings) return;
    const open = [...this.#open.values()].flat().filter((binding) => binding.id === id).length;
    if (fired - open !== maxFirings) return;
    this.#parts.log.info({ binding: displayName, maxFirings }, "binding reached maxFirings and is disabled");
  }
}
