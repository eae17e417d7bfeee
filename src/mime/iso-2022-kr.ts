// ISO-2022-KR (RFC 1557), which neither iconv-lite nor ICU knows: its two-byte characters are those of EUC-KR without the high bit.
import iconv from "iconv-lite";

/** Stands once before the first two-byte character. */
const DESIGNATION = Buffer.from("\x1b$)C", "latin1");
const ESCAPE = 0x1b;
const SHIFT_OUT = 0x0e;
const SHIFT_IN = 0x0f;
const LINE_FEED = 0x0a;
const HIGH_BIT = 0x80;
const FIRST_GRAPHIC = 0x21;

export function decodeIso2022Kr(bytes: Buffer): string {
  const euc = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  let isWide = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === ESCAPE && bytes.subarray(at, at + DESIGNATION.length).equals(DESIGNATION))
      at += DESIGNATION.length - 1;
    else if (byte === SHIFT_OUT || byte === SHIFT_IN) isWide = byte === SHIFT_OUT;
    else {
      // A line begins in ASCII.
      if (byte === LINE_FEED) isWide = false;
      euc[length++] = isWide && byte >= FIRST_GRAPHIC ? byte | HIGH_BIT : byte;
    }
  }
  return iconv.decode(euc.subarray(0, length), "euc-kr");
}

/** Characters that the charset lacks are question marks, or others. */
export function encodeIso2022Kr(text: string): Buffer {
  const euc = iconv.encode(text, "euc-kr");
  // At worst one-byte and two-byte characters take turns, each behind a shift.
  const bytes = Buffer.allocUnsafe(DESIGNATION.length + euc.length * 2 + 1);
  let length = DESIGNATION.copy(bytes);
  let isWide = false;
  for (const byte of euc) {
    const wide = byte >= HIGH_BIT;
    if (wide !== isWide) bytes[length++] = wide ? SHIFT_OUT : SHIFT_IN;
    isWide = wide;
    bytes[length++] = byte & ~HIGH_BIT;
  }
  if (isWide) bytes[length++] = SHIFT_IN;
  return bytes.subarray(0, length);
}
