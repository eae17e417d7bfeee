// The parameters of delivery status notifications (RFC 3461 §4), and AUTH= in the same coding, decoded. Each answers undefined for a value it refuses.
import type { NotifyCondition } from "../../core/envelope.ts";

/** RFC 3461 §4.4 and §4.2: lengths of the encoded values. */
const MAX_ENVELOPE_ID = 100;
const MAX_ORIGINAL_RECIPIENT = 500;

/** RFC 3461 §4: "+" and "=" are only allowed as hex escapes, which are in upper case. */
const XTEXT = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})+$/;
/** RFC 6533 §3: utf-8-addr-unitext adds the characters above ASCII. */
const UNITEXT = /^(?:[!-*,-<>-~\u00a0-\u{10ffff}]|\+[0-9A-F]{2})+$/u;
const ADDRESS_TYPE = /^[a-z0-9!#$%&'*/?^_`{|}~-]+$/i;
const UTF8_ESCAPE = /\\x\{([0-9A-F]{2,6})\}/gi;
const CONTROL = /\p{Cc}/u;

/** What an escape stands for is printable ASCII (RFC 3461 §4.2, §4.4): control characters (`+0D+0A`) would end up in reports and logs. */
const UNPRINTABLE_ESCAPE = /\+(?:[0189A-F][0-9A-F]|7F)/;

function decodeXtext(value: string, pattern: RegExp): string | undefined {
  if (!pattern.test(value) || UNPRINTABLE_ESCAPE.test(value)) return undefined;
  return value.replaceAll(/\+([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

export function parseEnvelopeId(value: string | undefined): string | undefined {
  if (value === undefined || value.length > MAX_ENVELOPE_ID) return undefined;
  return decodeXtext(value, XTEXT);
}

/** RFC 4954 §5. */
export function parseSubmitter(value: string | undefined): string | undefined {
  if (value === undefined || value.length > MAX_ORIGINAL_RECIPIENT) return undefined;
  return decodeXtext(value, XTEXT);
}

export function parseReturnContent(value: string | undefined): "FULL" | "HDRS" | undefined {
  const wanted = value?.toUpperCase();
  return wanted === "FULL" || wanted === "HDRS" ? wanted : undefined;
}

export function parseNotify(value: string | undefined): readonly NotifyCondition[] | undefined {
  if (value === undefined) return undefined;
  const conditions: NotifyCondition[] = [];
  for (const word of value.toUpperCase().split(",")) {
    if (word !== "NEVER" && word !== "SUCCESS" && word !== "FAILURE" && word !== "DELAY") return undefined;
    if (!conditions.includes(word)) conditions.push(word);
  }
  // RFC 3461 §4.1: NEVER stands alone.
  return conditions.includes("NEVER") && value.length > "NEVER".length ? undefined : conditions;
}

export function parseOriginalRecipient(value: string | undefined): string | undefined {
  if (value === undefined || value.length > MAX_ORIGINAL_RECIPIENT) return undefined;
  const separator = value.indexOf(";");
  const type = value.slice(0, separator);
  if (separator < 1 || !ADDRESS_TYPE.test(type)) return undefined;
  const isUtf8 = type.toLowerCase() === "utf-8";
  const decoded = decodeXtext(value.slice(separator + 1), isUtf8 ? UNITEXT : XTEXT);
  if (decoded === undefined) return undefined;
  const address = isUtf8 ? decodeUtf8Address(decoded) : decoded;
  return address === undefined ? undefined : `${type};${address}`;
}

/** RFC 6533 §3: `\x{HEX}` stands for a code point. */
function decodeUtf8Address(value: string): string | undefined {
  for (const [, hex = ""] of value.matchAll(UTF8_ESCAPE)) {
    if (Number.parseInt(hex, 16) > 0x10_ffff) return undefined;
  }
  const decoded = value.replaceAll(UTF8_ESCAPE, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
  return CONTROL.test(decoded) ? undefined : decoded;
}
