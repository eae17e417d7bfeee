// After an offence the suspects' lane rests as long as the offender took, so that hostile scripts, however many, get half of the
// lane's time at most and the rest of the machine stays with the others.
import type { Clock } from "../../core/clock.ts";
import type { WorkerProcess } from "./worker-process.ts";

const MAX_REST_MS = 2000;

export class LaneRest {
  #clock: Clock;
  #startedAt = new WeakMap<WorkerProcess, number>();
  #until = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A task goes to the process. */
  started(worker: WorkerProcess): void {
    this.#startedAt.set(worker, this.#clock.now());
  }

  /** The task of the process was an offence. */
  offended(worker: WorkerProcess): void {
    const now = this.#clock.now();
    this.#until = now + Math.min(now - (this.#startedAt.get(worker) ?? now), MAX_REST_MS);
  }

  /** Whether it rests for now; then `wake` is called at its end. */
  rests(wake: () => void): boolean {
    const restMs = this.#until - this.#clock.now();
    if (restMs <= 0) return false;
    this.#cancel?.();
    this.#cancel = this.#clock.after(restMs, wake);
    return true;
  }

  stop(): void {
    this.#cancel?.();
  }
}
