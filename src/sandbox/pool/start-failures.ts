// Sandbox processes that die at their start: how long the next one has to wait, and when tasks are told that there is none.

const MAX_PAUSE_MS = 30_000;
/** After so many in a row waiting tasks are told. */
const GIVE_UP_AFTER = 3;

export class StartFailures {
  readonly #firstPauseMs: number;
  #inARow = 0;
  #lastReason = "";

  constructor(firstPauseMs: number) {
    this.#firstPauseMs = firstPauseMs;
  }

  /** Answers the pause before the next one may be started. */
  failed(reason: string): number {
    this.#inARow += 1;
    this.#lastReason = reason;
    return Math.min(this.#firstPauseMs * 2 ** (this.#inARow - 1), MAX_PAUSE_MS);
  }

  /** A process did its work. */
  end(): void {
    this.#inARow = 0;
  }

  get areTooMany(): boolean {
    return this.#inARow >= GIVE_UP_AFTER;
  }

  /** For those who wait for a process. */
  get description(): string {
    return `no sandbox process can be started: ${this.#lastReason}`;
  }
}
