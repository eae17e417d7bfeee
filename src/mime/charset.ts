// Bytes to text and back in the charset a part names: native for the common ones, iconv-lite and ICU for the rest.
import { isUtf8 } from "node:buffer";
import iconv from "iconv-lite";
import { encodeIso2022Jp } from "./iso-2022-jp.ts";
import { decodeIso2022Kr, encodeIso2022Kr } from "./iso-2022-kr.ts";
import { decodeUtf7 } from "./utf7.ts";

const MAX_LABEL_LENGTH = 64;
const LABEL = /^[a-z\d][\w.:+()-]*$/i;
// iconv-lite lists transfer encodings among its charsets: no message may name them.
const NOT_CHARSETS = new Set(["base64", "hex", "binary", "internal", "utf7imap"]);
/** To iconv-lite "ba-se64" is base64, too. */
const nameInIconv = (label: string): string => label.toLowerCase().replaceAll(/:\d{4}$|[^\da-z]/g, "");
/** Charsets in which the bytes of ASCII text are not ASCII. */
const NOT_ASCII_COMPATIBLE = /^(?:x-)?(?:unicode|utf-?(?:7|16|32)|ucs|iso-10646-ucs|cp037|ibm037|ebcdic)/i;

const ISO_2022_JP = /^(?:iso-2022-jp|csiso2022jp)$/i;
const ISO_2022_KR = /^(?:iso-2022-kr|csiso2022kr)$/i;
const UTF7 = /^(?:unicode-1-1-|x-unicode-[12]-[01]-)?utf-?7$/i;

type NativeCharset = "ascii" | "utf8" | "latin1";

function nativeCharset(label: string): NativeCharset | undefined {
  switch (label.toLowerCase()) {
    case "utf-8":
    case "utf8":
      return "utf8";
    case "us-ascii":
    case "ascii":
    case "":
      return "ascii";
    case "iso-8859-1":
    case "iso8859-1":
    case "iso_8859-1":
    case "latin1":
    case "latin-1":
      return "latin1";
    default:
      return undefined;
  }
}

function isIconvCharset(label: string): boolean {
  if (label.length > MAX_LABEL_LENGTH || !LABEL.test(label) || NOT_CHARSETS.has(nameInIconv(label)))
    return false;
  try {
    return iconv.encodingExists(label);
  } catch {
    return false;
  }
}

/** ICU knows some that iconv-lite does not (ISO-2022-JP). */
function icuDecoder(label: string): TextDecoder | undefined {
  if (label.length > MAX_LABEL_LENGTH || !LABEL.test(label)) return undefined;
  try {
    return new TextDecoder(label);
  } catch {
    return undefined;
  }
}

/** What windows-1252 has where Latin-1 has control characters; the five that it leaves free stay themselves. */
const WINDOWS_1252 =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
  "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";
const FIRST_OF_WINDOWS_1252 = 0x80;
// oxlint-disable-next-line no-control-regex -- the controls of Latin-1 are what is meant
const LATIN1_CONTROLS = /[\x80-\x9f]/g;
const BEYOND_LATIN1 = new RegExp(`[${WINDOWS_1252}]`, "g");
const hasLatin1Controls = (text: string): boolean => text.search(LATIN1_CONTROLS) >= 0;

/** Latin-1 as it is sent and read everywhere (WHATWG Encoding §4.2): dashes, quotation marks and the euro are those of windows-1252. */
function decodeLatin1(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  if (!hasLatin1Controls(text)) return text;
  return text.replaceAll(
    LATIN1_CONTROLS,
    (control) => WINDOWS_1252[control.charCodeAt(0) - FIRST_OF_WINDOWS_1252] ?? control,
  );
}

/** The bytes that decodeLatin1 reads as the text; undefined where there are none. */
function encodeWindows1252(text: string): Buffer | undefined {
  const bytes = text.replaceAll(BEYOND_LATIN1, (character) =>
    String.fromCharCode(FIRST_OF_WINDOWS_1252 + WINDOWS_1252.indexOf(character)),
  );
  if (!isLatin1Text(bytes)) return undefined;
  const encoded = Buffer.from(bytes, "latin1");
  return decodeLatin1(encoded) === text ? encoded : undefined;
}

