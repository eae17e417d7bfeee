// The settings of one inbound virtual server, with their defaults. The composition root fills them in.
import type { LockoutSettings } from "./authentication/auth-lockout.ts";
import type { AccessTokenSettings } from "./authentication/access-token.ts";
import type { BareLineEndingPolicy } from "./data-collector.ts";
import type { RemoteDomainRight } from "./relay-rule.ts";
import { DEFAULT_KEYWORDS, type Keyword } from "../../core/esmtp-keywords.ts";

export interface ListenAddress {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

export interface TlsSettings {
  /** PEM text, the chain included. */
  readonly certificate: string;
  /** PEM text. */
  readonly key: string;
  /** Addresses where the session starts inside TLS (RFC 8314). */
  readonly implicit: readonly ListenAddress[];
  /** Mail comes inside TLS or not at all. */
  readonly required?: boolean | undefined;
}

export interface AuthSettings {
  /** User name to `scrypt$N$r$p$salt$hash`. Without users AUTH is not offered. */
  readonly users: Readonly<Record<string, string>>;
  /** Those that may be offered; absent: all. */
  readonly mechanisms?: readonly string[] | undefined;
  /** Whether mail is taken from clients that did not authenticate; absent: yes. */
  readonly anonymous?: boolean | undefined;
  /** XOAUTH2 is offered when they are there. */
  readonly accessTokens?: AccessTokenSettings | undefined;
  /** Offer AUTH outside TLS, where passwords can be read on the way. */
  readonly allowPlaintext: boolean;
  /** The session ends after so many failed attempts. */
  readonly maxFailures: number;
  /** Of AUTH and of each answer, CRLF included, when it is more than `maxCommandLength` (RFC 4954 §4). */
  readonly maxLineLength: number;
  /** How long the reply to a failed attempt is held back. */
  readonly failureDelayMs: number;
  /** Of one address, over all its sessions. */
  readonly lockout: LockoutSettings;
}

/** Addresses and networks of the programs in front of us. */
export interface TrustSettings {
  /** Begin each connection with a header of the PROXY protocol; from them it is required. */
  readonly proxy: readonly string[];
  /** May give XCLIENT: name, address, HELO and user of the client count from then on. */
  readonly xclient: readonly string[];
  /** May give XFORWARD: the same for the record only. */
  readonly xforward: readonly string[];
}

export interface SmtpServerSettings {
  /** Name of the virtual server, as told in `Origin.server`. */
  readonly name: string;
  /** Our name in the greeting, in EHLO and in trace fields. */
  readonly hostName: string;
  /** LMTP (RFC 2033) is for handing over to a mail store: LHLO, and a reply per recipient at the end of data. */
  readonly protocol: "smtp" | "lmtp";
  /** What is offered and served. */
  readonly keywords: readonly Keyword[];
  readonly listen: readonly ListenAddress[];
  readonly tls?: TlsSettings | undefined;
  readonly auth: AuthSettings;
  /** Domains we take mail for without any right to relay. */
  readonly localDomains: readonly string[];
  /** Domains of others; some of them we take mail for from everybody. */
  readonly remoteDomains?: readonly RemoteDomainRight[] | undefined;
  /** Added to addresses without a domain. */
  readonly defaultDomain: string;
  /** Addresses ("192.0.2.1") and networks ("10.0.0.0/8", "fd00::/8") that may relay. */
  readonly relayNetworks: readonly string[];
  /** `except`: they may not, and everybody else may. */
  readonly relayMode?: "only" | "except" | undefined;
  /** Authenticated clients may relay. */
  readonly relayAuthenticated: boolean;
  /** Who may name the client that it speaks for. */
  readonly trust: TrustSettings;
  /** Domains whose clients may ask by ETRN for the mail that waits for them (RFC 1985). */
  readonly etrnDomains: readonly string[];
  /** Wait before the greeting; a client that talks into it is turned away. */
  readonly greetDelayMs: number;
  /** Look up the name of the client's address for the trace field. */
  readonly reverseLookup: boolean;
  /** Content with a CR or LF that is not part of a CRLF. */
  readonly bareLineEndings: BareLineEndingPolicy;
  readonly maxCommandLength: number;
  readonly maxMessageSize: number;
  /** Per transaction. */
  readonly maxRecipients: number;
  /** Bytes of content in one session. */
  readonly maxSessionSize: number;
  /** 0 is no limit. */
  readonly maxConnections: number;
  /** 0 is no limit. */
  readonly maxConnectionsPerAddress: number;
  readonly idleTimeoutMs: number;
  /** Bytes per second that content must reach on average after `dataRateGraceMs`; 0 is no limit. */
  readonly minDataRate: number;
  readonly dataRateGraceMs: number;
  /** Received fields of a message. */
  readonly maxHops: number;
  /** Refused commands in one session. */
  readonly maxErrors: number;
  /** EHLO, NOOP, RSET, VRFY and the like without content in between; each one more counts as an error. */
  readonly maxJunkCommands: number;
  /** Messages up to this size stay in memory; larger ones go through a spool file. */
  readonly inlineBytes: number;
}

const MIB = 1024 * 1024;

export const defaultSmtpServerSettings: SmtpServerSettings = {
  name: "default",
  hostName: "localhost",
  protocol: "smtp",
  keywords: DEFAULT_KEYWORDS,
  listen: [],
  tls: undefined,
  auth: {
    users: {},
    allowPlaintext: false,
    maxFailures: 3,
    maxLineLength: 12_288,
    failureDelayMs: 1000,
    lockout: { failures: 20, minutes: 15 },
  },
  localDomains: [],
  defaultDomain: "localhost",
  relayNetworks: [],
  relayAuthenticated: true,
  trust: { proxy: [], xclient: [], xforward: [] },
  etrnDomains: [],
  greetDelayMs: 0,
  reverseLookup: false,
  bareLineEndings: "reject",
  maxCommandLength: 4096,
  maxMessageSize: 32 * MIB,
  maxRecipients: 100,
  maxSessionSize: 256 * MIB,
  maxConnections: 1000,
  maxConnectionsPerAddress: 0,
  idleTimeoutMs: 600_000,
  minDataRate: 0,
  dataRateGraceMs: 60_000,
  maxHops: 30,
  maxErrors: 20,
  maxJunkCommands: 100,
  inlineBytes: MIB,
};
