// The attributes of XCLIENT and XFORWARD: what a trusted proxy says of the client behind it (Postfix's XCLIENT_README, XFORWARD_README).
import { isIP } from "node:net";
import { canonicalAddress } from "./networks.ts";

export const XCLIENT_ATTRIBUTES = [
  "NAME",
  "ADDR",
  "PORT",
  "PROTO",
  "HELO",
  "LOGIN",
  "DESTADDR",
  "DESTPORT",
] as const;
export const XFORWARD_ATTRIBUTES = ["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"] as const;

/** Undefined values: the proxy says that it does not know. */
export type ClientAttributes = ReadonlyMap<string, string | undefined>;

const MAX_VALUE_CHARS = 255;
const UNKNOWN = new Set(["[UNAVAILABLE]", "[TEMPUNAVAIL]"]);
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const UNSAFE = /[\x00-\x20\x7f-\x9f\ufffd]/;

/** Undefined for what is malformed: an unknown name, a bad value, nothing at all. */
export function parseClientAttributes(
  argument: string,
  known: readonly string[],
): ClientAttributes | undefined {
  const attributes = new Map<string, string | undefined>();
  for (const word of argument.split(" ")) {
    if (word === "") continue;
    const equals = word.indexOf("=");
    const name = word.slice(0, Math.max(0, equals)).toUpperCase();
    const value = decodeXtext(word.slice(equals + 1));
    if (!known.includes(name) || value === undefined || !isValid(name, value)) return undefined;
    attributes.set(
      name,
      UNKNOWN.has(value.toUpperCase()) ? undefined : canonicalAddress(withoutPrefix(value)),
    );
  }
  return attributes.size === 0 ? undefined : attributes;
}

/** RFC 3461 §4, read to the letter by the proxies that send it: +HH, everything else as it is. */
function decodeXtext(text: string): string | undefined {
  if (/\+(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const bytes = text.replaceAll(/\+([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const value = Buffer.from(bytes, "latin1").toString("utf8");
  return value === "" || value.length > MAX_VALUE_CHARS || UNSAFE.test(value) ? undefined : value;
}

function isValid(name: string, value: string): boolean {
  if (UNKNOWN.has(value.toUpperCase())) return true;
  switch (name) {
    case "ADDR":
    case "DESTADDR":
      return isIP(withoutPrefix(value)) !== 0;
    case "PORT":
    case "DESTPORT":
      return /^\d{1,5}$/.test(value) && Number(value) < 65_536;
    case "PROTO":
      // Relays tell the word of their Received field: "UTF8SMTPSA" (RFC 6531 §4.3).
      return /^[A-Z\d]{1,64}$/i.test(value);
    case "SOURCE":
      return /^(?:LOCAL|REMOTE)$/i.test(value);
    default:
      return true;
  }
}

/** Postfix writes IPv6 addresses as in address literals. */
const withoutPrefix = (value: string): string => (/^IPV6:/i.test(value) ? value.slice(5) : value);
