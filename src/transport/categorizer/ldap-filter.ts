// What is looked for in a directory, as a tree: an address in it is a value and never becomes syntax (RFC 4515 §3).
import { domainToASCII, domainToUnicode } from "node:url";
import { domainOf, isAscii, localPartOf } from "../../core/address.ts";

export type LdapFilter =
  | { readonly kind: "equal"; readonly attribute: string; readonly value: string }
  | { readonly kind: "all" | "any"; readonly filters: readonly LdapFilter[] }
  | { readonly kind: "present"; readonly attribute: string }
  /** Written by the operator or a sink in the form of RFC 4515. */
  | { readonly kind: "text"; readonly text: string };

export const ANY_ENTRY: LdapFilter = { kind: "present", attribute: "objectClass" };

/** How an address is written in one attribute, as "proxyAddresses=smtp:%a". */
export interface AddressAssertion {
  readonly attribute: string;
  /** By the local part alone anybody's address would be found as that of our own user. */
  readonly isForOwnDomains: boolean;
  readonly valueFor: (address: string) => string;
}

/** `%a` is the address, `%u` its local part, `%d` its domain. */
export function parseAssertion(text: string): AddressAssertion {
  const at = text.indexOf("=");
  const pattern = text.slice(at + 1).trim();
  return {
    attribute: text.slice(0, at).trim(),
    isForOwnDomains: !/%[ad]/.test(pattern),
    valueFor: (address) =>
      pattern.replaceAll(/%[aud]/g, (place) => {
        if (place === "%a") return address;
        return place === "%u" ? localPartOf(address) : domainOf(address);
      }),
  };
}

/** An internationalized domain has two spellings, and a directory may hold either (RFC 5890 §2.3.2.1). */
export function spellingsOf(address: string): readonly string[] {
  const domain = domainOf(address);
  if (isAscii(domain) && !domain.includes("xn--")) return [address];
  const local = localPartOf(address);
  const domains = [domainToASCII(domain), domainToUnicode(domain)].filter((name) => name !== "");
  return [...new Set([address, ...domains.map((name) => `${local}@${name}`)])];
}

/** The restriction of the operator and the question, in one filter. */
export const restricted = (filter: LdapFilter, restriction: LdapFilter | undefined): LdapFilter =>
  restriction === undefined ? filter : { kind: "all", filters: [restriction, filter] };

export const anyOf = (filters: readonly LdapFilter[]): LdapFilter =>
  filters.length === 1 && filters[0] !== undefined ? filters[0] : { kind: "any", filters };
