// Header values to text and back: address lists and the choice of codec by field name.
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

function mapPhrases(text: string, phrase: (name: string) => string): string {
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
      bare === "" ? segment.text : lead + phrase(bare) + gap + segment.text.slice(nameEnd),
      segment.separator,
    );
  }
  return mapped.join("");
}

const unquoted = (name: string): string =>
  name.length > 1 && name.startsWith('"') && name.endsWith('"')
    ? name.slice(1, -1).replaceAll(/\\(.)/g, "$1")
    : name;

/** Display names become encoded words where they are not ASCII; addr-specs are left as they are. */
export function encodeAddressList(text: string): string {
  const line = singleLine(text);
  if (isAsciiText(line)) return line;
  return mapPhrases(line, (name) => (isAsciiText(name) ? name : encodePhrase(unquoted(name))));
}

const SPECIALS = /[()<>[\]:;@\\,."]/;

/** Display names decoded; one that now holds a special character is quoted, so that it cannot pass for an address. */
export function decodeAddressList(raw: string): string {
  if (!raw.includes("=?")) return raw;
  return mapPhrases(raw, (name) => {
    const decoded = singleLine(decodeWords(name));
    if (decoded === name || !SPECIALS.test(decoded)) return decoded;
    return `"${unquoted(decoded).replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  });
}

const ADDRESS_FIELDS =
  /^(?:resent-)?(?:from|to|cc|bcc|sender|reply-to)$|^disposition-notification-to$|^return-receipt-to$/i;
const PARAMETER_FIELDS = /^content-(?:type|disposition)$/i;

/** A value with non-ASCII text in the form its field takes (RFC 6532 is not assumed: the next hop may lack SMTPUTF8). */
export function encodeHeaderValue(name: string, value: string): string {
  if (isAsciiText(value)) return value;
  if (ADDRESS_FIELDS.test(name)) return encodeAddressList(value);
  if (PARAMETER_FIELDS.test(name)) return formatParameters(parseParameters(value));
  return encodeText(value);
}
