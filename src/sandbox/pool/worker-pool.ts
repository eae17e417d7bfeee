// Spreads tasks over sandbox processes. When one dies, everything it had not answered is run again, each task alone on a
// process without company: only a task that kills again there is guilty, and the innocents lose nothing but time.
import { CallCosts } from "./call-costs.ts";
import type { Entry } from "./entry.ts";
import { FairQueue } from "./fair-queue.ts";
import { LaneRest } from "./lane-rest.ts";
import { Probation } from "./probation.ts";
import type { PoolOptions } from "./pool-options.ts";
import { ProcessWatch } from "./process-watch.ts";
import { type PoolFigures, poolFigures } from "./sandbox-counts.ts";
import { StartFailures } from "./start-failures.ts";
import { type Task, type TaskAnswer, versionsOf } from "./tasks.ts";
import { WaitingVersions } from "./waiting-versions.ts";
import { type WorkerListener, type WorkerOptions, WorkerProcess } from "./worker-process.ts";

interface RunTerms {
  readonly alone?: boolean;
  readonly probe?: boolean;
}

/** Estimated work up to which tasks are packed into one process instead of spread. */
const PACKED_MICROS = 5000;
/** A timer that does nothing but keep the service alive. */
const ALIVE_MS = 30_000;
const LANE_IDLE_MS = 30_000;
/** A process may die for other reasons than its task. Twice, the second time with no other task, it is the task. */
const DEATHS_OF_GUILTY = 2;
/** A task that was in this many processes when they died was not there by accident, whoever else was. */
const DEATHS_OF_ANYBODY = 5;

