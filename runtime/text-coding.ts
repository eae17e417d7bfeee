// TextEncoder, TextDecoder, atob and btoa, which a bare V8 does not have.

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export class TextEncoder {
  get encoding(): string {
    return "utf-8";
  }

  encode(input: unknown = ""): Uint8Array {
    const text = String(input).toWellFormed();
    const bytes = new Uint8Array(text.length * 3);
    let length = 0;
    for (let at = 0; at < text.length; at++) {
      const code = text.codePointAt(at) ?? 0;
      if (code > 0xffff) at += 1;
      if (code < 0x80) bytes[length++] = code;
      else {
        if (code < 0x800) bytes[length++] = 0xc0 | (code >> 6);
        else {
          if (code < 0x10000) bytes[length++] = 0xe0 | (code >> 12);
          else {
            bytes[length++] = 0xf0 | (code >> 18);
            bytes[length++] = 0x80 | ((code >> 12) & 0x3f);
          }
          bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
        }
        bytes[length++] = 0x80 | (code & 0x3f);
      }
    }
    return bytes.slice(0, length);
  }
}

/** UTF-8 and the one-byte latin1 (of which windows-1252 and us-ascii are labels on the web). */
export class TextDecoder {
  readonly #latin1: boolean;

  constructor(label: unknown = "utf-8") {
    const name = String(label).trim().toLowerCase();
    this.#latin1 = ["latin1", "iso-8859-1", "us-ascii", "ascii"].includes(name);
    if (!this.#latin1 && name !== "utf-8" && name !== "utf8")
      throw new RangeError(`TextDecoder: the encoding ${name.slice(0, 40)} is not served`);
  }

  get encoding(): string {
    return this.#latin1 ? "iso-8859-1" : "utf-8";
  }

  decode(input: ArrayBuffer | ArrayBufferView = new Uint8Array()): string {
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    return this.#latin1 ? latin1(bytes) : utf8(bytes);
  }
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function utf8(bytes: Uint8Array): string {
  let text = "";
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length) {
    const first = bytes[at] ?? 0;
    at += 1;
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const length = continuationBytes(first);
    const sequence = length === 0 ? undefined : continuation(bytes, at, first, length);
    text += sequence === undefined ? "\ufffd" : String.fromCodePoint(sequence);
    if (sequence !== undefined) at += length;
  }
  return text;
}

/** How many bytes follow the first one; 0 when it can start nothing. */
function continuationBytes(first: number): number {
  if (first < 0xc2 || first >= 0xf5) return 0;
  if (first < 0xe0) return 1;
  return first < 0xf0 ? 2 : 3;
}

/** The code point, or undefined for a truncated, overlong or surrogate sequence. */
function continuation(bytes: Uint8Array, start: number, first: number, length: number): number | undefined {
  let code = first & (0x3f >> length);
  for (let at = start; at < start + length; at++) {
    const byte = bytes[at] ?? 0;
    if ((byte & 0xc0) !== 0x80) return undefined;
    code = (code << 6) | (byte & 0x3f);
  }
  const smallest = length === 1 ? 0x80 : length === 2 ? 0x800 : 0x10000;
  return code < smallest || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? undefined : code;
}

export function btoa(input: unknown): string {
  const text = String(input);
  let out = "";
  for (let at = 0; at < text.length; at += 3) {
    const codes = [text.charCodeAt(at), text.charCodeAt(at + 1), text.charCodeAt(at + 2)].map((code) =>
      Number.isNaN(code) ? 0 : code,
    );
    const [a = 0, b = 0, c = 0] = codes;
    if (a > 255 || b > 255 || c > 255) throw new RangeError("btoa: the text has characters outside latin1");
    const bits = (a << 16) | (b << 8) | c;
    out += BASE64.charAt(bits >> 18) + BASE64.charAt((bits >> 12) & 63);
    out += at + 1 < text.length ? BASE64.charAt((bits >> 6) & 63) : "=";
    out += at + 2 < text.length ? BASE64.charAt(bits & 63) : "=";
  }
  return out;
}

export function atob(input: unknown): string {
  const text = String(input)
    .replaceAll(/[\t\n\f\r ]/g, "")
    .replace(/={1,2}$/, "");
  let out = "";
  let bits = 0;
  let count = 0;
  for (const character of text) {
    const value = BASE64.indexOf(character);
    if (value < 0 || text.length % 4 === 1) throw new RangeError("atob: the text is not base64");
    bits = ((bits << 6) | value) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += String.fromCharCode((bits >> count) & 0xff);
    }
  }
  return out;
}
