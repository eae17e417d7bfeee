// TextDecoder (WHATWG Encoding). UTF-8 and windows-1252, which Latin-1 and ASCII are labels of, are decoded here; the host
// decodes all other encodings.
import { bytesOver } from "../bytes.ts";
import { decodeUtf8, wholeLength } from "../utf8.ts";
import type { WebHost } from "./web-host.ts";
import { cut } from "../contract.ts";

/** Labels that cost no question to the host. */
const LOCAL_LABELS: Readonly<Record<string, string>> = {
  "utf-8": "utf-8",
  utf8: "utf-8",
  latin1: "windows-1252",
  "iso-8859-1": "windows-1252",
  "us-ascii": "windows-1252",
  ascii: "windows-1252",
  "windows-1252": "windows-1252",
};
/** Of windows-1252 what differs from Latin-1: 0x80 to 0x9f. */
const WINDOWS_1252 =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
const WITH_MARK = new Set(["utf-8", "utf-16le", "utf-16be"]);

interface Options {
  readonly fatal?: unknown;
  readonly ignoreBOM?: unknown;
}

export interface TextDecoderClass {
  new (label?: unknown, options?: Options): Decoder;
  readonly prototype: object;
}

abstract class Decoder {
  readonly #web: WebHost;
  readonly #encoding: string;
  readonly #fatal: boolean;
  readonly #ignoresMark: boolean;
  /** Of a stream: bytes that are not decoded yet, and whether its beginning was. */
  #pending = new Uint8Array();
  #hasBegun = false;

  constructor(web: WebHost, label: unknown, options: Options) {
    const name = String(label)
      .replaceAll(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "")
      .toLowerCase();
    const encoding = Object.hasOwn(LOCAL_LABELS, name) ? LOCAL_LABELS[name] : web.encoding(name);
    if (encoding === undefined)
      throw new RangeError(`TextDecoder: the encoding label ${cut(name, 40)} is unknown`);
    this.#web = web;
    this.#encoding = encoding;
    this.#fatal = Boolean(options.fatal);
    this.#ignoresMark = Boolean(options.ignoreBOM);
  }

  get encoding(): string {
    return this.#encoding;
  }

  get fatal(): boolean {
    return this.#fatal;
  }

  get ignoreBOM(): boolean {
    return this.#ignoresMark;
  }

  /** With `stream` more bytes follow: what is no character yet waits. For an encoding of the host all of them do. */
  decode(input?: unknown, options: { readonly stream?: unknown } = {}): string {
    const bytes = joined(this.#pending, bytesIn(input));
    const ready = options.stream ? this.#readyLength(bytes) : bytes.length;
    this.#pending = bytes.slice(ready);
    const isBeginning = !this.#hasBegun;
    this.#hasBegun = Boolean(options.stream) && (this.#hasBegun || ready > 0);
    const text = this.#textOf(bytes.subarray(0, ready));
    if (text === undefined) {
      this.#pending = new Uint8Array();
      this.#hasBegun = false;
      throw new TypeError(`TextDecoder: the bytes are not valid ${this.#encoding}`);
    }
    const dropsMark = isBeginning && !this.#ignoresMark && WITH_MARK.has(this.#encoding);
    return dropsMark && text.startsWith("\ufeff") ? text.slice(1) : text;
  }

  #readyLength(bytes: Uint8Array): number {
    if (this.#encoding === "utf-8") return wholeLength(bytes);
    return this.#encoding === "windows-1252" ? bytes.length : 0;
  }

  #textOf(bytes: Uint8Array<ArrayBuffer>): string | undefined {
    if (bytes.length === 0) return "";
    if (this.#encoding === "utf-8") return decodeUtf8(bytes, this.#fatal);
    if (this.#encoding === "windows-1252") return decodeWindows1252(bytes);
    return this.#web.decode(this.#encoding, bytes, this.#fatal);
  }
}

function bytesIn(input: unknown): Uint8Array<ArrayBuffer> {
  if (input === undefined) return new Uint8Array();
  if (input instanceof ArrayBuffer) return bytesOver(input);
  if (!ArrayBuffer.isView(input) || !(input.buffer instanceof ArrayBuffer))
    throw new TypeError("TextDecoder.decode takes an ArrayBuffer or a view of one");
  return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
}

function joined(first: Uint8Array<ArrayBuffer>, second: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function decodeWindows1252(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes)
    text += byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252.charAt(byte - 0x80) : String.fromCharCode(byte);
  return text;
}

/** The class that scripts see, bound to its host. */
export function createTextDecoder(web: WebHost): TextDecoderClass {
  return class TextDecoder extends Decoder {
    constructor(label: unknown = "utf-8", options: Options = {}) {
      super(web, label, options);
    }
  };
}
