// Which addresses a script may reach: the public Internet, and what the operator named. The rest is the inside of a network.
import { BlockList, isIP } from "node:net";

export type AddressRule = (address: string) => boolean;

type Subnet = readonly [address: string, prefix: number];

/** RFC 6890, RFC 6598, RFC 1112 §4: nothing here is a host of the public Internet. */
const SPECIAL_IPV4: readonly Subnet[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // With 169.254.169.254, where clouds hand out the credentials of a machine.
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  // The metadata server of one cloud, on a public address.
  ["168.63.129.16", 32],
];

/** Within 2000::/3, which alone is in use for the Internet: RFC 4291 §2.4 and the registry of special addresses. */
const GLOBAL_IPV6: Subnet = ["2000::", 3];
const SPECIAL_IPV6: readonly Subnet[] = [
  // With Teredo, 2001::/32.
  ["2001::", 23],
  ["2001:db8::", 32],
  ["3fff::", 20],
];

const TRANSLATED = [0x64, 0xff9b, 0, 0, 0, 0];
const SIX_TO_FOUR = 0x2002;

/** `privateNetworks`: "10.0.0.0/8" or one address. Throws for one that is neither. */
export function createAddressRule(privateNetworks: readonly string[]): AddressRule {
  const named = new BlockList();
  for (const network of privateNetworks) addNetwork(named, network);
  const specialIpv4 = listOf(SPECIAL_IPV4, "ipv4");
  const globalIpv6 = listOf([GLOBAL_IPV6], "ipv6");
  const specialIpv6 = listOf(SPECIAL_IPV6, "ipv6");

  const mayReachIpv4 = (address: string): boolean =>
    named.check(address, "ipv4") || !specialIpv4.check(address, "ipv4");

  return (text) => {
    const address = text.split("%", 1)[0] ?? "";
    const version = isIP(address);
    if (version === 4) return mayReachIpv4(address);
    if (version !== 6) return false;
    // The connection goes to the IPv4 address inside; behind a translator the rest of the address is only the way there.
    const inner = embeddedIpv4(groupsOf(address));
    if (inner !== undefined) return mayReachIpv4(inner);
    if (named.check(address, "ipv6")) return true;
    return globalIpv6.check(address, "ipv6") && !specialIpv6.check(address, "ipv6");
  };
}

function listOf(subnets: readonly Subnet[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family);
  return list;
}

function addNetwork(list: BlockList, network: string): void {
  const [address = "", prefix] = network.split("/");
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  list.addSubnet(address, prefix === undefined ? (family === "ipv6" ? 128 : 32) : Number(prefix), family);
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, lead = "", a, b, c, d] = dotted ?? [];
  const text =
    dotted === null
      ? address
      : `${lead}${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`;
  const [head = "", tail] = text.split("::");
  const front = readGroups(head);
  const back = readGroups(tail ?? "");
  return [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
}

const readGroups = (text: string): number[] =>
  text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));

/** Mapped (::ffff:0:0/96), compatible (::/96), translated (64:ff9b::/96, RFC 6052) and 6to4 (2002::/16, RFC 3056). */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const [first, second = 0, third = 0] = groups;
  if (first === SIX_TO_FOUR) return dottedOf(second, third);
  const lead = groups.slice(0, 6);
  const isMapped = lead.slice(0, 5).every((group) => group === 0) && (lead[5] === 0xffff || lead[5] === 0);
  const isTranslated = lead.every((group, index) => group === TRANSLATED[index]);
  if (!isMapped && !isTranslated) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  // :: and ::1 are addresses of IPv6 itself.
  return lead[5] === 0 && high === 0 && low <= 1 ? undefined : dottedOf(high, low);
}

const dottedOf = (high: number, low: number): string =>
  [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
