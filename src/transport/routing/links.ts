// Step 8, steered by router sinks: next hops that are left alone or tried at once, and routes that are computed anew (REFERENCE 4.4).
import type { Clock } from "../../core/clock.ts";
import { keepNewest } from "../../core/keep-newest.ts";
import { type LinkControl, linkFlag } from "../../events/contexts/router-contexts.ts";
import type { QueueSet } from "../queues/queue-set.ts";

export interface LinksParts {
  readonly queues: () => Pick<QueueSet, "setLink" | "setHalt">;
  readonly rerouteAll: () => void;
  /** What the messages have of types counts no more. */
  readonly forgetTypes: () => void;
  readonly clock: Clock;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_DOWN_MS = 7 * DAY_MS;
/** Longer than any message waits. */
const NO_RETRY_MS = 3650 * DAY_MS;
const MAX_LINKS = 10_000;
const KEPT_FLAGS = linkFlag.retryEnabled | linkFlag.adminHalt;
/** A sink that asks for a reset whenever it is called must not keep the service busy with it. */
const RESET_GAP_MS = 1000;

export class Links implements LinkControl {
  readonly #parts: LinksParts;
  #cancelReset: (() => void) | undefined;
  #lastReset = Number.NEGATIVE_INFINITY;
  #stopped = false;
  /** Of next hops whose flags are others than those at first; the oldest is forgotten when there are too many. */
  readonly #flags = new Map<string, number>();

  constructor(parts: LinksParts) {
    this.#parts = parts;
  }

  reset(what: "nextHops" | "messageTypes" = "nextHops"): void {
    if (what === "messageTypes") this.#parts.forgetTypes();
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
    this.#parts.queues().setLink(nextHop.toLowerCase(), this.#parts.clock.now() + forMs);
  }

  /** Of a next hop that is left alone: tries it at that time. */
  retryAt(nextHop: string, time: number): void {
    const wait = time - this.#parts.clock.now();
    if (wait <= 0) this.up(nextHop);
    else this.down(nextHop, wait);
  }

  up(nextHop: string): void {
    this.#parts.queues().setLink(nextHop.toLowerCase(), undefined);
  }

  setState(nextHop: string, set: number, unset = 0): void {
    const link = nextHop.toLowerCase();
    const before = this.flagsOf(link);
    const flags = (before | set) & ~unset & KEPT_FLAGS;
    this.#keep(link, flags);
    if (((before ^ flags) & linkFlag.adminHalt) !== 0)
      this.#parts.queues().setHalt(link, (flags & linkFlag.adminHalt) !== 0);
    const isFreed =
      (before & ~flags & linkFlag.adminHalt) !== 0 || (flags & ~before & linkFlag.retryEnabled) !== 0;
    if (isFreed || (set & ~unset & linkFlag.forceConnection) !== 0) this.up(link);
  }

  /** Bits of `linkFlag`. */
  flagsOf(link: string): number {
    return this.#flags.get(link) ?? linkFlag.retryEnabled;
  }

  /** The next hop was found unreachable: whether it is tried again by itself. */
  failed(link: string): void {
    if ((this.flagsOf(link) & linkFlag.retryEnabled) === 0)
      this.#parts.queues().setLink(link, this.#parts.clock.now() + NO_RETRY_MS);
  }

  #keep(link: string, flags: number): void {
    if (flags === linkFlag.retryEnabled) {
      this.#flags.delete(link);
      return;
    }
    const forgotten = keepNewest(this.#flags, link, flags, MAX_LINKS);
    if (forgotten !== undefined) this.#parts.queues().setHalt(forgotten, false);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelReset?.();
  }
}
