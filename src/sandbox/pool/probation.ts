// Which script versions may share a process with others. A version proves itself on the suspects' lane, one message at a time;
// running out of time or memory, or ending a process, sends it back there. So a hostile script never has company to lose.
import { type Task, type TaskAnswer, versionsOf } from "./tasks.ts";
import type { Entry } from "./entry.ts";

/** Messages that started with a version may come after it was replaced: as many of these are remembered. */
const RETIRED_KEPT = 100;
/** Faults that cost others their time or their process. */
const OFFENCES: ReadonlySet<string> = new Set(["timeout", "memory"]);
/** Work of a call, without its waiting, that others hardly notice. */
const BRIEF_MICROS = 50_000;
const NOBODY: readonly string[] = [];

class Trial {
  /** The one message that is on its way. */
  readonly entry: Entry;
  /** Those behind it: what becomes of them depends on its end. */
  readonly waiting: Entry[] = [];
  /** By script: the version of the first that waits. */
  readonly #versions = new Map<string, string>();

  constructor(entry: Entry) {
    this.entry = entry;
  }

  wait(entry: Entry): void {
    this.waiting.push(entry);
    for (const { scriptName, version } of versionsOf(entry.task))
      if (!this.#versions.has(scriptName)) this.#versions.set(scriptName, version);
  }

  /** Whether messages wait with another version of one of these scripts: an older one, since they came before. */
  holdsOlder(task: Task): boolean {
    return versionsOf(task).some(
      ({ scriptName, version }) => (this.#versions.get(scriptName) ?? version) !== version,
    );
  }
}

export class Probation {
  #proven = new Set<string>();
  /** Proved itself once, and then offended: perhaps by no fault of its own. */
  #lapsed = new Set<string>();
  #offended = new Set<string>();
  #trials = new Map<string, Trial>();
  readonly #retired = new Set<string>();

  /** The version of the task that has to prove itself. An inspection runs nothing of the message: it needs no proof. */
  unprovenOf(task: Task): string | undefined {
    if (task.kind === "inspect") return undefined;
    for (const { version } of task.calls) if (!this.#proven.has(version)) return version;
    return undefined;
  }

  /**
   * Whether this task is the trial of the version; else it waits for the end of one that runs: of the version's own, or of
   * another behind which older versions wait, so that no process runs an older version after a newer one.
   */
  begin(version: string, entry: Entry): boolean {
    const trial = this.#trials.get(version) ?? this.#trialWithOlder(entry.task);
    // Its process ended while it waited for an answer: it is run again.
    if (trial?.entry === entry) return true;
    if (trial === undefined) this.#trials.set(version, new Trial(entry));
    else trial.wait(entry);
    return trial === undefined;
  }

  #trialWithOlder(task: Task): Trial | undefined {
    for (const trial of this.#trials.values()) if (trial.holdsOlder(task)) return trial;
    return undefined;
  }

  /** The task has its answer. Those that waited for it are to be looked at again. */
  end(entry: Entry): readonly Entry[] {
    for (const [version, trial] of this.#trials) {
      if (trial.entry !== entry) continue;
      this.#trials.delete(version);
      return trial.waiting;
    }
    return [];
  }

  /** Answers the versions that offended. `mayWait`: the time of such a version may have passed in waiting, which is no offence. */
  learn(entry: Entry, answer: TaskAnswer, mayWait: (version: string) => boolean): readonly string[] {
    if (answer.kind !== "outcomes") return NOBODY;
    let offenders = NOBODY;
    for (const [index, { fault, micros }] of answer.outcomes.entries()) {
      const version = versionsOf(entry.task)[index]?.version;
      if (version === undefined) continue;
      const hasWaited = fault?.kind === "timeout" && micros < BRIEF_MICROS && mayWait(version);
      if (fault === undefined || !OFFENCES.has(fault.kind) || hasWaited) this.prove(version);
      else {
        this.suspect(version);
        offenders = [...offenders, version];
      }
    }
    return offenders;
  }

  /** Its first message waits. Whether that is proof enough: not of one that offended before, which may spin when it goes on. */
  proveByWaiting(version: string): boolean {
    if (this.#lapsed.has(version) || this.#offended.has(version)) return false;
    this.prove(version);
    return true;
  }

  prove(version: string): void {
    if (this.#proven.has(version)) return;
    this.#proven.add(version);
    this.#lapsed.delete(version);
    this.#offended.delete(version);
  }

  suspect(version: string): void {
    if (this.#proven.delete(version)) this.#lapsed.add(version);
    else this.#offended.add(version);
  }

  /** Who goes first on the lane: who was good before, then who is new, then who offended. */
  rankOf(task: Task): number {
    const version = this.unprovenOf(task);
    if (version === undefined || this.#lapsed.has(version)) return 0;
    return this.#offended.has(version) ? 2 : 1;
  }

  /** The version is no longer live. The messages that started with it need no new proof. */
  retire(version: string): void {
    this.#retired.delete(version);
    this.#retired.add(version);
    if (this.#retired.size <= RETIRED_KEPT) return;
    const [oldest = version] = this.#retired;
    for (const set of [this.#retired, this.#proven, this.#lapsed, this.#offended]) set.delete(oldest);
  }

  /** All that wait, when nobody will run them. */
  drain(): Entry[] {
    const entries = [...this.#trials.values()].flatMap(({ waiting }) => waiting);
    this.#trials.clear();
    return entries;
  }
}
