// DNS for scripts: one name, one type of record, within bounds. What is not there is an empty answer, not an error.
import { promises as dns } from "node:dns";
import { isIP } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import { systemCodeOf } from "../../core/system-error.ts";
import { Turns, unlessAborted } from "../../core/turns.ts";
import { cut } from "../../../runtime/contract.ts";

export interface DnsSettings {
  readonly timeoutMs: number;
  /** Records of one answer; the rest is left out. */
  readonly maxRecords: number;
  readonly maxConcurrent: number;
}

/** The questions of node:dns that scripts may ask. */
export type DnsResolver = Pick<
  dns.Resolver,
  | "resolve4"
  | "resolve6"
  | "resolveMx"
  | "resolveTxt"
  | "resolvePtr"
  | "resolveNs"
  | "resolveSrv"
  | "resolveCname"
  | "reverse"
>;

export type DnsAnswer =
  | { readonly kind: "records"; readonly records: readonly unknown[] }
  | { readonly kind: "refused"; readonly message: string };

export interface DnsLookup {
  /** Never rejects. */
  resolve(name: string, type: string, signal: AbortSignal): Promise<DnsAnswer>;
}

type Question = (resolver: DnsResolver, name: string) => Promise<readonly unknown[]>;

const QUESTIONS: Readonly<Record<string, Question>> = {
  A: (resolver, name) => resolver.resolve4(name),
  AAAA: (resolver, name) => resolver.resolve6(name),
  MX: (resolver, name) => resolver.resolveMx(name),
  // RFC 7208 §3.3: the strings of one record are one text, joined without anything between.
  TXT: async (resolver, name) => (await resolver.resolveTxt(name)).map((strings) => strings.join("")),
  PTR: (resolver, name) => (isIP(name) === 0 ? resolver.resolvePtr(name) : resolver.reverse(name)),
  NS: (resolver, name) => resolver.resolveNs(name),
  SRV: (resolver, name) => resolver.resolveSrv(name),
  CNAME: (resolver, name) => resolver.resolveCname(name),
};

const NOT_THERE: ReadonlySet<unknown> = new Set(["ENOTFOUND", "ENODATA"]);
/** RFC 1035 §2.3.4, as text without the root. */
const MAX_NAME_CHARS = 253;

export function createDnsLookup(settings: DnsSettings, clock: Clock, resolver?: DnsResolver): DnsLookup {
  const asked = resolver ?? new dns.Resolver({ timeout: settings.timeoutMs, tries: 1 });
  const turns = new Turns(settings.maxConcurrent);
  return {
    async resolve(name, type, signal) {
      const question = Object.hasOwn(QUESTIONS, type) ? QUESTIONS[type] : undefined;
      if (question === undefined)
        return refused(`the type ${cut(type, 20)} is not served, only ${Object.keys(QUESTIONS).join(", ")}`);
      if (name === "" || name.length > MAX_NAME_CHARS) return refused("the name has 1 to 253 characters");
      const timeOver = new AbortController();
      const cancel = clock.after(settings.timeoutMs, () => timeOver.abort());
      const bounded = AbortSignal.any([signal, timeOver.signal]);
      try {
        const records = await turns.take(() => unlessAborted(bounded, question(asked, name)), bounded);
        return { kind: "records", records: records.slice(0, settings.maxRecords) };
      } catch (error) {
        if (NOT_THERE.has(systemCodeOf(error))) return { kind: "records", records: [] };
        const why = bounded.aborted ? `no answer within ${settings.timeoutMs} ms` : describeError(error);
        return refused(`${type} of ${name}: ${why}`);
      } finally {
        cancel();
      }
    },
  };
}

const refused = (message: string): DnsAnswer => ({ kind: "refused", message });
