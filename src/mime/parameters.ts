// Values with parameters (Content-Type, Content-Disposition): RFC 2045 §5.1 and RFC 2231, tolerant and linear.
import { decodeCharset, decodeUnlabelled, isAsciiText } from "./charset.ts";
import { decodeWords, singleLine } from "./encoded-words.ts";
import { DEFAULT_MIME_LIMITS } from "./limits.ts";

export interface ParameterizedValue {
  /** Lower case, without comments. */
  readonly value: string;
  /** Names in lower case; the first of a name wins. A Map, since a name may be "__proto__". */
  readonly parameters: Map<string, string>;
}

/** Where to tell what readers may understand differently. */
export interface DefectLog {
  note(defect: string): void;
}

interface Token {
  readonly text: string;
  readonly end: number;
}

/** The end of the comment that opens at `at`; comments nest (RFC 5322 §3.2.2), counted instead of recursed into. */
function skipComment(raw: string, at: number): number {
  let depth = 0;
  for (let position = at; position < raw.length; position++) {
    const char = raw[position];
    if (char === "\\") position++;
    else if (char === "(") depth++;
    else if (char === ")" && --depth === 0) return position + 1;
  }
  return raw.length;
}

const QUOTE = '"'.charCodeAt(0);
const OPENING = "(".charCodeAt(0);
const SEMICOLON = ";".charCodeAt(0);
const EQUALS = "=".charCodeAt(0);

/** Where the plain text from `at` on ends: at a quoted string, a comment, or what ends the token. */
function plainEnd(raw: string, at: number, stop: number): number {
  let position = at;
  for (; position < raw.length; position++) {
    const code = raw.charCodeAt(position);
    if (code === SEMICOLON || code === stop || code === QUOTE || code === OPENING) break;
  }
  return position;
}

/** Text up to a semicolon, or the other character that may end it; quoted strings opened, comments dropped. */
function readToken(raw: string, start: number, stop = SEMICOLON): Token {
  let position = plainEnd(raw, start, stop);
  let text = raw.slice(start, position).trim();
  let quotes = false;
  for (;;) {
    const code = raw.charCodeAt(position);
    if (code === QUOTE) {
      const quoted = readQuoted(raw, position);
      quotes = true;
      text += quoted.text;
      position = quoted.end;
    } else if (code === OPENING) position = skipComment(raw, position);
    else return { text: quotes ? text : text.trim(), end: position };
    const end = plainEnd(raw, position, stop);
    text += raw.slice(position, end).trim();
    position = end;
  }
}

function readQuoted(raw: string, start: number): Token {
  const close = raw.indexOf('"', start + 1);
  const simple = raw.slice(start + 1, close < 0 ? raw.length : close);
  if (!simple.includes("\\")) return { text: simple, end: close < 0 ? raw.length : close + 1 };
  const parts: string[] = [];
  let position = start + 1;
  for (; position < raw.length && raw[position] !== '"'; position++) {
    if (raw[position] === "\\" && position + 1 < raw.length) position++;
    parts.push(raw[position] ?? "");
  }
  return { text: parts.join(""), end: Math.min(position + 1, raw.length) };
}

/** The pieces of one RFC 2231 parameter, by their number. */
interface Section {
  readonly text: string;
  readonly encoded: boolean;
}

