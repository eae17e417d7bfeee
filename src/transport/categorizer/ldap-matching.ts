// Which filter finds whom, and whom of several that were asked for an entry answers.
import { domainOf } from "../../core/address.ts";
import { DomainTable } from "../../core/domain-table.ts";
import type { DirectoryQuery } from "../../events/contexts/directory-entries.ts";
import { normalizeDn } from "./distinguished-name.ts";
import type { LdapEntry } from "./ldap-result.ts";
import { type AddressAssertion, type LdapFilter, parseAssertion, spellingsOf } from "./ldap-filter.ts";
import type { LdapSettings } from "./ldap-settings.ts";

interface Asserted {
  readonly attribute: string;
  readonly value: string;
}

export class LdapMatching {
  readonly #assertions: readonly AddressAssertion[];
  readonly #domains: DomainTable<true>;
  readonly #asksForeign: boolean;

  constructor({ addresses, foreignDomains }: LdapSettings, domains: readonly string[]) {
    this.#assertions = addresses.map((text) => parseAssertion(text));
    this.#domains = new DomainTable(domains.map((domain) => [domain, true]));
    this.#asksForeign =
      foreignDomains === "ask" && this.#assertions.some(({ isForOwnDomains }) => !isForOwnDomains);
  }

  /** Attributes by whose values addresses are found. */
  get attributes(): readonly string[] {
    return this.#assertions.map(({ attribute }) => attribute);
  }

  isOwn(address: string): boolean {
    return this.#domains.find(domainOf(address)) !== undefined;
  }

  isAsked(address: string): boolean {
    return this.isOwn(address) || (this.#asksForeign && address !== "");
  }

  filtersFor({ by, value, filter }: DirectoryQuery, dnAttribute: string | undefined): readonly LdapFilter[] {
    if (filter !== undefined) return [{ kind: "text", text: filter }];
    if (by === "key")
      return dnAttribute === undefined ? [] : [{ kind: "equal", attribute: dnAttribute, value }];
    return this.#assertedOf(value).map((asserted) => ({ kind: "equal", ...asserted }));
  }

  /** The entries that answer each of the queries; undefined when one of them answers none that we can see. */
  attribute(
    queries: readonly DirectoryQuery[],
    entries: readonly LdapEntry[],
  ): readonly (readonly LdapEntry[])[] | undefined {
    const claimants = new Map<string, number[]>();
    for (const [index, query] of queries.entries())
      for (const claim of this.#claimsOfQuery(query))
        claimants.set(claim, [...(claimants.get(claim) ?? []), index]);
    const found = queries.map((): LdapEntry[] => []);
    for (const entry of entries) {
      const indexes = this.#claimsOfEntry(entry).flatMap((claim) => claimants.get(claim) ?? []);
      if (indexes.length === 0) return undefined;
      for (const index of new Set(indexes)) found[index]?.push(entry);
    }
    return found;
  }

  /** Whether what is asked for is the entry. */
  matches(query: DirectoryQuery, entry: LdapEntry): boolean {
    const claims = this.#claimsOfEntry(entry);
    return this.#claimsOfQuery(query).some((claim) => claims.includes(claim));
  }

  #claimsOfQuery({ by, value }: DirectoryQuery): string[] {
    if (by === "key") return [normalizeDn(value)];
    return this.#assertedOf(value).map((asserted) => claimOf(asserted));
  }

  #claimsOfEntry({ dn, attributes }: LdapEntry): string[] {
    const claims = this.attributes.flatMap((attribute) =>
      (attributes.get(attribute.toLowerCase()) ?? []).map((value) => claimOf({ attribute, value })),
    );
    return [normalizeDn(dn), ...claims];
  }

  #assertedOf(address: string): Asserted[] {
    const isOwn = this.isOwn(address);
    const assertions = this.#assertions.filter(({ isForOwnDomains }) => isOwn || !isForOwnDomains);
    return spellingsOf(address).flatMap((spelling) =>
      assertions.map(({ attribute, valueFor }) => ({ attribute, value: valueFor(spelling) })),
    );
  }
}

const claimOf = ({ attribute, value }: Asserted): string =>
  `${attribute.toLowerCase()}=${value.toLowerCase()}`;
