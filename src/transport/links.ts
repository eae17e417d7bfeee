// Step 8, steered by router sinks: next hops that are left alone or tried at once, and routes that are computed anew (REFERENCE 4.4).
import type { Clock } from "../core/clock.ts";
import type { LinkControl } from "../events/router-contexts.ts";

export interface LinksParts {
  /** Leaves the queues of a next hop alone until then; undefined: tries them now. */
  readonly setLink: (nextHop: string, downUntil: number | undefined) => void;
  readonly rerouteAll: () => void;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;
const MAX_DOWN_MS = 7 * 24 * HOUR_MS;
/** A sink that asks for a reset whenever it is called must not keep the service busy with it. */
const RESET_GAP_MS = 1000;

export class Links implements LinkControl {
  readonly #parts: LinksParts;
  #cancelReset: (() => void) | undefined;
  #lastReset = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(parts: LinksParts) {
    this.#parts = parts;
  }

  reset(): void {
    if (this.#cancelReset !== undefined || this.#stopped) return;
    const { clock, rerouteAll } = this.#parts;
    const wait = Math.max(0, this.#lastReset + RESET_GAP_MS - clock.now());
    this.#cancelReset = clock.after(wait, () => {
      this.#cancelReset = undefined;
      this.#lastReset = clock.now();
      rerouteAll();
    });
  }

  down(nextHop: string, forMs = HOUR_MS): void {
    if (!(forMs > 0) || forMs > MAX_DOWN_MS)
      throw new RangeError(`a next hop can be down for 1 to ${MAX_DOWN_MS} ms`);
    this.#parts.setLink(nextHop.toLowerCase(), this.#parts.clock.now() + forMs);
  }

  up(nextHop: string): void {
    this.#parts.setLink(nextHop.toLowerCase(), undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelReset?.();
  }
}
