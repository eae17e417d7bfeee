// Which property of the metabase is which setting (REFERENCE 6.1, 6.2), and why some are none.
import { DEFAULT_KEYWORDS, type Keyword } from "../../core/esmtp-keywords.ts";

export type SettingPath = readonly string[];

/** One value to put below a virtual server. */
export interface NewSetting {
  readonly path: SettingPath;
  readonly value: unknown;
}

/** Settings, or in words why there are none. */
export type Meaning = readonly NewSetting[] | string;

type Reader = (value: string) => Meaning;

const UNLIMITED = new Set(["0", "4294967295", "0xffffffff", "-1"]);

/** DWORDs are written as decimals or 0x…. */
function numberOf(text: string): number | undefined {
  const value = /^\s*(?:\d{1,10}|0x[\da-f]{1,8})\s*$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

const isTrue = (text: string): boolean =>
  /^(?:true|-1|[1-9]\d{0,9}|0x0*[1-9a-f][\da-f]*)$/i.test(text.trim());

const one = (path: string, value: unknown): Meaning => [{ path: path.split("."), value }];

const number =
  (path: string, factor = 1): Reader =>
  (text) => {
    const value = numberOf(text);
    return value === undefined ? `"${text}" is no number` : one(path, value * factor);
  };

const limit =
  (path: string): Reader =>
  (text) =>
    UNLIMITED.has(text.trim().toLowerCase())
      ? `it means no limit there; here ${path} keeps its default`
      : number(path)(text);

const text =
  (path: string): Reader =>
  (value) =>
    value.trim() === "" ? [] : one(path, value.trim());

const none =
  (why: string): Reader =>
  () =>
    why;

/** ":25:" or "192.0.2.1:25:host", one per line. */
function listen(value: string): Meaning {
  const addresses: string[] = [];
  for (const entry of value.split(/[\r\n\t ]+/).filter((part) => part !== "")) {
    const match = /^([\d.]{0,15}):(\d{1,5}):/.exec(entry);
    if (match === null) return `${entry} is no ADDRESS:PORT:HOST`;
    addresses.push(`${match[1] === "" ? "0.0.0.0" : (match[1] ?? "")}:${match[2] ?? ""}`);
  }
  return addresses.length === 0 ? [] : one("listen", addresses);
}

const MINUTES = /^\s*\d{1,6}(?:\s*,\s*\d{1,6}){0,100}\s*$/;

const intervals: Reader = (value) =>
  MINUTES.test(value)
    ? one(
        "retry.intervalsMinutes",
        value.split(",").map((minutes) => Number(minutes)),
      )
    : `"${value}" is no list of minutes`;

/** Bits of SmtpInboundCommandSupportOptions (REFERENCE 3.8). */
const KEYWORD_BITS: readonly (readonly [Keyword, number])[] = [
  ["DSN", 0x40],
  ["ENHANCEDSTATUSCODES", 0x1000],
  ["CHUNKING", 0x10_0000],
  ["BINARYMIME", 0x20_0000],
  ["8BITMIME", 0x40_0000],
];
const DEFAULT_BITS = 7_697_601;

const keywords: Reader = (value) => {
  const bits = numberOf(value);
  if (bits === undefined) return `"${value}" is no number`;
  if (bits === DEFAULT_BITS) return [];
  const off = KEYWORD_BITS.filter(([, bit]) => (bits & bit) === 0).map(([keyword]) => keyword);
  return one(
    "keywords",
    DEFAULT_KEYWORDS.filter((keyword) => !off.includes(keyword)),
  );
};

const FOLDER = "Pickup, Queue, Drop and Badmail lie below mailroot";
const USERS = "users are listed in auth.users, with what `onarrival password` prints";
const OLD_RETRY = "it is of the older retry model; retry.intervalsMinutes says when";

/** By lower-case name. SmartHost, its type and the domains are read together, by server-settings.ts. */
const PROPERTIES: Readonly<Record<string, Reader>> = {
  ServerBindings: listen,
  SecureBindings: none("it needs a certificate: tls.certificate, tls.key, and the address in tls.implicit"),
  MaxConnections: limit("limits.maxConnections"),
  ConnectionTimeout: number("limits.idleTimeoutMs", 1000),
  MaxOutConnections: none("outgoing connections are limited for each next hop"),
  LimitRemoteConnections: none("outgoing connections are limited for each next hop"),
  MaxOutConnectionsPerDomain: limit("outbound.maxConnectionsPerDestination"),
  RemoteTimeout: none("next hops have a time for each step, in outbound.timeouts"),
  RemoteSmtpPort: number("delivery.port"),
  RemoteSmtpSecurePort: none("next hops are asked for STARTTLS on the ordinary port"),
  HopCount: number("limits.maxHops"),
  MaxMessageSize: limit("limits.maxMessageSize"),
  MaxSessionSize: limit("limits.maxSessionSize"),
  MaxRecipients: limit("limits.maxRecipients"),
  MaxSmtpErrors: limit("limits.maxErrors"),
  MaxBatchedMessages: limit("outbound.messagesPerConnection"),
  SmtpLocalNDRExpireMinutes: number("retry.localExpireMinutes"),
  SmtpLocalDelayExpireMinutes: number("retry.localDelayNoticeMinutes"),
  SmtpRemoteNDRExpireMinutes: number("retry.expireMinutes"),
  SmtpRemoteDelayExpireMinutes: number("retry.delayNoticeMinutes"),
  SmtpRemoteProgressiveRetry: intervals,
  SmtpRemoteRetryThreshold: number("retry.glitchRetries"),
  RemoteRetryAttempts: none(OLD_RETRY),
  RemoteRetryInterval: none(OLD_RETRY),
  LocalRetryAttempts: none(OLD_RETRY),
  LocalRetryInterval: none(OLD_RETRY),
  SmtpInboundCommandSupportOptions: keywords,
  SmtpOutboundCommandSupportOptions: none("what a next hop offers is used"),
  ShouldPipelineOut: none("PIPELINING is used where a next hop offers it"),
  EnableReverseDnsLookup: (value) => one("reverseLookup", isTrue(value)),
  FullyQualifiedDomainName: text("hostName"),
  RelayForAuth: (value) => one("relay.authenticated", isTrue(value)),
  RelayIpList: none("it is packed binary; list the networks in relay.networks"),
  AuthFlags: none(USERS),
  NTAuthenticationProviders: none(USERS),
  AccessSSLFlags: none("STARTTLS is offered with a certificate, and AUTH only behind it"),
  SmtpConnectTimeout: none("see outbound.timeouts.connectMs"),
  RouteAction: none("see delivery.startTls and delivery.auth"),
  RouteUserName: none("see delivery.auth.user"),
  RoutePassword: none("passwords are not taken from files of others: see delivery.auth.passwordFile"),
  MasqueradeDomain: none("senders are not rewritten by a setting; a sink can"),
  DoMasquerade: none("senders are not rewritten by a setting; a sink can"),
  BadMailDirectory: none(FOLDER),
  PickupDirectory: none(FOLDER),
  QueueDirectory: none(FOLDER),
  DropDirectory: none(FOLDER),
  SendBadTo: none("there is no such setting; Badmail is looked into as a folder"),
  SendNdrTo: none("there is no such setting; a sink can add a recipient to reports"),
  SmtpDotStuffPickupDirFiles: none("files of Pickup are always taken as they are"),
  ServerAutoStart: none("the system starts the service (docs/operating.md)"),
  LogType: none("see log"),
  LogPluginClsid: none("see log"),
  MaxMailObjects: none("see store.memoryBudget"),
};

const READERS = new Map(Object.entries(PROPERTIES).map(([name, reader]) => [name.toLowerCase(), reader]));

/** Undefined for a property that means nothing to a mail service. */
export function meaningOf(property: string, value: string): Meaning | undefined {
  return READERS.get(property.toLowerCase())?.(value);
}
