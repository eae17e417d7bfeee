// From the checked configuration to the settings of each room.
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { VirtualServerSettings } from "../config/schema.ts";
import { type HostPort, type NextHopAddress, parseHostPort, parseNextHop } from "../config/values.ts";
import type { AccessTokenSettings } from "../smtp/server/access-token.ts";
import {
  type SmtpServerSettings,
  type TlsSettings,
  defaultSmtpServerSettings,
} from "../smtp/server/settings.ts";
import type { MailKind } from "../transport/retry-policy.ts";
import type { RetrySettings } from "../transport/retry-schedule.ts";
import type { LmtpHop, RemoteDelivery, RouterSettings } from "../transport/router.ts";

export const hostNameOf = (server: VirtualServerSettings): string => server.hostName ?? hostname();

export const defaultDomainOf = (server: VirtualServerSettings): string =>
  server.domains.local[0] ?? "localhost";

const addressOf = (text: string): HostPort => {
  const address = parseHostPort(text);
  if (address === undefined) throw new OnArrivalError("CONFIG_INVALID", `${text} is no HOST:PORT`);
  return address;
};

export async function smtpServerSettings(server: VirtualServerSettings): Promise<SmtpServerSettings> {
  const implicit = server.tls?.implicit ?? [];
  return {
    ...defaultSmtpServerSettings,
    ...server.limits,
    name: server.name,
    hostName: hostNameOf(server),
    listen: server.listen
      .filter((address) => !implicit.includes(address))
      .map((address) => addressOf(address)),
    tls: server.tls === undefined ? undefined : await tlsSettings(server.tls),
    auth: {
      ...defaultSmtpServerSettings.auth,
      users: Object.fromEntries(server.auth.users.map((user) => [user.name, user.passwordHash])),
      accessTokens:
        server.auth.accessTokens === undefined ? undefined : await accessTokens(server.auth.accessTokens),
      allowPlaintext: server.auth.allowPlaintext,
      maxFailures: server.auth.maxFailures,
      failureDelayMs: server.auth.failureDelayMs,
      lockout: server.auth.lockout,
    },
    protocol: server.protocol,
    keywords: server.keywords,
    localDomains: server.domains.local,
    etrnDomains: server.domains.etrn,
    trust: server.trust,
    defaultDomain: defaultDomainOf(server),
    relayNetworks: server.relay.networks,
    relayAuthenticated: server.relay.authenticated,
    greetDelayMs: server.greetDelayMs,
    reverseLookup: server.reverseLookup,
    bareLineEndings: server.bareLineEndings,
  };
}

type AccessTokens = NonNullable<VirtualServerSettings["auth"]["accessTokens"]>;

async function accessTokens({ keysFile, ...tokens }: AccessTokens): Promise<AccessTokenSettings> {
  try {
    return { ...tokens, keys: await readFile(keysFile, "utf8") };
  } catch (thrown) {
    throw new OnArrivalError(
      "CONFIG_INVALID",
      `auth.accessTokens.keysFile ${keysFile}: ${describeError(thrown)}`,
      {
        cause: thrown,
      },
    );
  }
}

async function tlsSettings(tls: NonNullable<VirtualServerSettings["tls"]>): Promise<TlsSettings> {
  const [certificate, key] = await Promise.all([readPem(tls.certificate), readPem(tls.key)]);
  return { certificate, key, implicit: tls.implicit.map((address) => addressOf(address)) };
}

async function readPem(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    throw new OnArrivalError("TLS_INVALID", `${file}: ${describeError(thrown)}`, { cause: thrown });
  }
}

export function routerSettings(server: VirtualServerSettings): RouterSettings {
  const { mx, port, lmtp } = server.delivery;
  const smartHost = smartHostOf(server);
  return {
    localDomains: server.domains.local.map((domain) => domain.toLowerCase()),
    lmtp: lmtp === undefined ? undefined : lmtpHop(nextHopOf(`lmtp://${lmtp}`, LMTP_PORT)),
    remote: remoteDelivery(smartHost) ?? (mx ? { kind: "mx", port } : { kind: "drop" }),
  };
}

/** The port by custom; RFC 2033 §5 only says that it is not 25. */
const LMTP_PORT = 24;

export function smartHostOf({ delivery }: VirtualServerSettings): NextHopAddress | undefined {
  return delivery.smartHost === undefined ? undefined : nextHopOf(delivery.smartHost, delivery.port);
}

function nextHopOf(text: string, defaultPort: number): NextHopAddress {
  const address = parseNextHop(text, defaultPort);
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
  };
  const local = {
    ...remote,
    delayNoticeMs: retry.localDelayNoticeMinutes * MINUTE_MS,
    expiryMs: retry.localExpireMinutes * MINUTE_MS,
  };
  return { local, remote };
}
