// What the peer's EHLO reply offers (RFC 5321 §4.1.1.1).
import { OUTBOUND_KEYWORDS, type OutboundKeyword } from "../../core/esmtp-keywords.ts";
import type { Lie } from "./outbound-job.ts";
import type { PeerReply } from "./reply-reader.ts";

export interface PeerExtensions {
  readonly pipelining: boolean;
  /** RFC 1870: undefined when not offered, 0 when offered without a limit. */
  readonly maxSize: number | undefined;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
  readonly dsn: boolean;
  /** RFC 3030: BDAT, and with it bodies of any bytes. */
  readonly chunking: boolean;
  readonly binaryMime: boolean;
  /** RFC 8689 §4: offered, and over TLS to a host that is proven to be the one meant. */
  readonly requireTls: boolean;
  /** LMTP to a program of this machine: nothing travels that TLS could protect. */
  readonly staysHere: boolean;
  /** Attributes that XFORWARD may carry. */
  readonly xforward: readonly string[];
  readonly startTls: boolean;
  /** SASL mechanisms in upper case. */
  readonly auth: readonly string[];
  /** We have proven who we are. */
  readonly isAuthenticated: boolean;
}

/** After HELO, or when a peer refuses the parameters of what it offered. */
export const NO_EXTENSIONS: PeerExtensions = {
  pipelining: false,
  maxSize: undefined,
  eightBitMime: false,
  smtpUtf8: false,
  dsn: false,
  chunking: false,
  binaryMime: false,
  requireTls: false,
  staysHere: false,
  xforward: [],
  startTls: false,
  auth: [],
  isAuthenticated: false,
};

/** What of it is left for a message that found the peer to be lying. */
export function leftFor({ noChunks, noPipelining }: Lie, offered: PeerExtensions): PeerExtensions {
  if (noChunks !== true && noPipelining !== true) return offered;
  return {
    ...offered,
    chunking: offered.chunking && noChunks !== true,
    binaryMime: offered.binaryMime && noChunks !== true,
    pipelining: offered.pipelining && noPipelining !== true,
  };
}

export interface PeerTrust {
  /** TLS, and the host is proven to be the one meant. */
  readonly verified: boolean;
  readonly staysHere: boolean;
}

/** `wanted`: of those that may be switched off, the ones that are on; absent: all. */
export function parseExtensions(
  ehlo: PeerReply,
  { verified, staysHere }: PeerTrust,
  wanted?: ReadonlySet<OutboundKeyword>,
): PeerExtensions {
  const offered = new Map<string, string[]>();
  for (const line of ehlo.lines.slice(1)) {
    // "AUTH=LOGIN" is the spelling of old peers.
    const [keyword = "", ...parameters] = line.trim().toUpperCase().split(/[ =]+/);
    const optional = OUTBOUND_KEYWORDS.find((one) => one === keyword);
    if (wanted !== undefined && optional !== undefined && !wanted.has(optional)) continue;
    offered.set(keyword, [...(offered.get(keyword) ?? []), ...parameters]);
  }
  return {
    pipelining: offered.has("PIPELINING"),
    maxSize: sizeLimit(offered.get("SIZE")),
    eightBitMime: offered.has("8BITMIME"),
    smtpUtf8: offered.has("SMTPUTF8"),
    dsn: offered.has("DSN"),
    chunking: offered.has("CHUNKING"),
    binaryMime: offered.has("BINARYMIME"),
    requireTls: verified && offered.has("REQUIRETLS"),
    staysHere,
    xforward: offered.get("XFORWARD") ?? [],
    startTls: offered.has("STARTTLS"),
    auth: offered.get("AUTH") ?? [],
    isAuthenticated: false,
  };
}

function sizeLimit(parameters: readonly string[] | undefined): number | undefined {
  if (parameters === undefined) return undefined;
  const limit = Number(parameters[0] ?? "0");
  return Number.isSafeInteger(limit) && limit > 0 ? limit : 0;
}
