// Mailbox addresses of the envelope (RFC 5321 §4.1.2), as strings "local@domain" without angle brackets.
import { domainToASCII } from "node:url";

/** The domain in lower case, or "" when the address has none. The last @ counts: a quoted local part may hold others. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? "" : address.slice(at + 1).toLowerCase();
}

export function localPartOf(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? address : address.slice(0, at);
}

/** The @ of a quoted local part is no separator: `"a@b"` has no domain. */
export const hasDomain = (address: string): boolean =>
  address.includes("@") && !(address.startsWith('"') && address.endsWith('"'));

/** RFC 5321 §4.5.5: the reverse path `<>` is held as "". */
export const NULL_SENDER = "";

export const isNullSender = (sender: string): boolean => sender === NULL_SENDER;

/** Two spellings of one mailbox: the domain has no case; the local part is compared without case as the original did. */
export const sameMailbox = (a: string, b: string): boolean => a === b || a.toLowerCase() === b.toLowerCase();

// RFC 5321 §4.5.3.1: a local part has 64 octets, a domain 255. The original took longer local parts: only the sum is bounded.
const MAX_ADDRESS_BYTES = 320;
const DOT_ATOM_LOCAL = /^[^\s"(),:;<>@[\\\]\p{Cc}]+$/u;
const QUOTED_LOCAL = /^"(?:[^"\\\p{Cc}]|\\[^\p{Cc}])*"$/u;
const DOMAIN =
  /^(?:[\p{L}\p{N}_](?:[\p{L}\p{N}\p{M}_-]*[\p{L}\p{N}\p{M}_])?\.)*[\p{L}\p{N}_](?:[\p{L}\p{N}\p{M}_-]*[\p{L}\p{N}\p{M}_])?\.?$/u;
const ADDRESS_LITERAL = /^\[(?:(\d{1,3}(?:\.\d{1,3}){3})|IPv6:([0-9a-f:.]+))\]$/i;

/** Whether the text can stand between the angle brackets of a path and nowhere breaks out of them. */
export function isMailbox(address: string): boolean {
  if (address.length === 0 || Buffer.byteLength(address) > MAX_ADDRESS_BYTES) return false;
  const local = localPartOf(address);
  if (!DOT_ATOM_LOCAL.test(local) && !QUOTED_LOCAL.test(local)) return false;
  if (!address.includes("@")) return true;
  const domain = domainOf(address);
  return DOMAIN.test(domain) || isAddressLiteral(domain);
}

/** RFC 5321 §4.1.3. In brackets a URL has IPv6 addresses, too. */
function isAddressLiteral(domain: string): boolean {
  const [, v4, v6] = ADDRESS_LITERAL.exec(domain) ?? [];
  return v4 === undefined
    ? v6 !== undefined && domainToASCII(`[${v6}]`) !== ""
    : v4.split(".").every((part) => Number(part) <= 255);
}

/** Throws RangeError on what cannot stand in a path. */
export function requireMailbox(address: string): void {
  if (!isMailbox(address))
    throw new RangeError(`not a mailbox address: ${JSON.stringify(address.slice(0, 100))}`);
}

/** Whether the address needs SMTPUTF8 (RFC 6531) on the wire. */
// oxlint-disable-next-line no-control-regex -- ASCII is what is meant
export const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);

/** RFC 6531 §3.2: a domain has an ASCII form (A-labels), a local part has none. */
export function asciiAddress(address: string): string | undefined {
  if (isAscii(address)) return address;
  const local = localPartOf(address);
  const domain = domainToASCII(domainOf(address));
  return isAscii(local) && domain !== "" ? `${local}@${domain}` : undefined;
}
