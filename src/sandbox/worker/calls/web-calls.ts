// Host operations behind URL and TextDecoder: Node's parsers on bounded texts. They need no message, so a script that is being
// loaded may ask, too, within a budget of its own: time in the host does not count towards the time of the load.
import type { Operation } from "./host-calls.ts";
import type { HostAnswer, HostValue } from "../isolates/isolate.ts";

const MAX_URL_CHARS = 64 * 1024;
const PARTS = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;

/** One part a line: no part of a parsed URL has a line break. */
const format = (parsed: URL): string => PARTS.map((part) => parsed[part]).join("\n");

const isBounded = (text: string | undefined): boolean => text === undefined || text.length <= MAX_URL_CHARS;

/** `part` empty: `text` is parsed against the base `value`; else the part of the URL `text` is set to `value`. */
function urlParts(part: string, text: string, value: string | undefined): HostAnswer {
  if (!isBounded(text) || !isBounded(value)) return undefined;
  const parsed = part === "" ? URL.parse(text, value) : withPart(text, part, value ?? "");
  return parsed === null ? undefined : format(parsed);
}

function withPart(text: string, part: string, value: string): URL | null {
  if (part === "href") return URL.parse(value);
  const parsed = URL.parse(text);
  const known = PARTS.find((name) => name === part);
  if (parsed !== null && known !== undefined && known !== "origin") parsed[known] = value;
  return parsed;
}

function decoder(label: string, fatal: boolean): TextDecoder | undefined {
  try {
    return new TextDecoder(label, { fatal, ignoreBOM: true });
  } catch {
    return undefined;
  }
}

function decode(options: string, label: string, bytes: Buffer): HostAnswer {
  try {
    return decoder(label, options === "fatal")?.decode(bytes);
  } catch {
    return undefined;
  }
}

const textOf = (value: HostValue): string | undefined => (value === undefined ? undefined : String(value));

function answer(operation: string, a: HostValue, b: HostValue, c: HostValue, bytes: Buffer): HostAnswer {
  if (operation === "url") return urlParts(String(a), String(b), textOf(c));
  if (operation === "encoding") return decoder(String(b), false)?.encoding;
  return operation === "decodeWeb" ? decode(String(a), String(b), bytes) : false;
}

export const webOperations: Readonly<Record<string, Operation>> = {
  url: (_call, a, b, c, bytes) => answer("url", a, b, c, bytes),
  encoding: (_call, a, b, c, bytes) => answer("encoding", a, b, c, bytes),
  decodeWeb: (call, a, b, c, bytes) =>
    call.admitCopy(bytes.length) ? answer("decodeWeb", a, b, c, bytes) : false,
};

const LOAD_CALLS = 2000;
const LOAD_BYTES = 1024 * 1024;

/** What a script may ask while it is being loaded and between messages, in one context. */
export class WebBudget {
  #calls = LOAD_CALLS;
  #bytes = LOAD_BYTES;

  serves(operation: string): boolean {
    return Object.hasOwn(webOperations, operation);
  }

  /** `false`: the budget is used up. */
  serve(operation: string, a: HostValue, b: HostValue, c: HostValue, bytes: Buffer): HostAnswer {
    this.#calls -= 1;
    this.#bytes -= (textOf(b)?.length ?? 0) + (textOf(c)?.length ?? 0) + bytes.length;
    return this.#calls < 0 || this.#bytes < 0 ? false : answer(operation, a, b, c, bytes);
  }
}
