// UTF-7 (RFC 2152) to text in one pass: iconv-lite takes microseconds for every shift, and a message may hold millions.

const PLUS = 0x2b;
const MINUS = 0x2d;
const NO_DIGIT = 0xff;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGIT = Uint8Array.from({ length: 256 }, (_, code) => {
  const digit = ALPHABET.indexOf(String.fromCharCode(code));
  return digit < 0 ? NO_DIGIT : digit;
});

/** Tolerant: bytes above ASCII are taken as they are, bits left over at the end of a shift are dropped. */
export function decodeUtf7(bytes: Buffer): string {
  // A unit takes at least one byte of the input, so this is room enough.
  const units = new Uint16Array(bytes.length);
  let written = 0;
  let position = 0;
  while (position < bytes.length) {
    const code = bytes[position++] ?? 0;
    if (code !== PLUS) {
      units[written++] = code;
      continue;
    }
    if (bytes[position] === MINUS) {
      units[written++] = PLUS;
      position++;
      continue;
    }
    let bits = 0;
    let count = 0;
    for (;;) {
      const digit = DIGIT[bytes[position] ?? 0] ?? NO_DIGIT;
      if (digit === NO_DIGIT) break;
      position++;
      bits = ((bits << 6) | digit) & 0x3fffff;
      count += 6;
      if (count >= 16) {
        count -= 16;
        units[written++] = (bits >> count) & 0xffff;
      }
    }
    if (bytes[position] === MINUS) position++;
  }
  return new TextDecoder("utf-16le").decode(units.subarray(0, written));
}
