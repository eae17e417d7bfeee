// The way from onarrival.yaml to the couriers of next hops, for tests.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { OutboundBudgets } from "../../../../src/composition/next-hops/outbound-budgets.ts";
import { createRemoteCouriers } from "../../../../src/composition/next-hops/remote-couriers.ts";
import { routerSettings } from "../../../../src/composition/settings.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import type { VirtualServerSettings } from "../../../../src/config/schema.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { CutOff } from "../../../../src/smtp/client/cut-off.ts";
import type { SignOutbound } from "../../../../src/smtp/client/destination.ts";
import type { OutboundProtocol } from "../../../../src/smtp/client/sinks/outbound-events.ts";
import type { Courier } from "../../../../src/transport/queues/destination-queue.ts";
import { type RemoteRoute, createRouter } from "../../../../src/transport/routing/router.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import type { Peer } from "../../smtp/client/support.ts";

export interface WayOut extends AsyncDisposable {
  /** The courier of an address, made once. */
  to(address: string): Courier;
  /** The courier of a route that a router sink names. */
  by(route: RemoteRoute): Courier;
  /** Of all couriers. */
  readonly cutOff: CutOff;
  readonly folder: string;
}

export async function firstServer(file: string): Promise<VirtualServerSettings> {
  const [server] = (await loadConfig(file)).virtualServers;
  if (server === undefined) throw new Error("there is no virtual server");
  return server;
}

interface WayOutChoices {
  readonly domains?: string;
  readonly more?: string;
  /** Flags that sinks add to a domain. */
  readonly flagsOf?: (domain: string) => number;
  readonly sign?: SignOutbound;
  readonly protocol?: OutboundProtocol;
}

/** MX look-ups answer `peer`, whatever the domain. `domains` and `more`: further keys of the domains and of the server. */
export async function wayOut(
  delivery: string,
  peer: Pick<Peer, "port">,
  files: Record<string, string> = {},
  { domains = "", more = "", flagsOf, sign, protocol }: WayOutChoices = {},
): Promise<WayOut> {
  await using started = new AsyncDisposableStack();
  const folder = started.use(await tempFolder());
  const file = path.join(folder.path, "onarrival.yaml");
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder.path, name), text);
  const server = `hostName: relay.example, domains: { local: [here.example], ${domains} }, delivery: { ${delivery} }`;
  await writeFile(file, `virtualServers: [{ ${server}, ${more} }]\n`);
  const primary = await firstServer(file);
  const hops = [{ host: "localhost", port: peer.port, addresses: ["127.0.0.1"] }];
  const lookup = { nextHops: () => Promise.resolve({ kind: "hops", hops } as const) };
  const courierOf = createRemoteCouriers(primary, {
    lookup,
    protocol,
    sign,
    flagsOf,
    budget: new OutboundBudgets().of(primary),
    clock: systemClock,
    log: silentLogger,
  });
  const router = createRouter(routerSettings(primary));
  const cutOff = new CutOff();
  const couriers = new Map<string, Courier>();
  started.defer(async () => {
    await Promise.all([...couriers.values()].map((courier) => courier.close()));
  });
  const stack = started.move();
  const by = (route: RemoteRoute): Courier => {
    const courier = couriers.get(route.key) ?? courierOf(route, cutOff);
    couriers.set(route.key, courier);
    return courier;
  };
  return {
    folder: folder.path,
    cutOff,
    by,
    to(address) {
      const route = router.routeOf(address);
      if (route.kind === "local" || route.kind === "unreachable") throw new Error(`${address} stays here`);
      return by(route);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
