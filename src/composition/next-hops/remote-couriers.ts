// The couriers of remote routes: a smart host is one destination; a domain is looked up when there is mail for it.
import type { RemoteDomain } from "../../config/domain-schema.ts";
import type { VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { ConnectionBudget } from "../../smtp/client/connection-budget.ts";
import type { CutOff } from "../../smtp/client/cut-off.ts";
import { createDestination } from "../../smtp/client/connection-pool.ts";
import type { Destination, DestinationSettings, SignOutbound } from "../../smtp/client/destination.ts";
import type { OutboundProtocol } from "../../smtp/client/sinks/outbound-events.ts";
import { TlsWishes } from "../../smtp/client/tls-wishes.ts";
import type { WireLog } from "../../smtp/client/wire-log.ts";
import type { MxLookup } from "../../transport/routing/mx.ts";
import type { Courier } from "../../transport/queues/destination-queue.ts";
import { MxCourier, type MxCourierParts } from "../../transport/couriers/mx-courier.ts";
import { DirectFirstCourier } from "../../transport/couriers/direct-first-courier.ts";
import { type Masquerade, MasqueradeCourier } from "../../transport/masquerade.ts";
import type { RemoteRoute } from "../../transport/routing/router.ts";
import { SharedCourier } from "../../transport/couriers/shared-courier.ts";
import { SplittingCourier } from "../../transport/couriers/splitting-courier.ts";
import {
  credentialsOf,
  destinationSettings,
  entryOfRoute,
  implicitTls,
  maxConnectionsTo,
  remoteDomainOf,
  serverSmartHost,
} from "./destination-settings.ts";
import { masqueradeOf, smartHostOf, smartHostOfDomain } from "../settings.ts";

type RouteOf<Kind> = Extract<RemoteRoute, { kind: Kind }>;
type SmartHost = Omit<RouteOf<"smart-host">, "key">;

/** What the couriers of one virtual server share. */
export interface RemoteCourierParts {
  readonly lookup: MxLookup;
  readonly protocol?: OutboundProtocol | undefined;
  /** Absent: nothing is signed. */
  readonly sign?: SignOutbound | undefined;
  readonly wireLog?: WireLog | undefined;
  /** Bits of `domainFlag` that sinks add to a domain in lower case. */
  readonly flagsOf?: ((domain: string) => number) | undefined;
  readonly budget: ConnectionBudget | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createRemoteCouriers(
  server: VirtualServerSettings,
  { lookup, protocol, sign, wireLog, flagsOf, budget, clock, log }: RemoteCourierParts,
): (route: RemoteRoute, cutOff?: CutOff) => Courier {
  const connect = (settings: DestinationSettings, cutOff: CutOff | undefined): Destination => {
    const shared = { budget: budgetFor(settings, budget), cutOff, sign, wireLog };
    return connectAsWished({ ...settings, ...shared }, server, (asked) =>
      createDestination(asked, log, clock),
    );
  };
  const flagsFor = (...domains: readonly string[]): (() => number) | undefined =>
    flagsOf && (() => domains.reduce((flags, domain) => flags | flagsOf(domain.toLowerCase()), 0));
  const masquerade = masqueradeOf(server);
  const bySmartHost = new SharedCourier((cutOff) => toSmartHost(serverSmartHost(server), cutOff));
  const toSmartHost = (route: SmartHost, cutOff: CutOff | undefined): Courier =>
    connect(
      {
        ...smartHostSettings(server, route, protocol),
        domainFlags: flagsFor(...domainsBehind(server, route), route.host),
      },
      cutOff,
    );
  const toDomain = (route: RouteOf<"mx">, cutOff: CutOff | undefined): Courier => {
    const own = remoteDomainOf(server, route);
    const hasFallback = server.delivery.directFirst && own?.mx !== true;
    const direct = new MxCourier({
      ...domainParts(server, route, own, protocol, (settings) =>
        connect({ ...settings, domainFlags: flagsFor(route.domain) }, cutOff),
      ),
      hasFallback,
      lookup,
    });
    return hasFallback ? new DirectFirstCourier(direct, bySmartHost.lend(cutOff)) : direct;
  };
  const courierOf = (route: RemoteRoute, cutOff: CutOff | undefined): Courier => {
    switch (route.kind) {
      case "mx":
        return toDomain(route, cutOff);
      case "smart-host":
        return toSmartHost(route, cutOff);
      case "lmtp":
        return connect(lmtpSettings(server, route, protocol), cutOff);
    }
  };
  return (route, cutOff) => asSeenOutside(server, masquerade, route, courierOf(route, cutOff));
}

/** Who is alone with a way of its own: a pattern, or a smart host of all, is no domain that a sink could know. */
function domainsBehind(server: VirtualServerSettings, route: SmartHost): readonly string[] {
  if (route.onDemand !== undefined) return [route.onDemand];
  const own = remoteDomainOf(server, route);
  return own === undefined || own.name.startsWith("*") ? [] : [own.name];
}

function asSeenOutside(
  { outbound }: VirtualServerSettings,
  masquerade: Masquerade | undefined,
  route: RemoteRoute,
  inner: Courier,
): Courier {
  const courier = new SplittingCourier(inner, outbound.maxRecipients);
  // LMTP hands over to the mail store: there nobody needs to be told another name.
  return masquerade === undefined || route.kind === "lmtp"
    ? courier
    : new MasqueradeCourier(courier, masquerade);
}

function domainParts(
  server: VirtualServerSettings,
  route: RouteOf<"mx">,
  own: RemoteDomain | undefined,
  protocol: OutboundProtocol | undefined,
  connect: (settings: DestinationSettings) => Destination,
): Pick<MxCourierParts, "domain" | "maxConnections" | "connect"> {
  const { domain } = route;
  const entry = entryOfRoute(server, route);
  const port = own?.port;
  return {
    domain,
    maxConnections: maxConnectionsTo(server, entry),
    connect: (hops) => {
      const nextHops = port === undefined ? hops : hops.map((hop) => ({ ...hop, port }));
      return connect({
        ...destinationSettings(server, nextHops, entry, protocol, own),
        routeAddress: domain,
      });
    },
  };
}

/** The mail store of this machine is not kept waiting by other hosts. */
const budgetFor = (
  { dialect }: DestinationSettings,
  budget: ConnectionBudget | undefined,
): ConnectionBudget | undefined => (dialect === "lmtp" ? undefined : budget);

function smartHostSettings(
  server: VirtualServerSettings,
  route: SmartHost,
  protocol: OutboundProtocol | undefined,
): DestinationSettings {
  const { host, port, isPeer } = route;
  const own = remoteDomainOf(server, route);
  const entry = entryOfRoute(server, route);
  const settings = {
    ...destinationSettings(server, [{ host, port }], entry, protocol, own),
    routeAddress: host,
  };
  const isOwn = own?.smartHost !== undefined;
  const smartHost = isOwn ? smartHostOfDomain(server, own) : smartHostOf(server);
  // A server that a script names never gets the credentials that are meant for the smart host.
  if (
    isPeer === true ||
    smartHost?.socketPath !== undefined ||
    smartHost?.host !== host ||
    smartHost.port !== port
  )
    return settings;
  const tls = smartHost.scheme === "smtps" ? implicitTls(settings, entry) : settings.tls;
  return { ...settings, tls, credentials: credentialsOf(isOwn ? own.auth : server.delivery.auth) };
}

function lmtpSettings(
  server: VirtualServerSettings,
  route: RouteOf<"lmtp">,
  protocol: OutboundProtocol | undefined,
): DestinationSettings {
  const { host, port, socketPath } = route;
  const hops = [{ host, port, socketPath }];
  const own = remoteDomainOf(server, route);
  const settings = destinationSettings(server, hops, entryOfRoute(server, route), protocol, own);
  return { ...settings, dialect: "lmtp", routeAddress: socketPath ?? host };
}

/** RFC 8689: what messages wish of TLS, beside the settings. LMTP is the last hop, where each message is looked at by itself. */
function connectAsWished(
  settings: DestinationSettings,
  { delivery }: VirtualServerSettings,
  create: (settings: DestinationSettings) => Destination,
): Destination {
  const { tls, dialect } = settings;
  if (dialect === "lmtp") return create(settings);
  const required = { ...tls, mode: "required", verify: true, clearAfterFailure: false } as const;
  const relaxed = { ...tls, ...NO_POLICY };
  const isHonoured = tls.mode === "required" && delivery.tlsRequiredNo === "honour";
  return new TlsWishes({
    usual: create(settings),
    createRequiring: () => create({ ...settings, tls: required, requireTls: true }),
    createRelaxed: isHonoured ? () => create({ ...settings, tls: relaxed }) : undefined,
  });
}

const NO_POLICY = { mode: "opportunistic", verify: false, clearAfterFailure: true, pins: undefined } as const;
