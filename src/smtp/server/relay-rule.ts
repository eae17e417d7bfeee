// Who may send where: the check at RCPT that keeps the service from being an open relay (REFERENCE 6.5, FAULTS S22).
import { domainToASCII } from "node:url";
import { domainOf, isAscii, localPartOf } from "../../core/address.ts";
import { type NetworkCheck, networkCheck } from "./networks.ts";

export interface RelaySettings {
  readonly localDomains: readonly string[];
  readonly relayNetworks: readonly string[];
}

export interface RelayRule {
  /** Whether the client's address alone gives the right; asked once per session. */
  readonly isTrustedAddress: NetworkCheck;
  isAllowed(recipient: string, mayRelay: boolean): boolean;
}

export function createRelayRule(settings: RelaySettings): RelayRule {
  const localDomains = new Set(settings.localDomains.map(canonicalDomain));
  const isTrustedAddress = networkCheck(settings.relayNetworks, "relayNetworks");
  return {
    isTrustedAddress,
    isAllowed(recipient, mayRelay) {
      if (mayRelay) return true;
      return localDomains.has(canonicalDomain(domainOf(recipient))) && !isRouted(localPartOf(recipient));
    },
  };
}

/** `user%elsewhere@local`, `elsewhere!user@local`, `"user@elsewhere"@local`: a next hop could unwrap them and relay. */
const isRouted = (localPart: string): boolean => /[%!@]/.test(localPart);

function canonicalDomain(domain: string): string {
  const lower = domain.toLowerCase();
  const plain = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  // Look-alikes of other scripts stay what they are; one name in Unicode and in punycode is the same domain.
  return isAscii(plain) ? plain : domainToASCII(plain);
}
