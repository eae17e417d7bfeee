// The directory of the categorizer in LDAP (RFC 4511): addresses and DNs in batches, answers kept for a while, members on demand.
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { DirectoryAnswer, DirectoryQuery } from "../../events/contexts/directory-entries.ts";
import type { Directory } from "./directory.ts";
import { isBelow, normalizeDn } from "./distinguished-name.ts";
import { KeptAnswers } from "./kept-answers.ts";
import type { LdapConnection } from "./ldap-connection.ts";
import type { LdapEntry } from "./ldap-result.ts";
import { EntryReader, wantedAttributes } from "./ldap-entry.ts";
import { ANY_ENTRY, anyOf, type LdapFilter, restricted } from "./ldap-filter.ts";
import { LdapMatching } from "./ldap-matching.ts";
import { membersOf } from "./ldap-members.ts";
import { LdapServers } from "./ldap-servers.ts";
import type { LdapSettings } from "./ldap-settings.ts";
import { Turns } from "../../core/turns.ts";

export interface LdapDirectoryParts {
  readonly settings: LdapSettings;
  /** An address in one of them that has no entry is unknown. The first one that is no pattern completes bare names. */
  readonly domains: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

/** One question that no kept answer and no search under way will answer. */
interface Question {
  readonly query: DirectoryQuery;
  readonly key: string;
  readonly answered: PromiseWithResolvers<DirectoryAnswer>;
}

const CONTROL = /\p{Cc}/u;
/** Of entries that claim one address. */
const MAX_NAMED = 5;
const NOT_MINE: DirectoryAnswer = { kind: "not-mine" };
const UNKNOWN: DirectoryAnswer = { kind: "unknown" };

export function createLdapDirectory(parts: LdapDirectoryParts): Directory {
  return new LdapDirectory(parts);
}

class LdapDirectory implements Directory {
  readonly #settings: LdapSettings;
  readonly #log: Logger;
  readonly #servers: LdapServers;
  readonly #turns: Turns;
  readonly #kept: KeptAnswers;
  readonly #reader: EntryReader;
  readonly #matching: LdapMatching;
  readonly #ownDomain: string | undefined;
  readonly #wanted: readonly string[];
  readonly #base: string;
  readonly #underWay = new Map<string, Promise<DirectoryAnswer>>();

  constructor({ settings, domains, clock, log, random }: LdapDirectoryParts) {
    this.#settings = settings;
    this.#log = log;
    this.#servers = new LdapServers({ settings, clock, log, random });
    // A server ends connections on which too much is asked at once.
    this.#turns = new Turns(settings.maxSearches);
    this.#kept = new KeptAnswers(settings.cache, clock);
    this.#matching = new LdapMatching(settings, domains);
    this.#ownDomain = domains.find((domain) => !domain.startsWith("*"));
    this.#reader = new EntryReader(settings, this.#ownDomain, this.#matching);
    this.#wanted = wantedAttributes(settings, this.#matching.attributes);
    this.#base = normalizeDn(settings.base);
  }

