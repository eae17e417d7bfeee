// Encoded words (RFC 2047): "=?utf-8?Q?..?=" to text and text to encoded words.
import libmime from "libmime";
import { decodeCharset, isAsciiText } from "./charset.ts";
import { hexOctet } from "./quoted-printable.ts";
import { decodeTransferEncoding } from "./transfer-encoding.ts";

// RFC 2047 §2 allows 75 characters; 52 leave room for the field name on the first line.
const MAX_WORD_LENGTH = 52;
const MAX_LABEL_LENGTH = 64;
const UNDERSCORE = 0x5f;
const EQUALS = 0x3d;
const SPACE = 0x20;
const LINE_BREAK = /[\r\n]/;
const NO_BYTES = Buffer.alloc(0);
const BLANKS = /^[ \t\r\n]*$/;
const isOnlyBlanks = (text: string): boolean => BLANKS.test(text);
// oxlint-disable-next-line no-control-regex -- control characters are what is meant
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]+/g;

interface WordRun {
  charset: string;
  bytes: Buffer[];
  /** The words as they stand, for a charset that nobody knows. */
  start: number;
  end: number;
}

/** "=?label?encoding?text?=" at a place of a header value. */
interface EncodedWord {
  readonly start: number;
  readonly end: number;
  readonly charset: string;
  readonly isBase64: boolean;
  readonly text: string;
}

/** The next word at or behind `from`: a search by hand, since every subject that is not plain ASCII goes through it. */
function nextWord(raw: string, from: number): EncodedWord | undefined {
  for (let start = raw.indexOf("=?", from); start >= 0; start = raw.indexOf("=?", start + 1)) {
    const labelEnd = raw.indexOf("?", start + 2);
    // No later candidate has what this one lacks.
    if (labelEnd < 0) return undefined;
    const textStart = labelEnd + 3;
    if (raw[labelEnd + 2] !== "?") continue;
    const textEnd = raw.indexOf("?", textStart);
    if (textEnd < 0) return undefined;
    const label = raw.slice(start + 2, labelEnd);
    const text = raw.slice(textStart, textEnd);
    const encoding = raw[labelEnd + 1];
    const isBase64 = encoding === "b" || encoding === "B";
    if (
      raw[textEnd + 1] === "=" &&
      (isBase64 || encoding === "q" || encoding === "Q") &&
      isLabel(label) &&
      !LINE_BREAK.test(text)
    )
      return { start, end: textEnd + 2, charset: charsetOf(label), isBase64, text };
  }
  return undefined;
}

const isLabel = (label: string): boolean =>
  label !== "" && label.length <= MAX_LABEL_LENGTH && !/\s/.test(label);

/** RFC 2231 §5: a language may follow the charset. */
function charsetOf(label: string): string {
  const language = label.indexOf("*");
  return (language < 0 ? label : label.slice(0, language)).toLowerCase();
}

function decodeWordBytes({ isBase64, text }: EncodedWord): Buffer {
  if (isBase64) return decodeTransferEncoding(Buffer.from(text, "utf8"), "base64");
  return (
    decodePlainQ(text) ??
    decodeTransferEncoding(Buffer.from(text.replaceAll("_", "=20"), "utf8"), "quoted-printable")
  );
}

/** The Q encoding as RFC 2047 §4.2 has it, in one pass; undefined for a text that needs tolerance. */
function decodePlainQ(text: string): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(text.length);
  let written = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= SPACE || code > 0x7e) return undefined;
    if (code === UNDERSCORE) bytes[written++] = SPACE;
    else if (code === EQUALS) {
      const octet = hexOctet(text.charCodeAt(at + 1), text.charCodeAt(at + 2));
      if (octet < 0) return undefined;
      bytes[written++] = octet;
      at += 2;
    } else bytes[written++] = code;
  }
  return bytes.subarray(0, written);
}

const decodeRun = (raw: string, { bytes, charset, start, end }: WordRun): string => {
  const [first = NO_BYTES] = bytes;
  return decodeCharset(bytes.length === 1 ? first : Buffer.concat(bytes), charset) ?? raw.slice(start, end);
};

/** Neighbouring words of one charset are decoded together, as senders split characters between them. */
export function decodeWords(raw: string): string {
  let word = nextWord(raw, 0);
  if (word === undefined) return raw;
  const runs: WordRun[] = [];
  for (; word !== undefined; word = nextWord(raw, word.end)) {
    const { start, end, charset } = word;
    const run = runs.at(-1);
    const bytes = decodeWordBytes(word);
    if (run?.charset === charset && isOnlyBlanks(raw.slice(run.end, start))) {
      run.bytes.push(bytes);
      run.end = end;
    } else runs.push({ charset, bytes: [bytes], start, end });
  }
  return joinRuns(raw, runs);
}

function joinRuns(raw: string, runs: readonly WordRun[]): string {
  let text = "";
  let position = 0;
  for (const run of runs) {
    // RFC 2047 §6.2: blanks between encoded words are not shown.
    if (position === 0 || !isOnlyBlanks(raw.slice(position, run.start)))
      text += raw.slice(position, run.start);
    text += decodeRun(raw, run);
    position = run.end;
  }
  return text + raw.slice(position);
}

/** The text as one line: what could end a header line becomes a blank. */
export const singleLine = (text: string): string => text.toWellFormed().replaceAll(CONTROLS, " ");

/** An unstructured value: ASCII stays, else everything from the first to the last non-ASCII word is encoded. */
export function encodeText(text: string): string {
  const line = singleLine(text);
  if (isAsciiText(line)) return line;
  const words = line.split(" ");
  const first = words.findIndex((word) => !isAsciiText(word));
  const last = words.findLastIndex((word) => !isAsciiText(word));
  const encoded = libmime.encodeWord(words.slice(first, last + 1).join(" "), "Q", MAX_WORD_LENGTH);
  return [...words.slice(0, first), encoded, ...words.slice(last + 1)].join(" ");
}

/** A display name: one phrase of encoded words, so that no special character is left outside (RFC 2047 §5 (3)). */
export const encodePhrase = (text: string): string =>
  libmime.encodeWord(singleLine(text), "Q", MAX_WORD_LENGTH);