export class WorkerPool implements WorkerListener {
  #options: PoolOptions;
  #workerOptions: WorkerOptions;
  #workers: WorkerProcess[] = [];
  #lane: WorkerProcess[] = [];
  readonly #queue = new FairQueue();
  #suspects: Entry[] = [];
  readonly #waiting: WaitingVersions;
  #probation = new Probation();
  #rest: LaneRest;
  #costs = new CallCosts();
  readonly #startFailures: StartFailures;
  #mayStart = true;
  #dismissed = new Set<WorkerProcess>();
  /** Ended because more work for an offender was ahead of others. */
  #cleared = new Set<WorkerProcess>();
  #stopped = false;
  readonly #watch: ProcessWatch;
  #cancelTrim: (() => void) | undefined;
  #onAllGone: (() => void) | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#rest = new LaneRest(options.clock);
    this.#waiting = new WaitingVersions(options);
    this.#watch = new ProcessWatch(
      options.clock,
      () => [...this.#workers, ...this.#lane],
      () => this.#queue.length + this.#suspects.length > 0,
    );
    this.#startFailures = new StartFailures(options.respawnBackoffMs);
    const { worker, log } = options;
    this.#workerOptions = { ...worker, log, readsBody: (version) => this.#costs.readsBody(version) };
  }

  /** Starts the processes ahead of the first message. */
  warmUp(): void {
    while (!this.#stopped && this.#mayStart && this.#workers.length < this.#options.processes)
      this.#grow(this.#workers);
    if (!this.#stopped && this.#lane.length === 0) this.#grow(this.#lane);
    this.#dispatch();
  }

  get pids(): number[] {
    return [...this.#workers, ...this.#lane].flatMap((worker) => worker.pid ?? []);
  }

  get figures(): PoolFigures {
    const queued = this.#queue.length + this.#suspects.length + this.#waiting.parked;
    return poolFigures([...this.#workers, ...this.#lane], queued, this.#hasGivenUp());
  }

  /** Never rejects. `alone`: on a process that holds nothing else. `probe`: although its version is suspended. */
  run(task: Task, { alone = false, probe = false }: RunTerms = {}): Promise<TaskAnswer> {
    return new Promise((resolve) => {
      const settle = (answer: TaskAnswer): void => {
        this.#endTrial(entry);
        resolve(answer);
      };
      const entry: Entry = {
        task,
        settle,
        cost: this.#costs.of(task),
        probe,
        wasBystander: false,
        deaths: alone ? 1 : 0,
      };
      if (this.#stopped) settle({ kind: "unavailable", reason: "the service is stopping" });
      else if (this.#hasGivenUp()) settle({ kind: "unavailable", reason: this.#startFailures.description });
      else if (alone) this.#suspect(entry);
      else this.#queue.add(entry);
      this.#dispatch();
    });
  }

  /** The version is no longer live: no process needs to keep it. A message that still runs it loads it again. */
  retire(version: string): void {
    this.#probation.retire(version);
    this.#waiting.forget(version);
    this.#costs.forget(version);
    for (const worker of [...this.#workers, ...this.#lane]) worker.unload(version);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch.stop();
    this.#cancelTrim?.();
    this.#rest.stop();
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
    this.#startFailures.end();
    if (answer.kind === "outcomes" && entry.task.kind === "job")
      this.#costs.learn(entry.task.calls, answer.outcomes);
    const offenders = this.#probation.learn(entry, answer, (version) => this.#waiting.has(version));
    if (this.#lane.includes(worker)) {
      if (offenders.length > 0) this.#rest.offended(worker);
      this.#trimLaneLater();
    } else if (offenders.length > 0 && worker.holdsAny(offenders)) {
      this.#clear(worker);
    }
    entry.settle(answer);
    this.#dispatch();
  }

  waits(_worker: WorkerProcess, entry: Entry, version: string): void {
    this.#waiting.add(version);
    // Those that wait for the end of its trial would wait for what it waits for.
    if (this.#probation.proveByWaiting(version)) this.#endTrial(entry);
    this.#dispatch();
  }

  ended(
    worker: WorkerProcess,
    reason: string,
    unanswered: readonly Entry[],
    waiting: readonly Entry[],
  ): void {
    const wasAlone = this.#lane.includes(worker);
    this.#workers = this.#workers.filter((one) => one !== worker);
    this.#lane = this.#lane.filter((one) => one !== worker);
    if (this.#stopped) {
      for (const entry of [...unanswered, ...waiting]) entry.settle({ kind: "unavailable", reason });
      if (this.#workers.length + this.#lane.length === 0) this.#onAllGone?.();
      return;
    }
    if (this.#dismissed.delete(worker)) return;
    this.#options.counts?.ended(worker);
    const scripts = [...new Set(worker.headVersions().map((bundle) => bundle.scriptName))];
    this.#options.log.warn(
      { reason, scripts, unanswered: unanswered.length, waiting: waiting.length, pid: worker.pid },
      "a sandbox process ended",
    );
    this.#judge(worker, unanswered, waiting, wasAlone ? reason : undefined);
    const didNothing = unanswered.length + waiting.length === 0 && worker.answers === 0;
    if (!worker.isReady || (didNothing && !worker.isBlameless)) this.#startFailed(reason);
    else if (!wasAlone) this.#grow(this.#workers);
    this.#dispatch();
  }

  /** A script that was good ran out of time or memory, and the process has more messages for it, with others behind them. */
  #clear(worker: WorkerProcess): void {
    this.#cleared.add(worker);
    worker.kill("more messages for a script that just ran out of time or memory", "deadline");
  }

  #judge(
    worker: WorkerProcess,
    unanswered: readonly Entry[],
    waiting: readonly Entry[],
    reason: string | undefined,
  ): void {
    if (this.#cleared.delete(worker) || worker.isBlameless) {
      this.#queue.putBack(unanswered);
      this.#runAgain(waiting);
      return;
    }
    for (const { version } of worker.headVersions()) this.#probation.suspect(version);
    if (reason !== undefined) this.#rest.offended(worker);
    this.#blame(unanswered, waiting, reason);
  }

  /** `reason`: why a process of the lane ended, where one task is at work at a time, so that it is known which one it was. */
  #blame(unanswered: readonly Entry[], waiting: readonly Entry[], reason: string | undefined): void {
    const isCertain = reason !== undefined && unanswered.length + waiting.length === 1;
    for (const entry of isCertain ? [...unanswered, ...waiting] : unanswered) {
      entry.deaths += 1;
      const isGuilty = isCertain ? entry.deaths >= DEATHS_OF_GUILTY : entry.deaths >= DEATHS_OF_ANYBODY;
      if (isGuilty) entry.settle({ kind: "crash", reason: reason ?? "its sandbox processes ended" });
      else this.#suspect(entry);
    }
    if (!isCertain) this.#runAgain(waiting);
  }

  /** Tasks that waited when their process ended did not end it, unless that happens to them again. */
  #runAgain(waiting: readonly Entry[]): void {
    this.#queue.putBack(waiting.filter(({ wasBystander }) => !wasBystander));
    for (const entry of waiting) {
      if (entry.wasBystander) this.#suspect(entry);
      entry.wasBystander = true;
    }
  }

  #endTrial(entry: Entry): void {
    const released = this.#probation.end(entry);
    if (released.length === 0) return;
    this.#queue.putBack(released);
    // In a turn of its own: the caller may be iterating over the queues.
    queueMicrotask(() => this.#dispatch());
  }

  #startFailed(reason: string): void {
    const pauseMs = this.#startFailures.failed(reason);
    this.#mayStart = false;
    this.#options.log.error({ reason, pauseMs }, "a sandbox process did not start");
    if (this.#hasGivenUp()) this.#refuseWaiting(this.#startFailures.description);
    // The clock keeps no process alive, but somebody waits for an answer.
    const keepAlive =
      this.#queue.length + this.#suspects.length > 0 ? setInterval(() => undefined, ALIVE_MS) : undefined;
    this.#options.clock.after(pauseMs, () => {
      clearInterval(keepAlive);
      this.#mayStart = true;
      // One process is started even without waiting work: when it comes up, the pool no longer counts as having given up.
      if (!this.#stopped && this.#workers.length === 0) this.#grow(this.#workers);
      this.#dispatch();
    });
  }

  #hasGivenUp(): boolean {
    return this.#startFailures.areTooMany && !this.#workers.some((worker) => worker.isReady);
  }

  #refuseWaiting(reason: string): void {
    const waiting = [
      ...this.#queue.drain(),
      ...this.#waiting.drain(),
      ...this.#suspects,
      ...this.#probation.drain(),
    ];
    for (const entry of waiting) entry.settle({ kind: "unavailable", reason });
    this.#suspects = [];
  }

  // ---- dispatch ----

  #dispatch(): void {
    if (this.#stopped) return;
    if (this.#waiting.parked > 0) this.#queue.putBack(this.#waiting.unpark(this.#workers));
    if (this.#queue.length > 0) this.#queue.takeWhile(this.#takeInTurn);
    if (this.#suspects.length > 0) this.#dispatchSuspects();
    if (this.#workers.length + this.#lane.length > 0) this.#watch.begin();
  }

  /** False: there is no room for it now. */
  readonly #takeInTurn = (entry: Entry): boolean => {
    const unproven = this.#probation.unprovenOf(entry.task);
    if (this.#isRefused(entry)) {
      entry.settle({ kind: "suspended" });
    } else if (unproven !== undefined) {
      if (this.#probation.begin(unproven, entry)) this.#suspect(entry);
    } else if (
      entry.task.kind === "inspect" &&
      entry.task.keep === true &&
      this.#idleOnLane() !== undefined
    ) {
      // Its first message will run in the lane as well.
      this.#suspect(entry);
    } else if (this.#waiting.mayWait(entry.task) && this.#isFullOfWaiting()) {
      this.#waiting.park(entry);
    } else {
      const worker = this.#workerFor(entry);
      worker?.send(entry);
      return worker !== undefined;
    }
    return true;
  };

  #idleOnLane(): WorkerProcess | undefined {
    return this.#lane.find((worker) => worker.isReady && !worker.isEnding && worker.atWork === 0);
  }

  #isFullOfWaiting(): boolean {
    const workers = this.#workers;
    return (
      workers.length >= this.#options.processes && !workers.some((worker) => this.#waiting.fitsInto(worker))
    );
  }

  #dispatchSuspects(): void {
    for (let entry = this.#suspects[0]; entry !== undefined; entry = this.#suspects[0]) {
      if (this.#isRefused(entry)) {
        entry.settle({ kind: "suspended" });
      } else {
        const idle = this.#idleOnLane();
        if (idle === undefined) return this.#growLane();
        // Versions that ran well before need not wait.
        if (this.#probation.rankOf(entry.task) > 0 && this.#rest.rests(() => this.#dispatch())) return;
        this.#rest.started(idle);
        idle.send(entry);
      }
      this.#suspects.shift();
    }
  }

  #growLane(): void {
    const starting = this.#lane.filter((worker) => !worker.isReady).length;
    if (starting < this.#suspects.length && this.#lane.length < this.#laneProcesses) this.#grow(this.#lane);
  }

  /** Half as many as for ordinary work: what spins there must leave processors to the others. */
  get #laneProcesses(): number {
    return Math.max(1, this.#options.processes >> 1);
  }

  #suspect(entry: Entry): void {
    const rank = this.#probation.rankOf(entry.task);
    const at = this.#suspects.findIndex(({ task }) => this.#probation.rankOf(task) > rank);
    this.#suspects.splice(at < 0 ? this.#suspects.length : at, 0, entry);
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
    const { processes } = this.#options;
    const mayWait = this.#waiting.mayWait(entry.task);
    let best: WorkerProcess | undefined;
    for (const worker of this.#workers) {
      if (!this.#takes(worker, entry) || (mayWait && !this.#waiting.fitsInto(worker))) continue;
      if (worker.load + entry.cost <= PACKED_MICROS) return worker;
      if (best === undefined || worker.load < best.load) best = worker;
    }
    if ((best === undefined || best.atWork > 0) && this.#workers.length < processes)
      this.#grow(this.#workers);
    return best;
  }

  #takes(worker: WorkerProcess, { cost }: Entry): boolean {
    const { windowJobs, windowMicros } = this.#options;
    if (!worker.isReady || worker.isEnding || worker.atWork >= windowJobs) return false;
    return worker.atWork === 0 || worker.load + cost <= windowMicros;
  }

  #grow(list: WorkerProcess[]): void {
    if (!this.#mayStart || this.#stopped) return;
    const worker = new WorkerProcess(this.#workerOptions, this);
    if (list === this.#lane) worker.becomeLane();
    list.push(worker);
  }

  #trimLaneLater(): void {
    this.#cancelTrim?.();
    this.#cancelTrim = this.#options.clock.after(LANE_IDLE_MS, () => {
      for (const worker of this.#lane.slice(1)) if (worker.outstanding === 0) this.#dismiss(worker);
    });
  }

  #dismiss(worker: WorkerProcess): void {
    this.#dismissed.add(worker);
    worker.kill("no more suspects");
  }
}
