// Text in a stream of bytes: reading by characters and lines without decoding the whole for each, and writing.
import { copyRange, createBytes, lengthOf } from "../bytes.ts";
import type { Host } from "../host.ts";
import { sequenceLength } from "../utf8.ts";

/** Bytes decoded at a time. A stream of megabytes that is read by lines is not held as text as a whole. */
const WINDOW_BYTES = 256 * 1024;
/** Short ASCII texts are written without asking the host. */
const LOCAL_CHARS = 1024;

type Width = "one" | "two" | "utf-8" | "other";

const ONE_BYTE = /^(?:us-ascii|ascii|latin1|iso-8859-\d{1,2}|windows-125\d|koi8-[ru])$/;

/** Names of one charset: UTF-16LE that begins with its mark. */
const isUnicode = (name: string): boolean => name === "unicode" || name === "utf-16";

function widthOf(charset: string): Width {
  const name = charset.toLowerCase();
  if (isUnicode(name) || name === "utf-16le") return "two";
  if (name === "utf-8") return "utf-8";
  return ONE_BYTE.test(name) ? "one" : "other";
}

/** What ADO writes at the start of a text. */
export function byteOrderMark(charset: string): readonly number[] {
  const name = charset.toLowerCase();
  if (isUnicode(name)) return [0xff, 0xfe];
  return name === "utf-8" ? [0xef, 0xbb, 0xbf] : [];
}

export interface StreamBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: number;
}

/** Decoded text from a position on, kept while the script reads forward. */
export class TextWindow {
  readonly #host: () => Host;
  readonly #charset: string;
  readonly #width: Width;
  #text = "";
  #offset = 0;
  #position = -1;
  #end = -1;

  constructor(host: () => Host, charset: string) {
    this.#host = host;
    this.#charset = charset;
    this.#width = widthOf(charset);
  }

  /** The next characters from `position` on, and the position behind them. */
  take({ bytes, size }: StreamBytes, position: number, chars: number): { text: string; position: number } {
    const wanted = chars < size ? chars * 4 : size;
    let from = this.#seek(bytes, size, position, Math.max(WINDOW_BYTES, wanted));
    while (this.#text.length - this.#offset < chars && this.#end < size) {
      const room = Math.max(WINDOW_BYTES, 2 * (this.#end - from), wanted);
      from = this.#fill(bytes, size, this.#position, room);
    }
    return this.#advance(bytes, Math.min(chars, this.#text.length - this.#offset));
  }

  /** The text up to the separator, which is passed over. */
  takeLine(stream: StreamBytes, position: number, separator: string): { text: string; position: number } {
    const { bytes, size } = stream;
    let from = this.#seek(bytes, size, position, WINDOW_BYTES);
    let found = this.#text.indexOf(separator, this.#offset);
    while (found < 0 && this.#end < size) {
      from = this.#fill(bytes, size, this.#position, Math.max(WINDOW_BYTES, 2 * (this.#end - from)));
      found = this.#text.indexOf(separator, this.#offset);
    }
    if (found < 0) return this.#advance(bytes, this.#text.length - this.#offset);
    const text = this.#text.slice(this.#offset, found);
    return { text, position: this.#advance(bytes, found + separator.length - this.#offset).position };
  }

  #seek(bytes: Uint8Array<ArrayBuffer>, size: number, position: number, room: number): number {
    if (position === this.#position) return position;
    return this.#fill(bytes, size, position === 0 ? this.#markLength(bytes, size) : position, room);
  }

  #markLength(bytes: Uint8Array, size: number): number {
    const mark = byteOrderMark(this.#charset);
    return mark.length <= size && mark.every((byte, at) => bytes[at] === byte) ? mark.length : 0;
  }

  #fill(bytes: Uint8Array<ArrayBuffer>, size: number, from: number, room: number): number {
    const end = this.#wholeCharacters(bytes, from, Math.min(size, from + room), size);
    this.#text = end > from ? this.#decode(copyRange(bytes, from, end)) : "";
    this.#offset = 0;
    this.#position = from;
    this.#end = end;
    return from;
  }

  /** The host takes a mark away that begins the bytes; behind the start of the stream it is a character like others. */
  #decode(bytes: Uint8Array<ArrayBuffer>): string {
    const text = this.#host().decodeText(this.#charset, bytes);
    return this.#markLength(bytes, lengthOf(bytes)) === 0 ? text : `\ufeff${text}`;
  }

  /** An end that cuts no character. Charsets of unknown build are decoded to their end. */
  #wholeCharacters(bytes: Uint8Array, from: number, end: number, size: number): number {
    if (end >= size || this.#width === "other") return size;
    if (this.#width === "one") return end;
    if (this.#width === "two") return end - ((end - from) & 1);
    let at = end;
    while (at > from && at > end - 4 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--;
    return at > from ? at : end;
  }

  #advance(bytes: Uint8Array, chars: number): { text: string; position: number } {
    const text = this.#text.slice(this.#offset, this.#offset + chars);
    this.#offset += chars;
    // At the end of what was decoded the place is known, whatever the bytes were.
    if (this.#offset >= this.#text.length) this.#position = this.#end;
    // Before it the stream is not at its end, whatever escape sequences the charset puts around a part of the text.
    else this.#position = Math.min(this.#position + this.#bytesOf(text, bytes), this.#end - 1);
    return { text, position: this.#position };
  }

  #bytesOf(text: string, bytes: Uint8Array): number {
    if (this.#width === "one") return text.length;
    if (this.#width === "two") return text.length * 2;
    // What stands for invalid bytes does not tell how many they were.
    if (this.#width === "utf-8")
      return text.includes("\ufffd")
        ? utf8BytesOf(bytes, this.#position, this.#end, text.length)
        : utf8Length(text);
    return this.#host().textLength(this.#charset, text);
  }
}

/** How many bytes from `start` on give so many UTF-16 units, each maximal invalid sequence being one (WHATWG Encoding §4.6). */
function utf8BytesOf(bytes: Uint8Array, start: number, end: number, units: number): number {
  let at = start;
  for (let left = units; left > 0 && at < end;) {
    const length = sequenceLength(bytes, at, end);
    const isPair = length === 4;
    // Half of a pair is half of its bytes.
    at += isPair && left === 1 ? 2 : length;
    left -= isPair ? 2 : 1;
  }
  return at - start;
}

function utf8Length(text: string): number {
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) length += 1;
    else if (code < 0x800) length += 2;
    // Both halves of a pair are four bytes together.
    else if (code >= 0xd800 && code < 0xe000) length += 2;
    else length += 3;
  }
  return length;
}

/** The bytes of a text in the charset of a stream, without a mark. */
export function encodeStreamText(host: () => Host, charset: string, text: string): Uint8Array<ArrayBuffer> {
  if (text.length <= LOCAL_CHARS && widthOf(charset) !== "two" && widthOf(charset) !== "other") {
    const bytes = createBytes(text.length);
    let at = 0;
    while (at < text.length && text.charCodeAt(at) < 0x80) {
      bytes[at] = text.charCodeAt(at);
      at += 1;
    }
    if (at === text.length) return bytes;
  }
  return host().encodeText(charset, text);
}