  async resolve(
    queries: readonly DirectoryQuery[],
    attributes: readonly string[],
  ): Promise<readonly DirectoryAnswer[]> {
    const extra = attributes.map((name) => name.toLowerCase()).sort();
    const questions: Question[] = [];
    const answers = queries.map((query) => this.#answerOrQuestion(query, extra, questions));
    for (const batch of this.#batches(questions)) void this.#settle(batch, extra);
    return Promise.all(answers);
  }

  /** What is being asked goes on to its end. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay.values());
    await this.#servers.close();
  }

  #answerOrQuestion(
    query: DirectoryQuery,
    extra: readonly string[],
    questions: Question[],
  ): Promise<DirectoryAnswer> {
    if (query.filter === undefined) {
      // Servers leave out control characters where they compare: nothing else than the address itself may be found.
      if (CONTROL.test(query.value)) return Promise.resolve(this.#nobody(query));
      if (query.by === "address" && !this.#matching.isAsked(query.value)) return Promise.resolve(NOT_MINE);
    }
    const key = keyOf(query, extra);
    const kept = this.#kept.get(key);
    const known = kept === undefined ? this.#underWay.get(key) : Promise.resolve(kept);
    if (known !== undefined) return known;
    const question = { query, key, answered: Promise.withResolvers<DirectoryAnswer>() };
    this.#underWay.set(key, question.answered.promise);
    questions.push(question);
    return question.answered.promise;
  }

  /** What can be told apart in one answer goes together: addresses, or DNs below the base. */
  #batches(questions: readonly Question[]): Question[][] {
    const addresses: Question[] = [];
    const names: Question[] = [];
    const single: Question[][] = [];
    for (const question of questions) {
      const { by, value, filter } = question.query;
      if (filter !== undefined) single.push([question]);
      else if (by === "address") addresses.push(question);
      else if (isBelow(normalizeDn(value), this.#base)) names.push(question);
      else single.push([question]);
    }
    const { batchSize } = this.#settings;
    return [...chunks(addresses, batchSize), ...chunks(names, batchSize), ...single];
  }

  async #settle(batch: readonly Question[], extra: readonly string[]): Promise<void> {
    try {
      const answers = await this.#ask(batch, extra);
      for (const [index, { key, answered }] of batch.entries()) {
        const answer = answers[index] ?? UNKNOWN;
        if (answer.kind === "ambiguous" && this.#settings.ambiguous === "wait") {
          answered.reject(new OnArrivalError("DIRECTORY_AMBIGUOUS", answer.text));
          continue;
        }
        this.#kept.keep(key, answer);
        answered.resolve(answer);
      }
    } catch (error) {
      for (const { answered } of batch) answered.reject(error);
    } finally {
      for (const { key } of batch) this.#underWay.delete(key);
    }
  }

  async #ask(batch: readonly Question[], extra: readonly string[]): Promise<readonly DirectoryAnswer[]> {
    const queries = batch.map(({ query }) => query);
    const entries = await this.#search(queries, extra);
    const [only] = queries;
    if (only !== undefined && queries.length === 1) return [this.#answer(only, entries)];
    const found = this.#matching.attribute(queries, entries);
    // The server compares by rules of its own (accents, spaces): what we cannot attribute is asked one by one.
    if (found === undefined)
      return Promise.all(batch.map(async (question) => (await this.#ask([question], extra))[0] ?? UNKNOWN));
    return queries.map((query, index) => this.#answer(query, found[index] ?? []));
  }

  #answer(query: DirectoryQuery, entries: readonly LdapEntry[]): DirectoryAnswer {
    const [entry, second] = entries;
    if (entry === undefined) return this.#nobody(query);
    if (second !== undefined) return this.#ambiguous(query, entries);
    return { kind: "found", entry: this.#reader.read(entry, () => this.#members(entry.dn)) };
  }

  #nobody({ by, value }: DirectoryQuery): DirectoryAnswer {
    return by === "key" || this.#matching.isOwn(value) ? UNKNOWN : NOT_MINE;
  }

  #ambiguous({ value }: DirectoryQuery, entries: readonly LdapEntry[]): DirectoryAnswer {
    const named = entries.slice(0, MAX_NAMED).map(({ dn }) => dn);
    this.#log.error({ address: value, entries: named }, "several directory entries claim one address");
    return {
      kind: "ambiguous",
      text: `${entries.length} entries of the directory claim ${value}`,
    };
  }

  #search(queries: readonly DirectoryQuery[], extra: readonly string[]): Promise<readonly LdapEntry[]> {
    const { base, filter } = this.#settings;
    const restriction: LdapFilter | undefined =
      filter === undefined ? undefined : { kind: "text", text: filter };
    const attributes = [...new Set([...this.#wanted, ...extra])];
    return this.#run(async (connection) => {
      if (!this.#canSearch(queries, connection)) {
        const byName = { scope: "base", filter: restriction ?? ANY_ENTRY, attributes } as const;
        const found = await Promise.all(
          queries.map(({ value }) => connection.search({ base: value, ...byName })),
        );
        return found.flat();
      }
      const wanted = queries.flatMap((query) => this.#matching.filtersFor(query, connection.dnAttribute));
      return connection.search({
        base,
        scope: "sub",
        filter: restricted(anyOf(wanted), restriction),
        attributes,
        count: queries.length,
      });
    });
  }

  /** What is outside of the base, or has no attribute that holds its name, is asked for by its name. */
  #canSearch([first]: readonly DirectoryQuery[], { dnAttribute }: LdapConnection): boolean {
    if (first === undefined || first.by !== "key" || first.filter !== undefined) return true;
    return dnAttribute !== undefined && isBelow(normalizeDn(first.value), this.#base);
  }

  #members(dn: string): AsyncIterable<readonly DirectoryQuery[]> {
    return membersOf({
      fetch: async (attributes) => {
        const group = { base: dn, scope: "base", filter: ANY_ENTRY, attributes } as const;
        return (await this.#run((connection) => connection.search(group)))[0];
      },
      attributes: this.#settings.attributes.member,
      ownDomain: this.#ownDomain,
      pageSize: this.#settings.batchSize,
      log: this.#log,
    });
  }

  #run<T>(work: (connection: LdapConnection) => Promise<T>): Promise<T> {
    return this.#turns.take(() => this.#servers.run(work));
  }
}

function keyOf({ by, value, filter }: DirectoryQuery, extra: readonly string[]): string {
  const name = by === "key" ? normalizeDn(value) : value.toLowerCase();
  return JSON.stringify([by, filter ?? name, filter === undefined ? "" : name, ...extra]);
}

function* chunks<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
