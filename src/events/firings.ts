// Whether a binding may be called now, and how often bindings with maxFirings were.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Binding } from "./binding.ts";
import type { PassReason } from "./effects.ts";

/** Calls of bindings with maxFirings so far, by binding id. A Map serves; the service keeps them in a file. */
export interface Firings {
  get(bindingId: string): number | undefined;
  set(bindingId: string, fired: number): unknown;
  /** Of these, calls under way: what a crash cuts off comes back to the sinks, and is not to have counted. */
  readonly underWay?: Map<string, number>;
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
  readonly #parts: FiringParts;

  constructor(parts: FiringParts) {
    this.#parts = parts;
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
    const fired = (this.#fired.get(binding.id) ?? 0) + 1;
    this.#fired.set(binding.id, fired);
    if (fired !== binding.maxFirings) return;
    this.#parts.log.info(
      { binding: binding.displayName, maxFirings: binding.maxFirings },
      "binding reached maxFirings and is disabled",
    );
  }

  /** The binding is called; `settle` or `refund` says whether that counts. */
  begin(binding: Binding): void {
    if (!isCounted(binding)) return;
    this.#underWay(binding, 1);
    this.count(binding);
  }

  settle(binding: Binding): void {
    this.#end(binding, 0);
  }

  /** The run ended before the call, or its message comes back to the sinks. */
  refund(binding: Binding): void {
    this.#end(binding, 1);
  }

  #end(binding: Binding, givenBack: number): void {
    if (!isCounted(binding)) return;
    this.#underWay(binding, -1);
    this.#fired.set(binding.id, (this.#fired.get(binding.id) ?? givenBack) - givenBack);
  }

  #underWay({ id }: Binding, more: number): void {
    const { underWay } = this.#fired;
    underWay?.set(id, (underWay.get(id) ?? 0) + more);
  }
}
