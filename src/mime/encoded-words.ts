// Encoded words (RFC 2047): "=?utf-8?Q?..?=" to text and text to encoded words.
import libmime from "libmime";
import { decodeCharset, isAsciiText } from "./charset.ts";
import { decodeTransferEncoding } from "./transfer-encoding.ts";

// RFC 2047 §2 allows 75 characters; 52 leave room for the field name on the first line.
const MAX_WORD_LENGTH = 52;
// No class can run over the "?" that opens the next candidate, so the search is linear in hostile input too.
const ENCODED_WORD = /=\?([^?\s]{1,64})\?([bq])\?([^?\r\n]*)\?=/gi;
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

function decodeWordBytes(encoding: string, text: string): Buffer {
  if (encoding === "b" || encoding === "B")
    return decodeTransferEncoding(Buffer.from(text, "latin1"), "base64");
  // RFC 2047 §4.2: "_" is a space whatever the charset.
  return decodeTransferEncoding(Buffer.from(text.replaceAll("_", "=20"), "utf8"), "quoted-printable");
}

const decodeRun = (raw: string, run: WordRun): string =>
  decodeCharset(Buffer.concat(run.bytes), run.charset) ?? raw.slice(run.start, run.end);

/** Neighbouring words of one charset are decoded together, as senders split characters between them. */
export function decodeWords(raw: string): string {
  if (!raw.includes("=?")) return raw;
  const runs: WordRun[] = [];
  for (const match of raw.matchAll(ENCODED_WORD)) {
    const [whole, label = "", encoding = "", text = ""] = match;
    // RFC 2231 §5: a language may follow the charset.
    const charset = (label.split("*", 1)[0] ?? "").toLowerCase();
    const bytes = decodeWordBytes(encoding, text);
    const end = match.index + whole.length;
    const run = runs.at(-1);
    if (run?.charset === charset && isOnlyBlanks(raw.slice(run.end, match.index))) {
      run.bytes.push(bytes);
      run.end = end;
    } else runs.push({ charset, bytes: [bytes], start: match.index, end });
  }
  return joinRuns(raw, runs);
}

function joinRuns(raw: string, runs: readonly WordRun[]): string {
  const parts: string[] = [];
  let position = 0;
  for (const run of runs) {
    const gap = raw.slice(position, run.start);
    // RFC 2047 §6.2: blanks between encoded words are not shown.
    if (position === 0 || !isOnlyBlanks(gap)) parts.push(gap);
    parts.push(decodeRun(raw, run));
    position = run.end;
  }
  parts.push(raw.slice(position));
  return parts.join("");
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
