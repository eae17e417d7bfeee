// DNS as the configuration wants it: for the routes of remote domains, and for SPF, DKIM, DMARC and ARC.
import { Resolver } from "node:dns/promises";
import { isIPv6 } from "node:net";
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import { Lookup } from "../../authentication/lookup.ts";
import { type MxLookup, type MxResolver, createMxLookup } from "../../transport/routing/mx.ts";
import { hostNameOf } from "../settings.ts";

type DnsSettings = Config["dns"];

const MAX_KEPT_ANSWERS = 10_000;

function createResolver({ servers, timeoutMs, tries }: DnsSettings): Resolver {
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  // A port behind an IPv6 address needs brackets, which those without one do not have to have.
  if (servers.length > 0) resolver.setServers(servers.map((one) => (isIPv6(one) ? `[${one}]` : one)));
  return resolver;
}

export const createServerMxLookup = (
  server: VirtualServerSettings,
  dns: DnsSettings,
  clock: Clock,
  behind: (dns: MxResolver) => MxResolver = (resolver) => resolver,
): MxLookup =>
  createMxLookup(
    { port: server.delivery.port, ownHosts: [hostNameOf(server)], cacheTtlMs: dns.cacheMs },
    behind(createResolver(dns)),
    clock,
  );

export function createLookup(dns: DnsSettings, clock: Clock): Lookup {
  const resolver = createResolver(dns);
  return new Lookup(
    async (name, type) => {
      switch (type) {
        case "TXT":
          return resolver.resolveTxt(name);
        case "A":
          return resolver.resolve4(name);
        case "AAAA":
          return resolver.resolve6(name);
        case "MX":
          return resolver.resolveMx(name);
        default:
          return resolver.resolvePtr(name);
      }
    },
    { cacheMs: dns.cacheMs, maxEntries: MAX_KEPT_ANSWERS },
    clock,
  );
}
