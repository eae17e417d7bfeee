// Answers of a directory, kept for a while; when there are too many, those go that were not asked for longest.
import type { Clock } from "../../core/clock.ts";
import { keepNewest } from "../../core/keep-newest.ts";
import type { DirectoryAnswer } from "../../events/contexts/directory-entries.ts";

export interface KeepingTimes {
  /** How long the answer for an address with one entry is kept. */
  readonly foundMs: number;
  /** The same for addresses that have no entry, or several. */
  readonly unknownMs: number;
  readonly maxEntries: number;
}

export class KeptAnswers {
  readonly #times: KeepingTimes;
  readonly #clock: Clock;
  /** A Map keeps the order of insertion: the first is the one that was not asked for longest. */
  readonly #answers = new Map<string, { readonly answer: DirectoryAnswer; readonly until: number }>();

  constructor(times: KeepingTimes, clock: Clock) {
    this.#times = times;
    this.#clock = clock;
  }

  get(key: string): DirectoryAnswer | undefined {
    const kept = this.#answers.get(key);
    if (kept === undefined) return undefined;
    this.#answers.delete(key);
    if (kept.until <= this.#clock.now()) return undefined;
    this.#answers.set(key, kept);
    return kept.answer;
  }

  keep(key: string, answer: DirectoryAnswer): void {
    const { foundMs, unknownMs, maxEntries } = this.#times;
    const ms = answer.kind === "found" ? foundMs : unknownMs;
    if (ms === 0 || maxEntries === 0) return;
    keepNewest(this.#answers, key, { answer, until: this.#clock.now() + ms }, maxEntries);
  }
}
