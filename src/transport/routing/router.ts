// Step 7: the next hop of each recipient. Without a router sink: local → Drop, remote → smart host or MX.
import { domainOf } from "../../core/address.ts";
import { DomainTable } from "../../core/domain-table.ts";
import type { Recipient } from "../../core/envelope.ts";
import { routedAddressOf } from "../../message/recipient-list.ts";
import type { Reply } from "../../core/reply.ts";
import { domainFlag } from "../../events/contexts/domain-contexts.ts";
import type { RecipientRecord } from "../queued-message.ts";

/** How mail for other domains leaves. `drop`: nothing leaves the machine. */
export type RemoteDelivery =
  | { readonly kind: "drop" }
  | { readonly kind: "smart-host"; readonly host: string; readonly port: number }
  | ({ readonly kind: "lmtp" } & LmtpHop)
  | { readonly kind: "mx"; readonly port: number };

/** An LMTP server; with a path of its socket, host and port are for logs only. */
export interface LmtpHop {
  readonly host: string;
  readonly port: number;
  readonly socketPath?: string | undefined;
}

export interface RouterSettings {
  /** Lower case; `*.example.com` covers the subdomains. */
  readonly localDomains: readonly string[];
  /** Who takes mail of local domains instead of Drop. */
  readonly lmtp?: LmtpHop | undefined;
  readonly remote: RemoteDelivery;
  /** Bits of `domainFlag` that sinks add to a domain in lower case. */
  readonly flagsOf?: ((domain: string) => number) | undefined;
  /** Domains of others with a way of their own. */
  readonly domains?: readonly DomainDelivery[] | undefined;
}

export interface DomainDelivery {
  /** "*.example.com" covers the subdomains; the most special name counts, local ones included. */
  readonly name: string;
  readonly delivery: RemoteDelivery;
  /** The mail waits until somebody asks for it (RFC 1985). */
  readonly onDemand: boolean;
}

/** What a route takes from the settings of a remote domain. */
export interface OfDomain {
  /** The name of these settings. */
  readonly entry?: string | undefined;
  /** The domain whose mail waits until somebody asks for it. */
  readonly onDemand?: string | undefined;
}

/** One queue per route; `key` names it to people. */
export type Route =
  | { readonly kind: "local"; readonly key: "local" }
  | ({
      readonly kind: "smart-host";
      readonly key: string;
      readonly host: string;
      readonly port: number;
      /** Named by a router as a peer: no entry of the destinations is looked up for it. */
      readonly isPeer?: boolean | undefined;
    } & OfDomain)
  | ({ readonly kind: "lmtp"; readonly key: string } & LmtpHop & OfDomain)
  | ({ readonly kind: "mx"; readonly key: string; readonly domain: string; readonly port: number } & OfDomain)
  /** A router sink says so: each recipient gets the reply. */
  | { readonly kind: "unreachable"; readonly key: string; readonly reply: Reply };

/** Routes that lead out of this process. */
export type RemoteRoute = Exclude<Route, { kind: "local" | "unreachable" }>;

/** The route that leads to the same queue now: its domain may have settings of its own, other ones, or none any more. */
export function routeAnew(route: Route, router: Router): Route {
  if (route.kind === "local" || route.kind === "unreachable") return route;
  const domain = route.kind === "mx" ? route.domain : (route.onDemand ?? route.entry);
  // The queue of a pattern is one for all its domains, and names it.
  if (domain === undefined || domain.startsWith("*")) return route;
  const now = router.routeOf(`@${domain}`);
  const isSame = now.key === route.key.replace(/ \(type \d+\)$/, "");
  return isSame && now.kind !== "local" && now.kind !== "unreachable" ? { ...now, key: route.key } : route;
}

/** The next hop of a route as router sinks name it, whatever the message type. */
export function linkOf(route: Route): string {
  if (route.kind === "smart-host") return hostAndPort(route.host, route.port).toLowerCase();
  return route.kind === "mx" ? route.domain.toLowerCase() : route.key;
}

export const hostAndPort = (host: string, port: number): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

const LOCAL: Route = { kind: "local", key: "local" };

const UNREACHABLE_PREFIX = "unreachable: ";
const LMTP_PREFIX = "lmtp:";

function lmtpRoute({ host, port, socketPath }: LmtpHop): Route {
  return { kind: "lmtp", key: `${LMTP_PREFIX}${socketPath ?? `${host}:${port}`}`, host, port, socketPath };
}

/** Whether what a queue of this name delivers has arrived: Drop, and LMTP, which is the last hop (RFC 2033 §2). */
export const isFinalDelivery = (key: string): boolean => key === "local" || key.startsWith(LMTP_PREFIX);

