// Turns for work of which only so much may be under way: what is in excess waits in order, or until it is called off.

export class Turns {
  #free: number;
  #waiting = new Set<() => void>();

  constructor(most: number) {
    this.#free = most;
  }

  /** Whether work that comes now has to wait. */
  get isFull(): boolean {
    return this.#free === 0;
  }

  /** Runs the work when it is its turn. Rejects with the signal's reason when that comes first. */
  async take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(start);
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason of our own controller
        reject(signal?.reason);
      };
      this.#waiting.add(start);
      signal?.addEventListener("abort", giveUp, { once: true });
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** For work that cannot be stopped, only left alone. Rejects with the signal's reason when that comes first. */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
