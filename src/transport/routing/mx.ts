// The hosts that take mail for a domain (RFC 5321 §5.1, RFC 7505), or why there are none.
import { isIP } from "node:net";
import { domainToASCII } from "node:url";
import type { Clock } from "../../core/clock.ts";
import { ownReply, type Reply } from "../../core/reply.ts";
import { systemCodeOf } from "../../core/system-error.ts";
import { keepNewest } from "../../core/keep-newest.ts";
import type { NextHop } from "../../smtp/client/destination.ts";

export interface MxRecord {
  readonly exchange: string;
  readonly priority: number;
}

/** What is asked of DNS. Rejects with the codes of node:dns: ENOTFOUND, ENODATA, ESERVFAIL, ETIMEOUT… */
export interface MxResolver {
  resolveMx(domain: string): Promise<readonly MxRecord[]>;
  resolve4(host: string): Promise<readonly string[]>;
  resolve6(host: string): Promise<readonly string[]>;
}

export interface MxSettings {
  readonly port: number;
  /** FAULTS N07: of more hosts or addresses only the first count. */
  readonly maxHosts: number;
  readonly maxAddressesPerHost: number;
  /** Answers are kept this long, whatever TTL they claim; failures as well. */
  readonly cacheTtlMs: number;
  readonly maxCacheEntries: number;
  /** Our own addresses and names: mail that would come back to us is a loop. */
  readonly ownAddresses: readonly string[];
  readonly ownHosts: readonly string[];
}

export const DEFAULT_MX_SETTINGS: MxSettings = {
  port: 25,
  maxHosts: 10,
  maxAddressesPerHost: 10,
  cacheTtlMs: 60_000,
  maxCacheEntries: 10_000,
  ownAddresses: [],
  ownHosts: [],
};

export type MxAnswer =
  | { readonly kind: "hops"; readonly hops: readonly NextHop[] }
  /** 5xx: bounce; 4xx: try again later. */
  | { readonly kind: "failed"; readonly reply: Reply };

export interface MxLookup {
  nextHops(domain: string): Promise<MxAnswer>;
}

const failed = (code: number, detail: string, text: string): MxAnswer => ({
  kind: "failed",
  reply: ownReply(code, detail, text),
});

/** `random` answers 0 ≤ x < 1 and spreads the load over hosts of equal preference. */
export function createMxLookup(
  options: Partial<MxSettings>,
  resolver: MxResolver,
  clock: Clock,
  random: () => number = Math.random,
): MxLookup {
  const settings: MxSettings = { ...DEFAULT_MX_SETTINGS, ...options };
  const cache = new Map<string, { readonly until: number; readonly answer: Promise<MxAnswer> }>();
  return {
    nextHops(domain) {
      const key = domain.toLowerCase();
      const known = cache.get(key);
      if (known !== undefined && known.until > clock.now()) return known.answer;
      const answer = lookUp(key, settings, resolver, random);
      const until = clock.now() + settings.cacheTtlMs;
      keepNewest(cache, key, { until, answer }, settings.maxCacheEntries);
      return answer;
    },
  };
}

async function lookUp(
  domain: string,
  settings: MxSettings,
  resolver: MxResolver,
  random: () => number,
): Promise<MxAnswer> {
  if (domain.startsWith("[")) return addressLiteral(domain, settings);
  const name = domainToASCII(domain.endsWith(".") ? domain.slice(0, -1) : domain);
  if (name === "") return failed(550, "1.2", `${domain} is not a domain name`);
  const asked = await ask(resolver.resolveMx(name));
  if (asked.kind === "unknown") return failed(550, "1.2", `The domain ${name} does not exist`);
  if (asked.kind === "trouble") return failed(451, "4.3", `DNS look-up of ${name} failed: ${asked.code}`);
  const records = asked.kind === "found" ? asked.records : [];
  // RFC 7505 §3: "MX 0 ." says that the domain takes no mail.
  if (records.length === 1 && (records[0]?.exchange === "" || records[0]?.exchange === ".")) {
    return failed(556, "1.10", `The domain ${name} does not accept mail (null MX)`);
  }
  // RFC 5321 §5.1: without MX the domain itself is the host.
  if (records.length === 0) return hostsToHops([{ exchange: name, priority: 0 }], name, settings, resolver);
  return hostsToHops(inOrder(records, random), name, settings, resolver);
}

