// Who may send where: the check at RCPT that keeps the service from being an open relay (REFERENCE 6.5, FAULTS S22).
import { BlockList, isIP, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { domainOf, isAscii, localPartOf } from "../../core/address.ts";
import { OnArrivalError } from "../../core/errors.ts";

export interface RelaySettings {
  readonly localDomains: readonly string[];
  readonly relayNetworks: readonly string[];
}

export interface RelayRule {
  /** Whether the client's address alone gives the right; asked once per session. */
  isTrustedAddress(clientAddress: string): boolean;
  isAllowed(recipient: string, mayRelay: boolean): boolean;
}

export function createRelayRule(settings: RelaySettings): RelayRule {
  const localDomains = new Set(settings.localDomains.map(canonicalDomain));
  const networks = networkList(settings.relayNetworks);
  return {
    isTrustedAddress(clientAddress) {
      return (
        isIP(clientAddress) !== 0 && networks.check(clientAddress, isIPv6(clientAddress) ? "ipv6" : "ipv4")
      );
    },
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

function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      if (prefix === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(prefix), family);
    } catch (cause) {
      throw new OnArrivalError(
        "CONFIG_INVALID",
        `relayNetworks: ${JSON.stringify(network)} is no address or network`,
        { cause },
      );
    }
  }
  return list;
}
