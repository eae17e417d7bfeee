// Looks at the sandbox processes: often while they have something to do, now and then while they have nothing. A script that
// broke out of its isolate lives on in a process that has answered.
import type { Clock } from "../../core/clock.ts";
import { cpuMs } from "./process-standing.ts";

const SWEEP_MS = 50;
const IDLE_LOOK_MS = 1000;
/** Processor time that a process may use with nothing to do: to get rid of what it had to do, and hardly any from then on. */
const IDLE_CPU_MS = 1000;
const IDLE_CPU_SHARE = 0.01;

export interface Watched {
  readonly pid: number | undefined;
  readonly isReady: boolean;
  readonly outstanding: number;
  readonly answers: number;
  inspect(): void;
  kill(reason: string): void;
}

/** How things stood when it was first seen without anything to do. */
interface Rest {
  readonly since: number;
  readonly answers: number;
  readonly cpuMs: number;
}

export class ProcessWatch {
  readonly #clock: Clock;
  readonly #processes: () => readonly Watched[];
  readonly #isWorkWaiting: () => boolean;
  readonly #rests = new WeakMap<Watched, Rest>();
  #cancelSweep: (() => void) | undefined;
  #cancelIdleLook: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, processes: () => readonly Watched[], isWorkWaiting: () => boolean) {
    this.#clock = clock;
    this.#processes = processes;
    this.#isWorkWaiting = isWorkWaiting;
  }

  /** There is a process, or there is something to do for one. */
  begin(): void {
    if (this.#stopped) return;
    if (this.#cancelSweep === undefined) this.#sweepLater();
    if (this.#cancelIdleLook === undefined) this.#lookLater();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSweep?.();
    this.#cancelIdleLook?.();
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      let isBusy = this.#isWorkWaiting();
      for (const worker of this.#processes()) {
        if (isIdle(worker)) continue;
        worker.inspect();
        isBusy = true;
      }
      if (isBusy && !this.#stopped) this.#sweepLater();
    });
  }

  #lookLater(): void {
    this.#cancelIdleLook = this.#clock.after(IDLE_LOOK_MS, () => {
      this.#cancelIdleLook = undefined;
      const all = this.#processes();
      for (const worker of all) if (isIdle(worker)) this.#lookAtIdle(worker);
      if (all.length > 0 && !this.#stopped) this.#lookLater();
    });
  }

  #lookAtIdle(worker: Watched): void {
    worker.inspect();
    const { answers } = worker;
    const now = this.#clock.now();
    const used = cpuMs(worker.pid);
    const rest = this.#rests.get(worker);
    if (rest?.answers !== answers) this.#rests.set(worker, { since: now, answers, cpuMs: used });
    else if (used - rest.cpuMs > IDLE_CPU_MS + IDLE_CPU_SHARE * (now - rest.since))
      worker.kill("it uses the processor and has nothing to do");
  }
}

const isIdle = ({ isReady, outstanding }: Watched): boolean => isReady && outstanding === 0;
