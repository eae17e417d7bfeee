// Spreads tasks over sandbox processes. When one dies, everything it had not answered is run again, each task alone on a
// process without company: only a task that kills again there is guilty, and the innocents lose nothing but time.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { type Task, type TaskAnswer, versionsOf } from "./tasks.ts";
import { type Entry, type WorkerListener, type WorkerOptions, WorkerProcess } from "./worker-process.ts";

export interface PoolSettings {
  /** Sandbox processes for ordinary work; as many again at most for suspects, started when there are some. */
  readonly processes: number;
  /** Tasks that one process holds at once, so that it never waits for the relay. */
  readonly windowJobs: number;
  /** Estimated work in µs that one process holds at once: behind a slow script nobody shall queue. */
  readonly windowMicros: number;
  /** First pause after a process that died at its start; doubles up to 30 s. */
  readonly respawnBackoffMs: number;
}

export interface PoolOptions extends PoolSettings {
  readonly worker: Omit<WorkerOptions, "readsBody">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isSuspended: (version: string) => boolean;
}

/** Estimated work up to which tasks are packed into one process instead of spread. */
const PACKED_MICROS = 5000;
const SWEEP_MS = 50;
const MAX_BACKOFF_MS = 30_000;
/** After so many processes in a row that died at their start, waiting tasks are told that there is no sandbox. */
const GIVE_UP_AFTER = 3;
const LANE_IDLE_MS = 30_000;
const UNKNOWN_COST_MICROS = 200;
/** An isolate is made for it and thrown away. Many of them shall use all processes. */
const INSPECT_MICROS = 5000;

