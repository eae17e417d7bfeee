// The Received field in front of every message of a session (RFC 5321 §4.4).
import { asciiAddress } from "../../core/address.ts";

export interface TracePeer {
  readonly heloDomain: string;
  readonly address: string;
  /** Name of the address as DNS tells, when it was asked. */
  readonly reverseName: string | undefined;
  readonly hostName: string;
  readonly isExtended: boolean;
  readonly isLmtp: boolean;
  readonly isSecure: boolean;
  readonly isAuthenticated: boolean;
}

/** Fixed text of a session: made once, not per message. */
export interface TraceStart {
  readonly from: string;
  readonly protocol: string;
  readonly utf8Protocol: string;
}

export function traceStart(peer: TracePeer): TraceStart {
  const literal = peer.address.includes(":") ? `[IPv6:${peer.address}]` : `[${peer.address}]`;
  const tcp = peer.reverseName === undefined ? literal : `${headerWord(peer.reverseName)} ${literal}`;
  const suffix = `${peer.isSecure ? "S" : ""}${peer.isAuthenticated ? "A" : ""}`;
  return {
    from: `Received: from ${headerWord(peer.heloDomain)} (${tcp})\r\n\tby ${peer.hostName} with `,
    // RFC 3848; HELO knows no variants of SMTP.
    protocol: peer.isExtended ? `${peer.isLmtp ? "LMTP" : "ESMTP"}${suffix}` : "SMTP",
    // RFC 6531 §4.3.
    utf8Protocol: `UTF8${peer.isLmtp ? "LMTP" : "SMTP"}${suffix}`,
  };
}

export const protocolOf = ({ protocol, utf8Protocol }: TraceStart, isUtf8: boolean): string =>
  isUtf8 ? utf8Protocol : protocol;

/** `recipient` is told only when it is the single one: the others are nobody's business (RFC 5321 §7.2). */
export function traceField(
  start: TraceStart,
  isUtf8: boolean,
  id: string,
  recipient: string | undefined,
  date: string,
): Buffer {
  const target = recipient === undefined ? "" : `\r\n\tfor <${isUtf8 ? plainest(recipient) : recipient}>`;
  const field = `${start.from}${protocolOf(start, isUtf8)} id ${id}${target};\r\n\t${date}\r\n`;
  return Buffer.from(field, "utf8");
}

/** RFC 6531 §3.7.3: with A-labels where they suffice, else a field of ours would keep the message from hosts without SMTPUTF8. */
const plainest = (address: string): string => asciiAddress(address) ?? address;

/** What a stranger wrote, as one word that cannot end the field or open a comment. */
const headerWord = (text: string): string => text.replaceAll(/[^\w.:[\]-]/g, "?");
