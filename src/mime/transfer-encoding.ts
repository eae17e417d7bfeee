// Content-Transfer-Encoding (RFC 2045 §6): decoding, encoding, and which encoding some bytes need.
import libbase64 from "libbase64";
import { decodeQuotedPrintable, encodeQuotedPrintable } from "./quoted-printable.ts";

// RFC 5322 §2.1.1: a line is at most 998 characters without its CRLF.
const MAX_LINE_LENGTH = 998;
const BASE64_LINE_LENGTH = 76;
const EQUALS = 0x3d;
const MINUS = 0x2d;
const UNDERSCORE = 0x5f;
const NO_DIGIT = 0xff;
const BASE64_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_DIGIT = Uint8Array.from({ length: 256 }, (_, code) => {
  const digit = BASE64_ALPHABET.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGIT : digit;
});
const isBase64Digit = (code: number): boolean => BASE64_DIGIT[code] !== NO_DIGIT;
const CR = 0x0d;
const LF = 0x0a;

export function decodeTransferEncoding(raw: Buffer, encoding: string): Buffer {
  switch (encoding) {
    case "base64":
      return decodeBase64(raw);
    case "quoted-printable":
      return decodeQuotedPrintable(raw);
    default:
      return raw;
  }
}

function decodeBase64(raw: Buffer): Buffer {
  const padding = raw.indexOf(EQUALS);
  // Native decoding ends at the first padding: encoded pieces one after the other need the slower decoder.
  const inPieces = padding >= 0 && raw.subarray(padding).some(isBase64Digit);
  // It also takes the digits of base64url, which are none here (RFC 2045 §6.8).
  if (inPieces || raw.includes(MINUS) || raw.includes(UNDERSCORE)) return decodeBase64Pieces(raw);
  return Buffer.from(raw.toString("latin1"), "base64");
}

/** What is no digit is skipped; a padding ends its quantum, and the next one starts afresh. */
function decodeBase64Pieces(raw: Buffer): Buffer {
  const decoded = Buffer.allocUnsafe(Math.ceil((raw.length * 3) / 4));
  let written = 0;
  let bits = 0;
  let count = 0;
  for (let position = 0; position < raw.length; position++) {
    const code = raw[position] ?? 0;
    if (code === EQUALS) {
      bits = count = 0;
      continue;
    }
    const digit = BASE64_DIGIT[code] ?? NO_DIGIT;
    if (digit === NO_DIGIT) continue;
    bits = ((bits << 6) | digit) & 0xffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      decoded[written++] = (bits >> count) & 0xff;
    }
  }
  return decoded.subarray(0, written);
}

export function encodeTransferEncoding(bytes: Buffer, encoding: string): Buffer {
  switch (encoding) {
    case "base64":
      return encodeBase64(bytes);
    case "quoted-printable":
      return encodeQuotedPrintable(bytes);
    default:
      return bytes;
  }
}

function encodeBase64(bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  return Buffer.from(`${libbase64.wrap(bytes.toString("base64"), BASE64_LINE_LENGTH)}\r\n`, "latin1");
}

export interface BodyTraits {
  readonly highBytes: number;
  /** NUL, a CR or LF that is no line end, or a line over 998: needs an encoding that hides them. */
  readonly irregular: boolean;
}

/** Bytes that need no look: all but 8-bit ones, NUL, CR and LF. A table, since the loop below sees every byte. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, code) =>
  code > 0x7f || code === 0 || code === CR || code === LF ? 0 : 1,
);

export function traitsOf(bytes: Buffer): BodyTraits {
  let highBytes = 0;
  let irregular = false;
  let lineStart = 0;
  for (let position = 0; position < bytes.length; position++) {
    const code = bytes[position] ?? 0;
    if (IS_PLAIN[code] === 1) continue;
    if (code > 0x7f) highBytes++;
    else if (code === LF) {
      if (bytes[position - 1] !== CR || position - 1 - lineStart > MAX_LINE_LENGTH) irregular = true;
      lineStart = position + 1;
    } else if (code === 0 || bytes[position + 1] !== LF) irregular = true;
  }
  if (bytes.length - lineStart > MAX_LINE_LENGTH) irregular = true;
  return { highBytes, irregular };
}

const isSevenBit = ({ irregular, highBytes }: BodyTraits): boolean => !irregular && highBytes === 0;

/** Whether the bytes may stand in a body of this encoding as they are or encoded. They are looked at only where it matters. */
export function fitsEncoding(bytes: Buffer, encoding: string): boolean {
  switch (encoding) {
    case "base64":
    case "quoted-printable":
    case "binary":
      return true;
    case "8bit":
      return !traitsOf(bytes).irregular;
    case "7bit":
      return isSevenBit(traitsOf(bytes));
    default:
      return false;
  }
}

/** The encoding for text whose present one does not fit: 7bit, else quoted-printable, else (mostly non-ASCII) base64. */
export function encodingForText(bytes: Buffer): string {
  const traits = traitsOf(bytes);
  if (isSevenBit(traits)) return "7bit";
  return traits.highBytes * 2 > bytes.length ? "base64" : "quoted-printable";
}
