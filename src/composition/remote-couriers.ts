// The couriers of remote routes: a smart host is one destination; a domain is looked up when there is mail for it.
import type { VirtualServerSettings } from "../config/schema.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { createDestination } from "../smtp/client/connection-pool.ts";
import type { Destination, DestinationSettings, SignOutbound } from "../smtp/client/destination.ts";
import type { OutboundProtocol } from "../smtp/client/outbound-events.ts";
import { TlsWishes } from "../smtp/client/tls-wishes.ts";
import type { WireLog } from "../smtp/client/wire-log.ts";
import { createMxLookup, defaultResolver, type MxLookup } from "../transport/mx.ts";
import type { Courier } from "../transport/destination-queue.ts";
import { MxCourier } from "../transport/mx-courier.ts";
import type { RemoteRoute } from "../transport/router.ts";
import {
  credentialsOf,
  destinationSettings,
  entryFor,
  implicitTls,
  maxConnectionsTo,
} from "./destination-settings.ts";
import { hostNameOf, smartHostOf } from "./settings.ts";

type RouteOf<Kind> = Extract<RemoteRoute, { kind: Kind }>;

export function createRemoteCouriers(
  server: VirtualServerSettings,
  log: Logger,
  clock: Clock,
  protocol: OutboundProtocol | undefined,
  lookup: MxLookup = createMxLookup(
    { port: server.delivery.port, ownHosts: [hostNameOf(server)] },
    defaultResolver(),
    clock,
  ),
  sign?: SignOutbound,
  wireLog?: WireLog,
): (route: RemoteRoute) => Courier {
  const connect = (settings: DestinationSettings): Destination =>
    connectAsWished({ ...settings, sign, wireLog }, server, (asked) => createDestination(asked, log, clock));
  const toDomain = ({ domain }: RouteOf<"mx">): Courier => {
    const entry = entryFor(server, [domain]);
    return new MxCourier({
  flagsOf?: (domain: string) => number,
      domain,
      maxConnections: maxConnectionsTo(server, entry),
      lookup,
      connect: (nextHops) => connect(destinationSettings(server, nextHops, entry, protocol)),
    });
  };
  return (route) => {
    switch (route.kind) {
      case "mx":
        return toDomain(route);
      case "smart-host":
        return connect(smartHostSettings(server, route, protocol));
      case "lmtp":
        return connect(lmtpSettings(server, route, protocol));
    }
  };
}

function smartHostSettings(
  server: VirtualServerSettings,
  { host, port, key }: RouteOf<"smart-host">,
  protocol: OutboundProtocol | undefined,
): DestinationSettings {
  const entry = entryFor(server, [key, host]);
  const settings = destinationSettings(server, [{ host, port }], entry, protocol);
  const smartHost = smartHostOf(server);
  // A server that a script names never gets the credentials that are meant for the smart host.
  if (smartHost?.socketPath !== undefined || smartHost?.host !== host || smartHost.port !== port)
    return settings;
  const tls = smartHost.scheme === "smtps" ? implicitTls(settings, entry) : settings.tls;
  return { ...settings, tls, credentials: credentialsOf(server) };
}

function lmtpSettings(
  server: VirtualServerSettings,
  { host, port, socketPath }: RouteOf<"lmtp">,
  protocol: OutboundProtocol | undefined,
): DestinationSettings {
  const names = socketPath === undefined ? [`${host}:${port}`, host] : [socketPath];
  const hops = [{ host, port, socketPath }];
  return { ...destinationSettings(server, hops, entryFor(server, names), protocol), dialect: "lmtp" };
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