function addressLiteral(domain: string, settings: MxSettings): MxAnswer {
  const address = domain.slice(1, -1).replace(/^ipv6:/i, "");
  if (!domain.endsWith("]") || isIP(address) === 0)
    return failed(553, "1.3", `${domain} is not an address literal`);
  if (isOwn(address, settings)) return failed(554, "4.6", `Mail for ${domain} would come back to this host`);
  return { kind: "hops", hops: [{ host: address, port: settings.port, addresses: [address] }] };
}

function inOrder(records: readonly MxRecord[], random: () => number): MxRecord[] {
  return records
    .map((record) => ({ record, draw: random() }))
    .sort((a, b) => a.record.priority - b.record.priority || a.draw - b.draw)
    .map(({ record }) => record);
}

/** The addresses of the hosts in order. From the first host that is ourselves, nothing counts any more (RFC 5321 §5.1). */
async function hostsToHops(
  records: readonly MxRecord[],
  domain: string,
  settings: MxSettings,
  resolver: MxResolver,
): Promise<MxAnswer> {
  const wanted = records.slice(0, settings.maxHosts);
  const hosts = await Promise.all(wanted.map((record) => hostOf(record, settings, resolver)));
  const own = Math.min(...hosts.filter((host) => host.own).map((host) => host.priority));
  const hops = hosts
    .filter((host) => host.priority < own && host.addresses.length > 0)
    .map(({ name, addresses }): NextHop => ({ host: name, port: settings.port, addresses }));
  if (hops.length > 0) return { kind: "hops", hops };
  if (own !== Infinity) return failed(554, "4.6", `Mail for ${domain} would come back to this host`);
  const trouble = hosts.find((host) => host.failure !== undefined)?.failure;
  if (trouble !== undefined)
    return failed(451, "4.3", `DNS look-up of the hosts of ${domain} failed: ${trouble}`);
  return failed(550, "1.2", `No host of ${domain} has an address`);
}

interface MxHost {
  readonly name: string;
  readonly priority: number;
  readonly addresses: readonly string[];
  /** Why the addresses are not known, when that may change. */
  readonly failure: string | undefined;
  readonly own: boolean;
}

async function hostOf(record: MxRecord, settings: MxSettings, resolver: MxResolver): Promise<MxHost> {
  const { exchange: name, priority } = record;
  const { addresses, failure } = await addressesOf(name, resolver);
  const own = isOwn(name, settings) || addresses.some((address) => isOwn(address, settings));
  return { name, priority, addresses: addresses.slice(0, settings.maxAddressesPerHost), failure, own };
}

async function addressesOf(
  host: string,
  resolver: MxResolver,
): Promise<{ addresses: string[]; failure: string | undefined }> {
  // Not allowed in MX (RFC 5321 §5.1), but met with.
  if (isIP(host) !== 0) return { addresses: [host], failure: undefined };
  const [four, six] = await Promise.all([ask(resolver.resolve4(host)), ask(resolver.resolve6(host))]);
  const addresses: string[] = [];
  for (const answer of [four, six]) if (answer.kind === "found") addresses.push(...answer.records);
  const troubled = [four, six].find((answer) => answer.kind === "trouble");
  return { addresses, failure: troubled?.kind === "trouble" ? troubled.code : undefined };
}

function isOwn(hostOrAddress: string, settings: MxSettings): boolean {
  const name = hostOrAddress.toLowerCase().replace(/\.$/, "");
  return (
    settings.ownAddresses.includes(name) || settings.ownHosts.some((host) => host.toLowerCase() === name)
  );
}

type Asked<T> =
  | { readonly kind: "found"; readonly records: readonly T[] }
  /** NXDOMAIN */
  | { readonly kind: "unknown" }
  /** The name exists without such a record. */
  | { readonly kind: "none" }
  | { readonly kind: "trouble"; readonly code: string };

async function ask<T>(question: Promise<readonly T[]>): Promise<Asked<T>> {
  try {
    const records = await question;
    return records.length === 0 ? { kind: "none" } : { kind: "found", records };
  } catch (error) {
    const code = systemCodeOf(error) ?? "unknown";
    if (code === "ENOTFOUND") return { kind: "unknown" };
    return code === "ENODATA" ? { kind: "none" } : { kind: "trouble", code };
  }
}
