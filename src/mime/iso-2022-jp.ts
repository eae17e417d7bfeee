// ISO-2022-JP (RFC 1468) as bytes, which iconv-lite lacks and ICU only reads: its two-byte characters are those of EUC-JP.
import iconv from "iconv-lite";

const TO_ASCII = Buffer.from("\x1b(B", "latin1");
const TO_JIS_X_0208 = Buffer.from("\x1b$B", "latin1");
/** Introduces a character of JIS X 0212 in EUC-JP. */
const SINGLE_SHIFT_3 = 0x8f;
/** Introduces a half-width katakana. */
const SINGLE_SHIFT_2 = 0x8e;
/** U+FF5E: iconv-lite takes it for JIS X 0212, readers know it as the wave dash of JIS X 0208. */
const FULLWIDTH_TILDE = Buffer.from([SINGLE_SHIFT_3, 0xa2, 0xb7]);
const WAVE_DASH = [0x21, 0x41] as const;

/** Undefined when the charset lacks a character; those that EUC-JP lacks too are question marks. */
export function encodeIso2022Jp(text: string): Buffer | undefined {
  const euc = iconv.encode(text, "euc-jp");
  // At worst one-byte and two-byte characters take turns, each behind an escape sequence.
  const bytes = Buffer.allocUnsafe(euc.length * 4 + TO_ASCII.length);
  let length = 0;
  let isWide = false;
  const shift = (wide: boolean): void => {
    if (wide !== isWide) length += (wide ? TO_JIS_X_0208 : TO_ASCII).copy(bytes, length);
    isWide = wide;
  };
  for (let at = 0; at < euc.length;) {
    const first = euc[at] ?? 0;
    if (first === SINGLE_SHIFT_2) return undefined;
    if (first < 0x80) {
      shift(false);
      bytes[length++] = first;
      at += 1;
    } else if (first === SINGLE_SHIFT_3) {
      if (!euc.subarray(at, at + 3).equals(FULLWIDTH_TILDE)) return undefined;
      shift(true);
      for (const byte of WAVE_DASH) bytes[length++] = byte;
      at += 3;
    } else {
      shift(true);
      bytes[length++] = first & 0x7f;
      bytes[length++] = (euc[at + 1] ?? 0) & 0x7f;
      at += 2;
    }
  }
  shift(false);
  return bytes.subarray(0, length);
}
