// Header values to text and back: address lists and the choice of codec by field name.
import { asciiAddress, isMailbox } from "../core/address.ts";
import { isAsciiText } from "./charset.ts";
import { decodeWords, encodePhrase, encodeText, singleLine } from "./encoded-words.ts";
import { formatParameters, parseParameters } from "./parameters.ts";

/** A piece of an address list between top-level separators, and the separator that follows it. */
interface ListSegment {
  readonly text: string;
  readonly separator: string;
}

/** What may matter to the structure of a list; all else is skipped natively. */
const LIST_MARK = /\\|[()"<>,;:]/g;

/** Splits at the commas, colons and semicolons outside quotes, comments and angle brackets. */
function splitList(text: string): ListSegment[] {
  const segments: ListSegment[] = [];
  let start = 0;
  let comment = 0;
  let inside: "" | '"' | "<" = "";
  let escaped = -1;
  for (const { 0: char, index } of text.matchAll(LIST_MARK)) {
    if (index === escaped) continue;
    if (char === "\\") escaped = index + 1;
    else if (inside === '"') inside = char === '"' ? "" : inside;
    else if (char === "(" || char === ")") comment = Math.max(comment + (char === "(" ? 1 : -1), 0);
    else if (comment > 0) continue;
    else if (char === '"' || char === "<") inside = char;
    else if (char === ">") inside = "";
    else if (inside === "") {
      segments.push({ text: text.slice(start, index), separator: char });
      start = index + 1;
    }
  }
  segments.push({ text: text.slice(start), separator: "" });
  return segments;
}

/** `rest`: what is no display name and no name of a group. */
function mapPhrases(
  text: string,
  phrase: (name: string) => string,
  rest: (addresses: string) => string,
): string {
  const mapped: string[] = [];
  for (const segment of splitList(text)) {
    const angle = segment.text.lastIndexOf("<");
    const isGroupName = segment.separator === ":";
    const nameEnd = angle >= 0 ? angle : isGroupName ? segment.text.length : 0;
    const name = segment.text.slice(0, nameEnd);
    const bare = name.trim();
    const lead = name.slice(0, name.length - name.trimStart().length);
    const gap = bare !== "" && angle >= 0 ? " " : "";
    mapped.push(
      bare === "" ? rest(segment.text) : lead + phrase(bare) + gap + rest(segment.text.slice(nameEnd)),
      segment.separator,
    );
  }
  return mapped.join("");
}

const unquoted = (name: string): string =>
  name.length > 1 && name.startsWith('"') && name.endsWith('"')
    ? name.slice(1, -1).replaceAll(/\\(.)/g, "$1")
    : name;

/** The start of a comment up to what nests in it, or a word of an address. What is not closed ends with the text, so this is linear. */
const ADDRESS_PIECE = /\((?<comment>(?:[^()\\]|\\.)*)|(?:"(?:[^"\\]|\\.)*"?|[^\s<>()"])+/g;

/** Comments become encoded words (RFC 2047 §5 (2)), domains A-labels; a local part has no form but UTF-8 (RFC 6532 §3.2). */
function encodeAddresses(text: string): string {
  if (isAsciiText(text)) return text;
  return text.replaceAll(ADDRESS_PIECE, (piece: string, comment: string | undefined) => {
    if (isAsciiText(piece)) return piece;
    if (comment !== undefined) return `(${encodePhrase(comment)}`;
    return isMailbox(piece) ? (asciiAddress(piece) ?? piece) : piece;
  });
}

/** Where it is not ASCII. Of what comes out only local parts, and what is no address, are not. */
export function encodeAddressList(text: string): string {
  const line = singleLine(text);
  if (isAsciiText(line)) return line;
  return mapPhrases(
    line,
    (name) => (isAsciiText(name) ? name : encodePhrase(unquoted(name))),
    encodeAddresses,
  );
}

const SPECIALS = /[()<>[\]:;@\\,."]/;

/** Display names decoded; one that now holds a special character is quoted, so that it cannot pass for an address. */
export function decodeAddressList(raw: string): string {
  if (!raw.includes("=?")) return raw;
  return mapPhrases(
    raw,
    (name) => {
      const decoded = singleLine(decodeWords(name));
      if (decoded === name || !SPECIALS.test(decoded)) return decoded;
      return `"${unquoted(decoded).replaceAll(/["\\]/g, String.raw`\$&`)}"`;
    },
    (addresses) => addresses,
  );
}

const ADDRESS_FIELDS =
  /^(?:resent-)?(?:from|to|cc|bcc|sender|reply-to)$|^disposition-notification-to$|^return-receipt-to$/i;
/** Whether the field holds an address list. */
export const isAddressField = (name: string): boolean => ADDRESS_FIELDS.test(name);
const PARAMETER_FIELDS = /^content-(?:type|disposition)$/i;

/**
 * A value with non-ASCII text in the form its field takes. RFC 6532 is not assumed, the next hop may lack SMTPUTF8: what is not
 * ASCII afterwards has no other form than UTF-8.
 */
export function encodeHeaderValue(name: string, value: string): string {
  if (isAsciiText(value)) return value;
  if (isAddressField(name)) return encodeAddressList(value);
  if (PARAMETER_FIELDS.test(name)) return formatParameters(parseParameters(value));
  return encodeText(value);
}
