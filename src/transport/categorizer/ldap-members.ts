// The members of a group, page by page. Active Directory hands out long lists in ranges, which are asked for one after the other.
import { OnArrivalError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { DirectoryQuery } from "../../events/contexts/directory-entries.ts";
import type { LdapEntry } from "./ldap-result.ts";
import { queryOf } from "./ldap-entry.ts";

/** "member;range=0-1499"; "*" at the end says that these are the last. */
const RANGE = /^([^;]+);range=(\d+)-(\d+|\*)$/;

export interface MemberSource {
  /** The entry of the group with these attributes; undefined when it is there no more. */
  fetch(attributes: readonly string[]): Promise<LdapEntry | undefined>;
  readonly attributes: readonly string[];
  readonly ownDomain: string | undefined;
  readonly pageSize: number;
  readonly log: Logger;
}

export async function* membersOf(source: MemberSource): AsyncGenerator<readonly DirectoryQuery[]> {
  let wanted = source.attributes;
  /** By attribute, in how far its values are known. */
  const reached = new Map<string, number>();
  while (wanted.length > 0) {
    // oxlint-disable-next-line no-await-in-loop -- each range is known from the one before
    const entry = await source.fetch(wanted);
    if (entry === undefined)
      throw new OnArrivalError("DIRECTORY_UNAVAILABLE", "a group went away while its members were read");
    yield* pagesOf(source, entry);
    wanted = nextRanges(entry, reached);
  }
}

function* pagesOf(source: MemberSource, entry: LdapEntry): Generator<readonly DirectoryQuery[]> {
  let page: DirectoryQuery[] = [];
  for (const value of memberValues(source.attributes, entry)) {
    const query = queryOf(value, source.ownDomain);
    if (query === undefined)
      source.log.warn({ group: entry.dn, member: value }, "member is neither an address nor a DN: left out");
    else page.push(query);
    if (page.length < source.pageSize) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

function* memberValues(names: readonly string[], { attributes }: LdapEntry): Generator<string> {
  const wanted = names.map((name) => name.toLowerCase());
  for (const [description, values] of attributes) {
    const name = RANGE.exec(description)?.[1] ?? description;
    if (wanted.includes(name)) yield* values;
  }
}

/** Ranges only go forward: a server that hands out the same one again would keep us for ever. */
function nextRanges({ attributes }: LdapEntry, reached: Map<string, number>): readonly string[] {
  const wanted: string[] = [];
  for (const description of attributes.keys()) {
    const [, name, , last] = RANGE.exec(description) ?? [];
    if (name === undefined || last === undefined || last === "*") continue;
    const next = Number(last) + 1;
    if (next <= (reached.get(name) ?? 0))
      throw new OnArrivalError("DIRECTORY_UNAVAILABLE", `the ranges of ${name} do not go forward`);
    reached.set(name, next);
    wanted.push(`${name};range=${next}-*`);
  }
  return wanted;
}