export class WorkerPool implements WorkerListener {
  #options: PoolOptions;
  #workerOptions: WorkerOptions;
  #workers: WorkerProcess[] = [];
  #lane: WorkerProcess[] = [];
  #queue: Entry[] = [];
  #suspects: Entry[] = [];
  /** Versions at work when a process died: they stay on the suspects' lane until they end well there. */
  #quarantine = new Set<string>();
  #readsBody = new Set<string>();
  #micros = new Map<string, number>();
  #startFailures = 0;
  #mayStart = true;
  #dismissed = new Set<WorkerProcess>();
  #stopped = false;
  #cancelSweep: (() => void) | undefined;
  #cancelTrim: (() => void) | undefined;
  #onAllGone: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#workerOptions = { ...options.worker, readsBody: (version) => this.#readsBody.has(version) };
  }

  /** Starts the processes ahead of the first message. */
  warmUp(): void {
    while (!this.#stopped && this.#mayStart && this.#workers.length < this.#options.processes)
      this.#grow(this.#workers);
    this.#dispatch();
  }

  /** Process ids, for people and tests. */
  get pids(): number[] {
    return [...this.#workers, ...this.#lane].flatMap((worker) => worker.pid ?? []);
  }

  /** Never rejects. `alone`: on a process that holds nothing else. */
  run(task: Task, alone = false, probe = false): Promise<TaskAnswer> {
    return new Promise((settle) => {
      const entry: Entry = { task, settle, cost: this.#costOf(task), probe };
      if (this.#stopped) settle({ kind: "unavailable", reason: "the service is stopping" });
      else if (this.#hasGivenUp())
        settle({ kind: "unavailable", reason: "no sandbox process can be started" });
      else if (alone) this.#suspects.push(entry);
      else this.#queue.push(entry);
      this.#dispatch();
    });
  }

  /** The version is no longer live: no process needs to keep it. A message that still runs it loads it again. */
  retire(version: string): void {
    this.#quarantine.delete(version);
    this.#readsBody.delete(version);
    this.#micros.delete(version);
    for (const worker of [...this.#workers, ...this.#lane]) worker.unload(version);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelSweep?.();
    this.#cancelTrim?.();
    this.#refuseWaiting("the service is stopping");
    const all = [...this.#workers, ...this.#lane];
    for (const worker of all) worker.kill("the service is stopping");
    if (all.length === 0) return;
    await new Promise<void>((resolve) => {
      this.#onAllGone = resolve;
    });
  }

  // ---- what the processes report ----

  ready(): void {
    this.#dispatch();
  }

  answered(worker: WorkerProcess, entry: Entry, answer: TaskAnswer): void {
    this.#startFailures = 0;
    if (answer.kind === "outcomes" && entry.task.kind === "job")
      this.#learn(entry.task.calls, answer.outcomes);
    if (this.#lane.includes(worker)) {
      for (const { version } of versionsOf(entry.task)) this.#quarantine.delete(version);
      this.#trimLaneLater();
    }
    entry.settle(answer);
    this.#dispatch();
  }

  ended(worker: WorkerProcess, reason: string, unanswered: readonly Entry[]): void {
    const wasAlone = this.#lane.includes(worker);
    this.#workers = this.#workers.filter((one) => one !== worker);
    this.#lane = this.#lane.filter((one) => one !== worker);
    if (this.#stopped) {
      for (const entry of unanswered) entry.settle({ kind: "unavailable", reason });
      if (this.#workers.length + this.#lane.length === 0) this.#onAllGone?.();
      return;
    }
    if (this.#dismissed.delete(worker)) return;
    const scripts = [...new Set(worker.headVersions().map((bundle) => bundle.scriptName))];
    this.#options.log.warn(
      { reason, scripts, unanswered: unanswered.length, pid: worker.pid },
      "a sandbox process ended",
    );
    for (const { version } of worker.headVersions()) this.#quarantine.add(version);
    if (wasAlone) for (const entry of unanswered) entry.settle({ kind: "crash", reason });
    else this.#suspects.push(...unanswered);
    if (!worker.isReady || (unanswered.length === 0 && worker.answers === 0)) this.#startFailed(reason);
    else if (!wasAlone) this.#grow(this.#workers);
    this.#dispatch();
  }

  #startFailed(reason: string): void {
    this.#startFailures += 1;
    this.#mayStart = false;
    const pauseMs = Math.min(this.#options.respawnBackoffMs * 2 ** (this.#startFailures - 1), MAX_BACKOFF_MS);
    this.#options.log.error({ reason, pauseMs }, "a sandbox process did not start");
    if (this.#hasGivenUp()) this.#refuseWaiting("no sandbox process can be started");
    // The clock keeps no process alive, but somebody waits for an answer.
    const keepAlive =
      this.#queue.length + this.#suspects.length > 0
        ? setInterval(() => undefined, MAX_BACKOFF_MS)
        : undefined;
    this.#options.clock.after(pauseMs, () => {
      clearInterval(keepAlive);
      this.#mayStart = true;
      // Without waiting work one process is started all the same: it ends the state of having given up.
      if (!this.#stopped && this.#workers.length === 0) this.#grow(this.#workers);
      this.#dispatch();
    });
  }

  #hasGivenUp(): boolean {
    return this.#startFailures >= GIVE_UP_AFTER && !this.#workers.some((worker) => worker.isReady);
  }

  #refuseWaiting(reason: string): void {
    for (const entry of [...this.#queue, ...this.#suspects]) entry.settle({ kind: "unavailable", reason });
    this.#queue = [];
    this.#suspects = [];
  }

  // ---- dispatch ----

  #dispatch(): void {
    if (this.#stopped) return;
    if (this.#queue.length > 0) this.#dispatchQueue();
    if (this.#suspects.length > 0) this.#dispatchSuspects();
    if (this.#cancelSweep === undefined && this.#workers.length + this.#lane.length > 0) this.#sweepLater();
  }

  #dispatchQueue(): void {
    let taken = 0;
    for (const entry of this.#queue) {
      if (this.#isQuarantined(entry.task)) {
        this.#suspects.push(entry);
      } else if (this.#isRefused(entry)) {
        entry.settle({ kind: "suspended" });
      } else {
        const worker = this.#workerFor(entry);
        if (worker === undefined) break;
        worker.send(entry);
      }
      taken += 1;
    }
    if (taken > 0) this.#queue.splice(0, taken);
  }

  #dispatchSuspects(): void {
    for (let entry = this.#suspects[0]; entry !== undefined; entry = this.#suspects[0]) {
      if (this.#isRefused(entry)) {
        entry.settle({ kind: "suspended" });
      } else {
        const idle = this.#lane.find(
          (worker) => worker.isReady && !worker.isEnding && worker.outstanding === 0,
        );
        if (idle === undefined) {
          const starting = this.#lane.filter((worker) => !worker.isReady).length;
          if (starting < this.#suspects.length && this.#lane.length < this.#options.processes)
            this.#grow(this.#lane);
          return;
        }
        idle.send(entry);
      }
      this.#suspects.shift();
    }
  }

  #isQuarantined(task: Task): boolean {
    return this.#quarantine.size > 0 && versionsOf(task).some(({ version }) => this.#quarantine.has(version));
  }

  /** A suspended version gets no process, even for tasks that were waiting when it was suspended. */
  #isRefused(entry: Entry): boolean {
    return !entry.probe && versionsOf(entry.task).some(({ version }) => this.#options.isSuspended(version));
  }

  /**
   * The first process that is busy with little: a process that is awake takes a further task for nothing, one that sleeps
   * costs two switches. When all have much ahead of them, the one with the least.
   */
  #workerFor(entry: Entry): WorkerProcess | undefined {
    const { windowJobs, windowMicros, processes } = this.#options;
    let best: WorkerProcess | undefined;
    for (const worker of this.#workers) {
      if (!worker.isReady || worker.isEnding || worker.outstanding >= windowJobs) continue;
      if (worker.outstanding > 0 && worker.load + entry.cost > windowMicros) continue;
      if (worker.load + entry.cost <= PACKED_MICROS) return worker;
      if (best === undefined || worker.load < best.load) best = worker;
    }
    if ((best === undefined || best.outstanding > 0) && this.#workers.length < processes)
      this.#grow(this.#workers);
    return best;
  }

  #grow(list: WorkerProcess[]): void {
    if (!this.#mayStart || this.#stopped) return;
    list.push(new WorkerProcess(this.#workerOptions, this));
  }

  // ---- what the pool learns ----

  #costOf(task: Task): number {
    if (task.kind === "inspect") return INSPECT_MICROS;
    let sum = 0;
    for (const { version } of versionsOf(task)) sum += this.#micros.get(version) ?? UNKNOWN_COST_MICROS;
    return sum;
  }

  #learn(
    calls: readonly { readonly version: string }[],
    outcomes: readonly { readonly micros: number; readonly readBody: boolean }[],
  ): void {
    for (let index = 0; index < outcomes.length; index += 1) {
      const call = calls[index];
      const outcome = outcomes[index];
      if (call === undefined || outcome === undefined) continue;
      const known = this.#micros.get(call.version) ?? outcome.micros;
      this.#micros.set(call.version, known * 0.8 + outcome.micros * 0.2);
      if (outcome.readBody) this.#readsBody.add(call.version);
    }
  }

  // ---- watching over the processes ----

  #sweepLater(): void {
    this.#cancelSweep = this.#options.clock.after(SWEEP_MS, () => {
      this.#cancelSweep = undefined;
      let isBusy = this.#queue.length + this.#suspects.length > 0;
      for (const worker of [...this.#workers, ...this.#lane]) {
        if (worker.isReady && worker.outstanding === 0) continue;
        worker.inspect();
        isBusy = true;
      }
      if (isBusy && !this.#stopped) this.#sweepLater();
    });
  }

  #trimLaneLater(): void {
    this.#cancelTrim?.();
    this.#cancelTrim = this.#options.clock.after(LANE_IDLE_MS, () => {
      for (const worker of this.#lane) if (worker.outstanding === 0) this.#dismiss(worker);
    });
  }

  #dismiss(worker: WorkerProcess): void {
    this.#dismissed.add(worker);
    worker.kill("no more suspects");
  }
}
