// Header fields as DKIM and ARC hash them (RFC 6376 §3.4.1, §3.4.2, §5.4.2), and the choice of those that are signed.
import { trimBlanks } from "../mime/header-field.ts";

export type HeaderForm = "simple" | "relaxed";

/** Name in lower case, and the field as it stands, its line ends included; one character per byte. */
export interface RawField {
  readonly name: string;
  readonly raw: string;
}

export function canonicalField(raw: string, form: HeaderForm): string {
  if (form === "simple") return raw.endsWith("\r\n") ? raw : `${raw}\r\n`;
  const colon = raw.indexOf(":");
  const value = trimBlanks(
    raw
      .slice(colon + 1)
      .replaceAll("\r\n", "")
      .replaceAll(/[ \t]+/g, " "),
  );
  return `${trimBlanks(raw.slice(0, colon)).toLowerCase()}:${value}\r\n`;
}

/** Fields that must not be signed: they are changed on the way (RFC 6376 §5.4.1), or are those of the signature chain. */
const NEVER_SIGNED = new Set([
  "return-path",
  "received",
  "bcc",
  "authentication-results",
  "arc-authentication-results",
  "arc-message-signature",
  "arc-seal",
]);

/** RFC 6376 §5.4.1. */
export const SIGNED_FIELDS: readonly string[] = [
  "from",
  "sender",
  "reply-to",
  "to",
  "cc",
  "subject",
  "date",
  "message-id",
  "in-reply-to",
  "references",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
  "content-id",
  "content-description",
  "resent-date",
  "resent-from",
  "resent-sender",
  "resent-to",
  "resent-cc",
  "resent-message-id",
  "list-id",
  "list-help",
  "list-unsubscribe",
  "list-unsubscribe-post",
  "list-subscribe",
  "list-post",
  "list-owner",
  "list-archive",
];

/** Readers show the first of these: one more of them, put above, would be shown under our signature (RFC 6376 §8.15). */
const ONE_ONLY = new Set([
  "from",
  "sender",
  "reply-to",
  "to",
  "cc",
  "subject",
  "date",
  "message-id",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
]);

export interface SignedSelection {
  /** What h= lists. */
  readonly names: readonly string[];
  /** The fields in the order in which they are hashed. */
  readonly fields: readonly string[];
}

/**
 * Those fields of `wanted` that the message has, each name as often as it is there, from the last one up, and of those that
 * may appear once one more, so that a further one breaks the signature.
 */
export function selectFields(fields: readonly RawField[], wanted: readonly string[]): SignedSelection {
  const byName = new Map<string, string[]>();
  for (const { name, raw } of fields) {
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [raw]);
    else known.push(raw);
  }
  const names: string[] = [];
  const chosen: string[] = [];
  for (const name of new Set(["from", ...wanted])) {
    const found = NEVER_SIGNED.has(name) ? undefined : byName.get(name);
    if (found === undefined) continue;
    for (const raw of found.toReversed()) {
      names.push(name);
      chosen.push(raw);
    }
    if (ONE_ONLY.has(name)) names.push(name);
  }
  return { names, fields: chosen };
}