/** Names the queue of recipients that hear the same from a router. */
export const unreachableRoute = (said: Reply): Route => ({
  kind: "unreachable",
  key: `${UNREACHABLE_PREFIX}${said.code} ${said.text}`,
  reply: said,
});

export const isUnreachable = (key: string): boolean => key.startsWith(UNREACHABLE_PREFIX);

export interface Router {
  /** The route of mail for local domains. */
  readonly local: Route;
  /** `nextHop` is that of the message, when it has one: "host:port". */
  routeOf(address: string, nextHop?: string): Route;
}

export const localRoute = ({ lmtp }: Pick<RouterSettings, "lmtp">): Route =>
  lmtp === undefined ? LOCAL : lmtpRoute(lmtp);

export function createRouter(settings: RouterSettings): Router {
  const { remote, domains = [] } = settings;
  const local = localRoute(settings);
  const ways = new DomainTable<(domain: string) => Route>([
    ...settings.localDomains.map((name) => [name, () => local] as const),
    ...domains.map((entry) => [entry.name, wayOf(entry)] as const),
  ]);
  const fixed = fixedRoute(remote);
  const stays = local === LOCAL && fixed === LOCAL && domains.length === 0;
  return {
    local,
    routeOf(address, nextHop) {
      if (nextHop !== undefined) return routeThrough(nextHop);
      // Nothing leaves the machine: nobody needs to know whose it is.
      if (stays) return LOCAL;
      const domain = domainOf(address).replace(/\.$/, "");
      if (domain === "") return local;
      const flags = settings.flagsOf?.(domain.toLowerCase()) ?? 0;
      if ((flags & domainFlag.localDrop) !== 0) return LOCAL;
      if ((flags & STAYS) !== 0) return local;
      const route = ways.find(domain)?.(domain) ?? fixed ?? mxRoute(domain, remote);
      return (flags & domainFlag.etrnOnly) === 0 ? route : whenAsked(route, domain);
    },
  };
}

const STAYS = domainFlag.localMailbox | domainFlag.alias;

const whenAsked = (route: Route, domain: string): Route =>
  route.kind === "local" || route.kind === "unreachable"
    ? route
    : { ...route, key: route.kind === "mx" ? route.key : `${route.key} for ${domain}`, onDemand: domain };

const mxRoute = (domain: string, remote: RemoteDelivery): Route => ({
  kind: "mx",
  key: domain,
  domain,
  port: remote.kind === "mx" ? remote.port : 25,
});

/** The routes of a remote domain: its queues are its own, also where others use the same host. */
function wayOf({ name, delivery, onDemand }: DomainDelivery): (domain: string) => Route {
  const fixed = fixedRoute(delivery);
  return (domain) => {
    const route = fixed ?? mxRoute(domain, delivery);
    if (route.kind === "local" || route.kind === "unreachable") return route;
    const of = { entry: name, onDemand: onDemand ? domain : undefined };
    const key = route.kind === "mx" ? route.key : `${route.key} for ${onDemand ? domain : name}`;
    return { ...route, ...of, key };
  };
}

/** The route of all remote mail, unless its domain decides. */
function fixedRoute(remote: RemoteDelivery): Route | undefined {
  switch (remote.kind) {
    case "drop":
      return LOCAL;
    case "smart-host": {
      const { host, port } = remote;
      return { kind: "smart-host", key: `${host}:${port}`, host, port };
    }
    case "lmtp":
      return lmtpRoute(remote);
    case "mx":
      return undefined;
  }
}

function routeThrough(nextHop: string): Route {
  const colon = nextHop.lastIndexOf(":");
  const host = nextHop.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return { kind: "smart-host", key: nextHop, host, port: Number(nextHop.slice(colon + 1)) };
}

/** Recipients of one message that share a route. */
export interface RouteGroup {
  readonly route: Route;
  readonly records: RecipientRecord[];
}

/** The recipients that still wait, by route. */
export function groupByRoute(
  router: Router,
  records: readonly RecipientRecord[],
  nextHop?: string,
): RouteGroup[] {
  return groupRecords(records, (recipient) => router.routeOf(routedAddressOf(recipient), nextHop));
}

export function groupRecords(
  records: readonly RecipientRecord[],
  routeOf: (recipient: Recipient) => Route,
): RouteGroup[] {
  const groups: RouteGroup[] = [];
  // Nearly all messages have one next hop.
  let byKey: Map<string, RouteGroup> | undefined;
  for (const record of records) {
    if (record.state !== "pending") continue;
    const route = routeOf(record.recipient);
    const [first] = groups;
    const group = first?.route.key === route.key ? first : byKey?.get(route.key);
    if (group !== undefined) {
      group.records.push(record);
      continue;
    }
    const added = { route, records: [record] };
    groups.push(added);
    if (groups.length > 1) (byKey ??= new Map()).set(route.key, added);
  }
  return groups;
}
