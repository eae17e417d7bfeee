// Who may send where: the check at RCPT that keeps the service from being an open relay (REFERENCE 6.5, FAULTS S22).
import { domainOf, localPartOf } from "../../core/address.ts";
import { DomainTable } from "../../core/domain-table.ts";
import { domainFlag } from "../../events/contexts/domain-contexts.ts";
import { type NetworkCheck, networkCheck } from "./networks.ts";

/** A domain of others that is named in the settings. */
export interface RemoteDomainRight {
  readonly name: string;
  /** Everybody may send to it through us. */
  readonly relay: boolean;
}

export interface RelaySettings {
  /** "*.example.com" covers the subdomains. */
  readonly localDomains: readonly string[];
  readonly remoteDomains?: readonly RemoteDomainRight[] | undefined;
  readonly relayNetworks: readonly string[];
  /** Whether the networks name those who may relay, or those who may not. */
  readonly relayMode?: "only" | "except" | undefined;
}

export interface RelayRule {
  /** Whether the client's address alone gives the right; asked once per session. */
  readonly isTrustedAddress: NetworkCheck;
  isAllowed(recipient: string, mayRelay: boolean): boolean;
}

/** `flagsOf`: bits of `domainFlag` of a domain in lower case. */
export function createRelayRule(
  settings: RelaySettings,
  flagsOf: (domain: string) => number = () => 0,
): RelayRule {
  const { localDomains, remoteDomains = [], relayNetworks, relayMode } = settings;
  // One that is not to be relayed to may lie below a name that is open.
  const open = new DomainTable([
    ...localDomains.map((name) => [name, true] as const),
    ...remoteDomains.map(({ name, relay }) => [name, relay] as const),
  ]);
  const isListed = networkCheck(relayNetworks, "relayNetworks");
  return {
    isTrustedAddress: relayMode === "except" ? (address) => !isListed(address) : isListed,
    isAllowed(recipient, mayRelay) {
      if (mayRelay) return true;
      const domain = domainOf(recipient);
      const isOpen = open.find(domain) === true || (flagsOf(domain.toLowerCase()) & TAKEN) !== 0;
      return isOpen && !isRouted(localPartOf(recipient));
    },
  };
}

/** Whose mail is taken from anybody, as sinks of GetAuxDomainInfoFlags say. */
const TAKEN = domainFlag.relayAllowed | domainFlag.alias | domainFlag.localDrop | domainFlag.localMailbox;

/** `user%elsewhere@local`, `elsewhere!user@local`, `"user@elsewhere"@local`: a next hop could unwrap them and relay. */
const isRouted = (localPart: string): boolean => /[%!@]/.test(localPart);
