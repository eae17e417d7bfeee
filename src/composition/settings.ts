// From the checked configuration to the settings of each folder.
import { hostname } from "node:os";
import { OnArrivalError } from "../core/errors.ts";
import type { RemoteDomain } from "../config/domain-schema.ts";
import type { VirtualServerSettings } from "../config/schema.ts";
import {
  type HostPort,
  LMTP_PORT,
  type NextHopAddress,
  parseHostPort,
  parseNextHop,
} from "../config/values.ts";
import { type SmtpServerSettings, defaultSmtpServerSettings } from "../smtp/server/settings.ts";
import { type Masquerade, createMasquerade } from "../transport/masquerade.ts";
import type { MailKind } from "../transport/retry-policy.ts";
import type { RetrySettings } from "../transport/retry-schedule.ts";
import { readAccessTokens, readCertificate } from "./servers/server-files.ts";
import type { ServerPlace } from "./servers/server-places.ts";
import type { LmtpHop, RemoteDelivery, RouterSettings } from "../transport/routing/router.ts";

export const hostNameOf = (server: VirtualServerSettings): string => server.hostName ?? hostname();

export const defaultDomainOf = ({ domains }: VirtualServerSettings): string =>
  domains.default ?? domains.local[0] ?? "localhost";

/** Whose mail is delivered here. */
export const localDomainsOf = ({ domains }: VirtualServerSettings): readonly string[] => [
  ...new Set([
    ...domains.local,
    ...domains.alias,
    ...(domains.default === undefined ? [] : [domains.default]),
  ]),
];

const addressOf = (text: string): HostPort => {
  const address = parseHostPort(text);
  if (address === undefined) throw new OnArrivalError("CONFIG_INVALID", `${text} is no HOST:PORT`);
  return address;
};

export async function smtpServerSettings(
  server: VirtualServerSettings,
  placeOf: ServerPlace,
): Promise<SmtpServerSettings> {
  const { tls, auth } = server;
  const implicit = tls?.implicit ?? [];
  return {
    ...defaultSmtpServerSettings,
    ...server.limits,
    name: server.name,
    hostName: hostNameOf(server),
    listen: server.listen
      .filter((address) => !implicit.includes(address))
      .map((address) => addressOf(address)),
    tls: tls && {
      ...(await readCertificate(tls, placeOf)),
      implicit: implicit.map((address) => addressOf(address)),
      required: tls.required,
    },
    auth: {
      ...defaultSmtpServerSettings.auth,
      users: Object.fromEntries(auth.users.map((user) => [user.name, user.passwordHash])),
      accessTokens: auth.accessTokens && (await readAccessTokens(auth.accessTokens, placeOf)),
      anonymous: auth.anonymous,
      mechanisms: auth.mechanisms,
      allowPlaintext: auth.allowPlaintext,
      maxFailures: auth.maxFailures,
      maxLineLength: auth.maxLineLength,
      failureDelayMs: auth.failureDelayMs,
      lockout: auth.lockout,
    },
    protocol: server.protocol,
    keywords: server.keywords,
    localDomains: localDomainsOf(server),
    remoteDomains: server.domains.remote,
    etrnDomains: [
      ...server.domains.etrn,
      ...server.domains.remote.filter(({ etrn }) => etrn).map(({ name }) => name),
    ],
    trust: server.trust,
    defaultDomain: defaultDomainOf(server),
    relayNetworks: server.relay.networks,
    relayMode: server.relay.mode,
    relayAuthenticated: server.relay.authenticated,
    greetDelayMs: server.greetDelayMs,
    reverseLookup: server.reverseLookup,
    bareLineEndings: server.bareLineEndings,
  };
}

export function routerSettings(server: VirtualServerSettings): RouterSettings {
  const { mx, port, lmtp, directFirst } = server.delivery;
  const smartHost = directFirst ? undefined : smartHostOf(server);
  const remote: RemoteDelivery =
    remoteDelivery(smartHost) ?? (mx || directFirst ? { kind: "mx", port } : { kind: "drop" });
  return {
    localDomains: localDomainsOf(server),
    lmtp: lmtp === undefined ? undefined : lmtpHop(nextHopOf(`lmtp://${lmtp}`, LMTP_PORT)),
    remote,
    domains: server.domains.remote
      .filter((entry) => hasOwnWay(entry))
      .map((entry) => ({
        name: entry.name,
        delivery: domainDelivery(server, entry) ?? remote,
        onDemand: entry.etrn,
      })),
  };
}

/** Others are only relayed to. */
const hasOwnWay = ({ smartHost, mx, port, startTls, etrn }: RemoteDomain): boolean =>
  mx || etrn || smartHost !== undefined || port !== undefined || startTls !== undefined;

function domainDelivery(
  { delivery }: VirtualServerSettings,
  entry: RemoteDomain,
): RemoteDelivery | undefined {
  const port = entry.port ?? delivery.port;
  if (entry.mx || (entry.smartHost === undefined && delivery.mx)) return { kind: "mx", port };
  return remoteDelivery(smartHostOfDomain({ delivery }, entry));
}

export const smartHostOfDomain = (
  { delivery }: Pick<VirtualServerSettings, "delivery">,
  { smartHost, port }: RemoteDomain,
): NextHopAddress | undefined =>
  smartHost === undefined ? undefined : nextHopOf(smartHost, port ?? delivery.port, delivery.securePort);

export function masqueradeOf(server: VirtualServerSettings): Masquerade | undefined {
  const domain = server.delivery.masqueradeDomain;
  return domain === undefined
    ? undefined
    : createMasquerade({ domain, localDomains: localDomainsOf(server) });
}

export const smartHostOf = ({ delivery }: VirtualServerSettings): NextHopAddress | undefined =>
  delivery.smartHost === undefined
    ? undefined
    : nextHopOf(delivery.smartHost, delivery.port, delivery.securePort);

function nextHopOf(text: string, defaultPort: number, securePort?: number): NextHopAddress {
  const address = parseNextHop(text, defaultPort, securePort);
  if (address === undefined) throw new OnArrivalError("CONFIG_INVALID", `${text} is no HOST:PORT`);
  return address;
}

const lmtpHop = (address: NextHopAddress): LmtpHop =>
  address.socketPath === undefined
    ? { host: address.host, port: address.port }
    : { host: "localhost", port: 0, socketPath: address.socketPath };

function remoteDelivery(smartHost: NextHopAddress | undefined): RemoteDelivery | undefined {
  if (smartHost === undefined) return undefined;
  if (smartHost.scheme === "lmtp") return { kind: "lmtp", ...lmtpHop(smartHost) };
  if (smartHost.socketPath !== undefined) return undefined;
  return { kind: "smart-host", host: smartHost.host, port: smartHost.port };
}

const MINUTE_MS = 60_000;

export function retrySettings({ retry }: VirtualServerSettings): Record<MailKind, RetrySettings> {
  const remote = {
    glitchRetries: retry.glitchRetries,
    glitchIntervalMs: retry.glitchIntervalMs,
    intervalsMs: retry.intervalsMinutes.map((minutes) => minutes * MINUTE_MS),
    jitterPercent: retry.jitterPercent,
    delayNoticeMs: retry.delayNoticeMinutes * MINUTE_MS,
    expiryMs: retry.expireMinutes * MINUTE_MS,
    clockGraceMs: retry.clockGraceMinutes * MINUTE_MS,
  };
  const local = {
    ...remote,
    delayNoticeMs: retry.localDelayNoticeMinutes * MINUTE_MS,
    expiryMs: retry.localExpireMinutes * MINUTE_MS,
  };
  return { local, remote };
}
