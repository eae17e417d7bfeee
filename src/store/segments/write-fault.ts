// What the log says of a store that cannot write. It tries again each second: that must not fill the disk it waits for.
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";

/** Between two lines about the same outage, ms. */
const TELL_EVERY_MS = 60_000;

export class WriteFault {
  readonly #logger: Logger;
  readonly #clock: Clock;
  #failures = 0;
  #toldAt = 0;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Tells the first failure at once, and later ones at most once a minute, with how many there were so far. */
  failed(error: Error): void {
    this.#failures += 1;
    const now = this.#clock.now();
    // A clock that was set back must not silence it.
    if (this.#failures > 1 && Math.abs(now - this.#toldAt) < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#logger.error(
      { code: "STORE_FAILED", error: error.message, failures: this.#failures },
      "the store could not write",
    );
  }

  /** Tells the end of an outage, once. */
  worked(): void {
    if (this.#failures === 0) return;
    this.#logger.info({ failures: this.#failures }, "the store writes again");
    this.#failures = 0;
  }
}