/** Bytes without a declared charset or of an unknown one, and 8-bit bytes in a header: UTF-8 when they are, else Latin-1. */
export const decodeUnlabelled = (bytes: Buffer): string =>
  isUtf8(bytes) ? bytes.toString("utf8") : decodeLatin1(bytes);

/** The text, or undefined when nobody knows the charset. Invalid sequences become U+FFFD. */
export function decodeCharset(bytes: Buffer, label: string): string | undefined {
  const native = nativeCharset(label);
  switch (native) {
    case "utf8":
      return bytes.toString("utf8");
    case "ascii":
      return decodeUnlabelled(bytes);
    case "latin1":
      return decodeLatin1(bytes);
    case undefined:
      return decodeOther(bytes, label);
    default:
      return native satisfies never;
  }
}

/** Whether what the bytes mean is a guess: nothing tells it, or they are no text of the Latin-1 that they say. */
export function isGuessedLatin1(bytes: Buffer, label: string): boolean {
  const native = nativeCharset(label);
  if (native === "latin1") return hasLatin1Controls(bytes.toString("latin1"));
  if (native !== undefined) return native === "ascii" && !isUtf8(bytes);
  return !isUtf8(bytes) && decodeOther(bytes, label) === undefined;
}

/** Text that such bytes were read as, edited or not: the bytes that are read so again; undefined for any other text. */
export function encodeGuessed(text: string, before: Buffer, label: string): Buffer | undefined {
  if (!isGuessedLatin1(before, label)) return undefined;
  // A dash or a euro that only the script knows is to be understood by everybody.
  const present = new Set(decodeLatin1(before).match(BEYOND_LATIN1));
  if (text.match(BEYOND_LATIN1)?.some((character) => !present.has(character)) === true) return undefined;
  const bytes = encodeWindows1252(text);
  return bytes !== undefined && isGuessedLatin1(bytes, label) ? bytes : undefined;
}

function decodeOther(bytes: Buffer, label: string): string | undefined {
  if (UTF7.test(label)) return decodeUtf7(bytes);
  if (ISO_2022_KR.test(label)) return decodeIso2022Kr(bytes);
  return isIconvCharset(label) ? iconv.decode(bytes, label) : icuDecoder(label)?.decode(bytes);
}

// oxlint-disable-next-line no-control-regex -- ASCII is what is meant
const ASCII = /^[\x00-\x7f]*$/;
// oxlint-disable-next-line no-control-regex -- Latin-1 is what is meant
const LATIN1 = /^[\x00-\xff]*$/;

export const isAsciiText = (text: string): boolean => ASCII.test(text);
export const isLatin1Text = (text: string): boolean => LATIN1.test(text);

/** The bytes of the text, or undefined when the charset is unknown or lacks a character of it. */
export function encodeCharset(text: string, label: string): Buffer | undefined {
  const native = nativeCharset(label);
  switch (native) {
    case "utf8":
      return Buffer.from(text, "utf8");
    case "ascii":
      return isAsciiText(text) ? Buffer.from(text, "latin1") : undefined;
    case "latin1":
      return isLatin1Text(text) && !hasLatin1Controls(text) ? Buffer.from(text, "latin1") : undefined;
    case undefined:
      return encodeOther(text, label);
    default:
      return native satisfies never;
  }
}

function encodeOther(text: string, label: string): Buffer | undefined {
  if (isAsciiText(text) && !NOT_ASCII_COMPATIBLE.test(label)) return Buffer.from(text, "latin1");
  if (!canEncode(label)) return undefined;
  const bytes = encodeByName(text, label);
  return bytes !== undefined && decodeOther(bytes, label) === text ? bytes : undefined;
}

function encodeByName(text: string, label: string): Buffer | undefined {
  if (ISO_2022_JP.test(label)) return encodeIso2022Jp(text);
  return ISO_2022_KR.test(label) ? encodeIso2022Kr(text) : iconv.encode(text, label);
}

/** False for charsets that can only be read, such as x-mac-roman. */
export const canEncode = (label: string): boolean =>
  nativeCharset(label) !== undefined ||
  ISO_2022_JP.test(label) ||
  ISO_2022_KR.test(label) ||
  isIconvCharset(label);
