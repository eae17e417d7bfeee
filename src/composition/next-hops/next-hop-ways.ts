// What the configuration says of the way to a next hop: a reload tries those again whose way is another one now.
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { EventName } from "../../events/catalog.ts";
import type { RemoteRoute } from "../../transport/routing/router.ts";
import { entryOfRoute, remoteDomainOf, serverSmartHost } from "./destination-settings.ts";
import { hostNameOf } from "../settings.ts";

/** The sinks of these events can make a next hop unreachable, or reachable again. */
const EVENTS_OF_WAYS: ReadonlySet<EventName> = new Set([
  "OnSessionStart",
  "OnMessageStart",
  "OnPerRecipient",
  "OnBeforeData",
  "OnSessionEnd",
  "OnServerResponse",
  "DnsResolver",
  "GetAuxDomainInfoFlags",
]);

/** The same text means the same way. What all routes share is written once: a relay has queues for thousands of domains. */
export function waysOf(
  { dns, bindings }: Pick<Config, "dns" | "bindings">,
  server: VirtualServerSettings,
): (route: RemoteRoute) => string {
  const { destinations: _, smartHost, auth, lmtp: __, ...delivery } = server.delivery;
  const { name } = server;
  const sinks = bindings.filter(
    (binding) =>
      EVENTS_OF_WAYS.has(binding.event) && (binding.server === undefined || binding.server === name),
  );
  const ofAll = JSON.stringify([hostNameOf(server), dns, server.outbound, delivery, sinks]);
  const ofSmartHost = delivery.directFirst
    ? JSON.stringify([smartHost, auth, entryOfRoute(server, serverSmartHost(server))])
    : JSON.stringify([smartHost, auth]);
  return (route) => {
    const own = remoteDomainOf(server, route);
    const isOverSmartHost =
      (route.kind === "smart-host" && own?.smartHost === undefined) ||
      (route.kind === "mx" && delivery.directFirst);
    return `${ofAll}${isOverSmartHost ? ofSmartHost : ""}${JSON.stringify([own, entryOfRoute(server, route)])}`;
  };
}
