// What verification asks of DNS: answers are kept for all messages, and one message waits for a bounded time in all.
import type { Clock } from "../core/clock.ts";
import { keepNewest } from "../core/keep-newest.ts";

type MxRecord = { readonly exchange: string; readonly priority: number };
export type DnsRecords = readonly string[] | readonly (readonly string[])[] | readonly MxRecord[];

/** As node:dns resolve(): rejects with ENOTFOUND, ENODATA, ESERVFAIL, ETIMEOUT… */
export type ResolveDns = (name: string, type: string) => Promise<DnsRecords>;

export interface LookupSettings {
  /** Answers are kept this long, whatever TTL they claim; failures as well. */
  readonly cacheMs: number;
  readonly maxEntries: number;
}

interface Kept {
  readonly until: number;
  readonly answer: Promise<DnsRecords>;
}

const timedOut = (name: string): Error =>
  Object.assign(new Error(`no answer for ${name} in time`), { code: "ETIMEOUT" });

export class Lookup {
  readonly #resolve: ResolveDns;
  readonly #settings: LookupSettings;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(resolve: ResolveDns, settings: LookupSettings, clock: Clock) {
    this.#resolve = resolve;
    this.#settings = settings;
    this.#clock = clock;
  }

  /** The questions of one message: after `budgetMs` each of them times out at once. */
  within(budgetMs: number): ResolveDns {
    const end = this.#clock.now() + budgetMs;
    return async (name, type) => {
      const left = end - this.#clock.now();
      if (left <= 0) throw timedOut(name);
      const late = Promise.withResolvers<never>();
      const cancel = this.#clock.after(left, () => late.reject(timedOut(name)));
      try {
        return await Promise.race([this.#ask(name, type), late.promise]);
      } finally {
        cancel();
      }
    };
  }

  #ask(name: string, type: string): Promise<DnsRecords> {
    const key = `${type} ${name.toLowerCase()}`;
    const now = this.#clock.now();
    const known = this.#kept.get(key);
    if (known !== undefined && known.until > now) return known.answer;
    const answer = this.#resolve(name, type);
    // Who asked may have stopped waiting.
    answer.catch(() => undefined);
    const { cacheMs, maxEntries } = this.#settings;
    keepNewest(this.#kept, key, { until: now + cacheMs, answer }, maxEntries);
    return answer;
  }
}
