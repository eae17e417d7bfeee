// How one next hop is spoken to: the settings of all, and over them those of the first entry that names it.
import { readFile } from "node:fs/promises";
import type { DestinationEntry } from "../../config/delivery-schema.ts";
import { meansDestination } from "../../config/destination-names.ts";
import type { RemoteDomain } from "../../config/domain-schema.ts";
import type { VirtualServerSettings } from "../../config/schema.ts";
import { OnArrivalError } from "../../core/errors.ts";
import type { OutboundProtocol } from "../../smtp/client/sinks/outbound-events.ts";
import {
  DEFAULT_DESTINATION_SETTINGS,
  type DestinationSettings,
  type NextHop,
  type OutboundCredentials,
  type TlsPolicy,
} from "../../smtp/client/destination.ts";
import { createBodyConverter } from "../../transport/couriers/body-converter.ts";
import type { RemoteRoute } from "../../transport/routing/router.ts";
import { hostNameOf, smartHostOf } from "../settings.ts";

export const remoteDomainOf = (
  { domains }: VirtualServerSettings,
  { entry }: Pick<RemoteRoute, "entry">,
): RemoteDomain | undefined =>
  entry === undefined ? undefined : domains.remote.find(({ name }) => name === entry);

type NamedRoute = RemoteRoute extends infer Route
  ? Route extends RemoteRoute
    ? Omit<Route, "key">
    : never
  : never;

/** Where `directFirst` sends what the mail exchangers do not take. */
export function serverSmartHost(server: VirtualServerSettings): Extract<NamedRoute, { kind: "smart-host" }> {
  const address = smartHostOf(server);
  if (address === undefined || address.socketPath !== undefined)
    throw new OnArrivalError("INTERNAL", "directFirst without a smart host");
  return { kind: "smart-host", host: address.host, port: address.port };
}

/** The entry of the destinations for a route, by its domain, or by "host" and "host:port". */
export function entryOfRoute(server: VirtualServerSettings, route: NamedRoute): DestinationEntry | undefined {
  if (route.kind === "mx") return entryFor(server, [route.domain]);
  if (route.kind === "smart-host" && route.isPeer === true) return undefined;
  const { host, port } = route;
  const hop =
    route.kind === "lmtp" && route.socketPath !== undefined ? [route.socketPath] : [`${host}:${port}`, host];
  const own = remoteDomainOf(server, route);
  // An entry for a domain counts for the host that its way leads to, else the TLS that it asks for would be lost.
  return entryFor(server, own === undefined ? hop : [own.name, ...hop]);
}

const entryFor = (
  { delivery }: VirtualServerSettings,
  names: readonly string[],
): DestinationEntry | undefined =>
  delivery.destinations.find(({ to }) => names.some((name) => meansDestination(to, name)));

export function destinationSettings(
  server: VirtualServerSettings,
  nextHops: readonly NextHop[],
  entry: DestinationEntry | undefined,
  protocol: OutboundProtocol | undefined,
  domain?: RemoteDomain,
): DestinationSettings {
  const { outbound, delivery } = server;
  return {
    ...DEFAULT_DESTINATION_SETTINGS,
    nextHops,
    heloName: hostNameOf(server),
    maxConnections: maxConnectionsTo(server, entry),
    maxMessagesPerConnection: entry?.messagesPerConnection ?? outbound.messagesPerConnection,
    idleMs: outbound.idleMs,
    groupWithinMs: outbound.groupWithinMs,
    reopenPauseMs: outbound.reopenPauseMs,
    maxAddresses: outbound.maxAddresses,
    chunking: entry?.chunking ?? delivery.chunking,
    convertBody: createBodyConverter({ policy: delivery.convert, maxBytes: delivery.maxConvertSize }),
    xforward: entry?.xforward ?? false,
    pipelining: outbound.pipelining,
    keywords: new Set(outbound.keywords),
    tls: tlsPolicy(domain?.startTls ?? delivery.startTls, entry),
    deadlines: outbound.timeouts,
    protocol,
  };
}

export const maxConnectionsTo = (
  { outbound }: VirtualServerSettings,
  entry: DestinationEntry | undefined,
): number => entry?.maxConnections ?? outbound.maxConnectionsPerDestination;

export function credentialsOf(
  auth: VirtualServerSettings["delivery"]["auth"],
): OutboundCredentials | undefined {
  if (auth === undefined) return undefined;
  const { user, password, tokenFile, mechanism, allowInClear } = auth;
  const token = tokenFile === undefined ? undefined : (): Promise<string> => firstLine(tokenFile);
  return { user, password, token, mechanism, allowInClear };
}

async function firstLine(file: string): Promise<string> {
  return (await readFile(file, "utf8")).split(/\r?\n/, 1)[0] ?? "";
}

/** RFC 8314 §3: who asks for TLS from the first byte means the host that he names. */
export const implicitTls = (settings: DestinationSettings, entry: DestinationEntry | undefined): TlsPolicy =>
  entry?.tls === undefined
    ? { ...tlsPolicy("required", entry), implicit: true }
    : { ...settings.tls, implicit: true };

type StartTls = VirtualServerSettings["delivery"]["startTls"];

const MODES: Readonly<Record<StartTls, NonNullable<DestinationEntry["tls"]>>> = {
  never: "none",
  opportunistic: "opportunistic",
  required: "required",
};

function tlsPolicy(startTls: StartTls, entry: DestinationEntry | undefined): TlsPolicy {
  const policy = {
    implicit: entry?.implicit ?? false,
    minVersion: entry?.minVersion,
    authorities: entry?.authorities,
    names: entry?.names,
  };
  const mode = entry?.tls ?? MODES[startTls];
  switch (mode) {
    case "none":
    case "opportunistic":
      return { ...policy, mode, verify: false, clearAfterFailure: true };
    case "encrypted":
      return { ...policy, mode: "required", verify: false, clearAfterFailure: false };
    case "required":
      return { ...policy, mode: "required", verify: true, clearAfterFailure: false };
    case "pinned":
      return {
        ...policy,
        mode: "required",
        verify: true,
        clearAfterFailure: false,
        pins: entry?.fingerprints,
      };
  }
}
