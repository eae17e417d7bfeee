// URLSearchParams: application/x-www-form-urlencoded (WHATWG URL §5), in time linear in the text.
/* oxlint-disable typescript/no-unsafe-type-assertion -- what was asked for Symbol.iterator is iterable */
import { TextEncoder } from "./text-coding.ts";
import { decodeUtf8 } from "../utf8.ts";

type Pair = [name: string, value: string];

const PERCENT = 0x25;
const encoder = new TextEncoder();
const toUsv = (value: unknown): string => String(value).toWellFormed();

export class URLSearchParams {
  #pairs: Pair[] = [];
  #changed: ((query: string) => void) | undefined;

  constructor(init: unknown = "") {
    if (typeof init === "object" && init !== null) this.#pairs = pairsOf(init);
    else this.#pairs = parse(toUsv(init).replace(/^\?/, ""));
  }

  /** Those of a URL: a change is told to it. */
  static ofUrl(query: string, changed: (query: string) => void): URLSearchParams {
    const params = new URLSearchParams(query);
    params.#changed = changed;
    return params;
  }

  /** The URL got another query. */
  static refill(params: URLSearchParams, query: string): void {
    params.#pairs = parse(query.replace(/^\?/, ""));
  }

  #update(): void {
    this.#changed?.(this.toString());
  }

  get size(): number {
    return this.#pairs.length;
  }

  append(name: unknown, value: unknown): void {
    this.#pairs.push([toUsv(name), toUsv(value)]);
    this.#update();
  }

  delete(name: unknown, value?: unknown): void {
    const matches = matcher(name, value);
    this.#pairs = this.#pairs.filter((pair) => !matches(pair));
    this.#update();
  }

  get(name: unknown): string | null {
    return this.#pairs.find(matcher(name))?.[1] ?? null;
  }

  getAll(name: unknown): string[] {
    return this.#pairs.filter(matcher(name)).map(([, value]) => value);
  }

  has(name: unknown, value?: unknown): boolean {
    return this.#pairs.some(matcher(name, value));
  }

  /** The first of the name keeps its place, further ones go. */
  set(name: unknown, value: unknown): void {
    const matches = matcher(name);
    const first = this.#pairs.findIndex(matches);
    const pair: Pair = [toUsv(name), toUsv(value)];
    this.#pairs = this.#pairs.filter((each, at) => at === first || !matches(each));
    if (first < 0) this.#pairs.push(pair);
    else this.#pairs[first] = pair;
    this.#update();
  }

  /** By UTF-16 units of the name; equal names keep their order. */
  sort(): void {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#update();
  }

  forEach(callback: (value: string, name: string, params: URLSearchParams) => void): void {
    for (const [name, value] of this) callback(value, name, this);
  }

  *keys(): Generator<string> {
    for (const [name] of this) yield name;
  }

  *values(): Generator<string> {
    for (const [, value] of this) yield value;
  }

  *entries(): Generator<Pair> {
    for (let at = 0; at < this.#pairs.length; at++) {
      const [name, value] = this.#pairs[at] ?? ["", ""];
      yield [name, value];
    }
  }

  [Symbol.iterator](): Generator<Pair> {
    return this.entries();
  }

  toString(): string {
    return this.#pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  }
}

function matcher(name: unknown, value?: unknown): (pair: Pair) => boolean {
  const wanted = toUsv(name);
  const text = value === undefined ? undefined : toUsv(value);
  return (pair) => pair[0] === wanted && (text === undefined || pair[1] === text);
}

/** A list of pairs, or an object whose members are the pairs. */
function pairsOf(init: object): Pair[] {
  if (!(Symbol.iterator in init))
    return Object.entries(init).map(([name, value]) => [toUsv(name), toUsv(value)]);
  return Array.from(init as Iterable<unknown>, (item) => {
    const isList = typeof item === "object" && item !== null && Symbol.iterator in item;
    const pair = isList ? [...(item as Iterable<unknown>)] : [];
    if (pair.length !== 2) throw new TypeError("URLSearchParams: each item is a pair of name and value");
    return [toUsv(pair[0]), toUsv(pair[1])];
  });
}

function parse(query: string): Pair[] {
  const pairs: Pair[] = [];
  for (const item of query.split("&")) {
    if (item === "") continue;
    const equals = item.indexOf("=");
    pairs.push(
      equals < 0 ? [decode(item), ""] : [decode(item.slice(0, equals)), decode(item.slice(equals + 1))],
    );
  }
  return pairs;
}

const hexDigit = (code: number | undefined): number =>
  code === undefined ? -1 : "0123456789abcdef".indexOf(String.fromCharCode(code | (code > 0x40 ? 0x20 : 0)));

function decode(text: string): string {
  const plain = text.replaceAll("+", " ");
  if (!plain.includes("%")) return plain;
  const bytes = encoder.encode(plain);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    const high = byte === PERCENT ? hexDigit(bytes[at + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(bytes[at + 2]);
    if (low < 0) bytes[length++] = byte;
    else {
      bytes[length++] = high * 16 + low;
      at += 2;
    }
  }
  return decodeUtf8(bytes.subarray(0, length), false) ?? "";
}

function encode(text: string): string {
  if (/^[\w*.-]*$/.test(text)) return text;
  let out = "";
  for (const byte of encoder.encode(text)) {
    const character = String.fromCharCode(byte);
    if (byte === 0x20) out += "+";
    else if (byte < 0x80 && /[\w*.-]/.test(character)) out += character;
    else out += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}