/** "multipart/mixed boundary=x": some readers find the boundary, so parts hidden from us would be seen by them. */
const MISSING_SEMICOLON = /^[ \t]*[^\s;()"=]+(?=[ \t]+[^\s;()"=]+[ \t]*=)/;
const PARAMETER_FOLLOWS = /[ \t]+[^\s;()"=]+[ \t]*=/y;
const SECTION_NAME = /^([^*]+)(?:\*(\d{1,6}))?(\*)?$/;

function percentDecoded(text: string): Buffer {
  if (!text.includes("%")) return Buffer.from(text, "utf8");
  // The quoted-printable decoder reads the same hexadecimal pairs behind another sign.
  const bytes: number[] = [];
  const source = Buffer.from(text, "utf8");
  for (let position = 0; position < source.length; position++) {
    const code = source[position] ?? 0;
    const pair = code === 0x25 ? source.toString("latin1", position + 1, position + 3) : "";
    if (/^[\da-f]{2}$/i.test(pair)) {
      bytes.push(Number.parseInt(pair, 16));
      position += 2;
    } else bytes.push(code);
  }
  return Buffer.from(bytes);
}

/** Sections from 0 upwards without a gap; what stands behind a gap is ignored. */
function joinSections(sections: Map<number, Section>): string {
  const bytes: Buffer[] = [];
  let charset = "utf-8";
  for (let number = 0; ; number++) {
    const section = sections.get(number);
    if (section === undefined) break;
    let text = section.text;
    if (section.encoded && number === 0) {
      // charset'language'text
      const first = text.indexOf("'");
      const second = first < 0 ? -1 : text.indexOf("'", first + 1);
      if (second >= 0) {
        charset = text.slice(0, first) || "utf-8";
        text = text.slice(second + 1);
      }
    }
    bytes.push(section.encoded ? percentDecoded(text) : Buffer.from(text, "utf8"));
  }
  const joined = Buffer.concat(bytes);
  return decodeCharset(joined, charset) ?? decodeUnlabelled(joined);
}

/**
 * Values are decoded, encoded words in them too (RFC 2047 §5 forbids these, senders write them). An RFC 2231 form wins
 * over a plain one of the same name.
 */
export function parseParameters(
  raw: string,
  maxParameters: number = DEFAULT_MIME_LIMITS.maxParameters,
  defects?: DefectLog,
): ParameterizedValue {
  const parameters = new Map<string, string>();
  const head = readHead(raw, defects);
  const sectioned = new Map<string, Map<number, Section>>();
  let position = head.end;
  for (let count = 0; position < raw.length && count < maxParameters; count++) {
    const name = readToken(raw, position + 1, EQUALS);
    position = name.end;
    if (raw[position] !== "=") continue;
    const value = readValue(raw, position + 1, defects);
    position = value.end;
    const isNew = noteParameter(parameters, sectioned, name.text.toLowerCase(), value.text);
    if (!isNew) defects?.note("A parameter is given twice: the first was taken");
  }
  if (position < raw.length) defects?.note("The parameter limit was reached: further ones were ignored");
  for (const [name, sections] of sectioned) if (sections.has(0)) parameters.set(name, joinSections(sections));
  return { value: head.text.toLowerCase(), parameters };
}

/** The value before the parameters; nothing behind its first blank belongs to it. */
function readHead(raw: string, defects: DefectLog | undefined): Token {
  const head = readToken(raw, 0);
  if (!/[ \t]/.test(head.text)) return head;
  const loose = MISSING_SEMICOLON.exec(raw);
  if (loose !== null) {
    defects?.note("A semicolon is missing before a parameter");
    return { text: loose[0].trim(), end: loose[0].length };
  }
  const [value = ""] = head.text.split(/[ \t]/, 1);
  return { text: value, end: head.end };
}

/** A quoted value ends with its quotes where another parameter follows without a semicolon. */
function readValue(raw: string, start: number, defects: DefectLog | undefined): Token {
  let at = start;
  while (raw[at] === " " || raw[at] === "\t") at++;
  if (raw[at] === '"') {
    const quoted = readQuoted(raw, at);
    if (followsAt(raw, quoted.end)) {
      defects?.note("A semicolon is missing before a parameter");
      // The closing quote stands for the separator.
      return { text: quoted.text, end: quoted.end - 1 };
    }
  }
  return readToken(raw, start);
}

function followsAt(raw: string, at: number): boolean {
  if (raw[at] !== " " && raw[at] !== "\t") return false;
  const follows = new RegExp(PARAMETER_FOLLOWS);
  follows.lastIndex = at;
  return follows.test(raw);
}

/** False when the parameter was there before. */
function noteParameter(
  parameters: Map<string, string>,
  sectioned: Map<string, Map<number, Section>>,
  name: string,
  text: string,
): boolean {
  const match = name.includes("*") ? SECTION_NAME.exec(name) : null;
  if (match === null) {
    if (name === "") return true;
    if (parameters.has(name)) return false;
    parameters.set(name, decodeWords(text));
    return true;
  }
  const [, base = "", number = "0", star] = match;
  let sections = sectioned.get(base);
  if (sections === undefined) sectioned.set(base, (sections = new Map()));
  const key = Number(number);
  if (sections.has(key)) return false;
  sections.set(key, { text, encoded: star !== undefined });
  return true;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
const PARAMETER_NAME = /^[!#$&+\-.^_`|~\w]+$/;
/** Octets of an RFC 2231 section, so that "; name*0*=" and it stay on one line. */
const SECTION_LENGTH = 54;

function percentEncoded(text: string): string[] {
  const units: string[] = [];
  for (const code of Buffer.from(text.toWellFormed(), "utf8")) {
    const char = String.fromCharCode(code);
    units.push(/[\w.-]/.test(char) ? char : `%${code.toString(16).toUpperCase().padStart(2, "0")}`);
  }
  return units;
}

function formatEncoded(name: string, text: string): string[] {
  const chunks: string[] = [];
  let chunk = "";
  for (const unit of percentEncoded(text)) {
    if (chunk.length + unit.length > SECTION_LENGTH) {
      chunks.push(chunk);
      chunk = "";
    }
    chunk += unit;
  }
  chunks.push(chunk);
  if (chunks.length === 1) return [`${name}*=utf-8''${chunk}`];
  return chunks.map((part, index) => `${name}*${index}*=${index === 0 ? "utf-8''" : ""}${part}`);
}

function formatParameter(name: string, value: string): string[] {
  const text = singleLine(value);
  if (!isAsciiText(text)) return formatEncoded(name, text);
  if (TOKEN.test(text)) return [`${name}=${text}`];
  return [`${name}="${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`];
}

export function formatParameters(parsed: ParameterizedValue): string {
  const parts = [singleLine(parsed.value)];
  for (const [name, value] of parsed.parameters) {
    if (!PARAMETER_NAME.test(name)) continue;
    parts.push(...formatParameter(name, value));
  }
  return parts.join("; ");
}
