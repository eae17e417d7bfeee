// Tasks that wait for a process, in the order of fair shares: each script has its turn, and one whose calls take long waits for
// itself, not the others for it. Without it a burst of mail for a slow script delays everybody's mail by all its calls.
import { versionsOf } from "./tasks.ts";
import type { Entry } from "./entry.ts";

interface Waiting {
  readonly entry: Entry;
  /** In µs of work that every script was offered so far: when it would begin and end if all shared one process. */
  readonly start: number;
  readonly finish: number;
}

/** Start-time fair queueing: the earliest finish goes first, and time is the start of what went last. */
export class FairQueue {
  readonly #waiting: Waiting[] = [];
  /** Where the last task of a script finishes. */
  readonly #finishOf = new Map<string, number>();
  /** The version of a script in the task that came last. */
  readonly #versionOf = new Map<string, string>();
  /** How many at the front no newcomer overtakes: one of the scripts has got another version since they came. */
  #fixed = 0;
  #now = 0;

  get length(): number {
    return this.#waiting.length;
  }

  add(entry: Entry): void {
    // No process may see an older version of a script after a newer one.
    if (this.#hasOtherVersion(entry)) this.#fixed = this.#waiting.length;
    // Most often nobody waits, and the task goes at once: whose turn it is becomes a question when it stays.
    if (this.#waiting.length === 0) {
      this.#waiting.push({ entry, start: this.#now, finish: this.#now + entry.cost });
      return;
    }
    const script = scriptOf(entry);
    const start = Math.max(this.#now, this.#finishOf.get(script) ?? 0);
    const finish = start + entry.cost;
    this.#finishOf.set(script, finish);
    let at = this.#waiting.length;
    while (at > this.#fixed && (this.#waiting[at - 1]?.finish ?? 0) > finish) at -= 1;
    if (at === this.#waiting.length) this.#waiting.push({ entry, start, finish });
    else this.#waiting.splice(at, 0, { entry, start, finish });
  }

  #hasOtherVersion({ task }: Entry): boolean {
    if (task.kind === "inspect") return false;
    let hasOther = false;
    for (const { scriptName, version } of task.bundles) {
      if (this.#versionOf.get(scriptName) === version) continue;
      this.#versionOf.set(scriptName, version);
      hasOther = true;
    }
    return hasOther;
  }

  /** To the front: they had their turn. */
  putBack(entries: readonly Entry[]): void {
    this.#fixed += entries.length;
    this.#waiting.unshift(...entries.map((entry) => ({ entry, start: 0, finish: 0 })));
  }

  /** In turn, until one is not taken. */
  takeWhile(take: (entry: Entry) => boolean): void {
    // Taken out before it is looked at: what is done with it may put others back.
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!take(next.entry)) {
        this.#waiting.unshift(next);
        const script = scriptOf(next.entry);
        this.#finishOf.set(script, Math.max(this.#finishOf.get(script) ?? 0, next.finish));
        return;
      }
      if (this.#fixed > 0) this.#fixed -= 1;
      this.#now = Math.max(this.#now, next.start);
    }
    if (this.#finishOf.size > 0) this.#finishOf.clear();
  }

  /** All that waits, which then waits no longer. */
  drain(): Entry[] {
    this.#finishOf.clear();
    this.#fixed = 0;
    return this.#waiting.splice(0).map(({ entry }) => entry);
  }
}

const scriptOf = ({ task }: Entry): string => versionsOf(task)[0]?.version ?? "";
