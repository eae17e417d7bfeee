// The couriers of remote routes: a smart host is one destination; a domain is looked up when there is mail for it.
import type { VirtualServerSettings } from "../config/schema.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { createDestination } from "../smtp/client/connection-pool.ts";
import type { OutboundProtocol } from "../smtp/client/outbound-events.ts";
import { createMxLookup, defaultResolver } from "../transport/mx.ts";
import type { Courier } from "../transport/destination-queue.ts";
import { MxCourier } from "../transport/mx-courier.ts";
import type { Route } from "../transport/router.ts";
import { destinationSettings, hostNameOf, routerSettings } from "./settings.ts";

export function createRemoteCouriers(
  server: VirtualServerSettings,
  log: Logger,
  clock: Clock,
  protocol: OutboundProtocol | undefined,
): (route: Exclude<Route, { kind: "local" }>) => Courier {
  const lookup = createMxLookup(
    { port: server.delivery.port, ownHosts: [hostNameOf(server)] },
    defaultResolver(),
    clock,
  );
  const { remote } = routerSettings(server);
  return (route) => {
    if (route.kind === "smart-host") {
      const { host, port } = route;
      const settings = { ...destinationSettings(server, [{ host, port }]), protocol };
      // A server that a script names never gets the credentials that are meant for the smart host.
      const isSmartHost = remote.kind === "smart-host" && remote.host === host && remote.port === port;
      const credentials = isSmartHost ? settings.credentials : undefined;
      return createDestination({ ...settings, credentials }, log, clock);
    }
    return new MxCourier({
      domain: route.domain,
      maxConnections: server.outbound.maxConnectionsPerDestination,
      lookup,
      connect: (nextHops) =>
        createDestination({ ...destinationSettings(server, nextHops), protocol }, log, clock),
    });
  };
}
