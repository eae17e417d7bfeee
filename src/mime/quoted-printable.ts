// Quoted-printable (RFC 2045 §6.7) on bytes, in one pass each way whatever the input: libqp's regular expressions take
// quadratic time on long runs of blanks.

const EQUALS = 0x3d;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const MAX_LINE_LENGTH = 76;
const HEX = Buffer.from("0123456789ABCDEF");
const NO_DIGIT = 0xff;

/** Tables instead of comparisons: these loops see every byte of a body. */
const HEX_DIGIT = Uint8Array.from({ length: 256 }, (_, code) => {
  const digit = HEX.indexOf(String.fromCharCode(code).toUpperCase());
  return digit < 0 || code > 0x7f ? NO_DIGIT : digit;
});
/** Bytes that a decoder copies and that end a run of blanks. */
const IS_SOLID = Uint8Array.from({ length: 256 }, (_, code) =>
  code === EQUALS || code === LF || code === CR || code === SPACE || code === TAB ? 0 : 1,
);
/** Bytes that stand for themselves wherever they are. */
const IS_LITERAL = Uint8Array.from({ length: 256 }, (_, code) =>
  code > SPACE && code <= 0x7e && code !== EQUALS ? 1 : 0,
);

/** Where the soft line break after the "=" at `at` ends; -1 when there is none. Blanks before the line end are allowed. */
function softBreakEnd(bytes: Buffer, at: number): number {
  let position = at + 1;
  while (bytes[position] === SPACE || bytes[position] === TAB) position++;
  if (position >= bytes.length) return position;
  if (bytes[position] === LF) return position + 1;
  return bytes[position] === CR && bytes[position + 1] === LF ? position + 2 : -1;
}

/** Tolerant: a malformed "=" stays as it is; blanks at a line's end are dropped, as the RFC demands. */
export function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const length = bytes.length;
  const decoded = Buffer.allocUnsafe(length);
  let written = 0;
  // End of the last byte that is no literal blank: a line end cuts back to here.
  let solid = 0;
  let position = 0;
  while (position < length) {
    const code = bytes[position] ?? 0;
    if (IS_SOLID[code] === 1) {
      decoded[written++] = code;
      solid = written;
      position++;
    } else if (code !== EQUALS) {
      if (code === LF && written !== solid) written = trimmedLineEnd(decoded, written, solid);
      decoded[written++] = code;
      if (code === LF) solid = written;
      position++;
    } else {
      const high = HEX_DIGIT[bytes[position + 1] ?? 0] ?? NO_DIGIT;
      const low = HEX_DIGIT[bytes[position + 2] ?? 0] ?? NO_DIGIT;
      if (high !== NO_DIGIT && low !== NO_DIGIT) {
        decoded[written++] = (high << 4) | low;
        position += 3;
      } else {
        // Only a "=" with a blank or line end behind it is looked at further, and the look is never repeated over a run.
        const end = softBreakEnd(bytes, position);
        if (end < 0) decoded[written++] = EQUALS;
        position = end < 0 ? position + 1 : end;
      }
      solid = written;
    }
  }
  if (written !== solid) written = trimmedLineEnd(decoded, written, solid);
  return decoded.subarray(0, written);
}

/** Drops the blanks of decoded[solid, written), keeping a CR that stands at its end. */
function trimmedLineEnd(decoded: Buffer, written: number, solid: number): number {
  const endsInCr = decoded[written - 1] === CR;
  let end = endsInCr ? written - 1 : written;
  while (end > solid && (decoded[end - 1] === SPACE || decoded[end - 1] === TAB)) end--;
  if (endsInCr) decoded[end++] = CR;
  return end;
}

const isLineEnd = (bytes: Buffer, at: number): boolean => bytes[at] === CR && bytes[at + 1] === LF;

/** Room for the encoded bytes: what each takes, a blank at each line's end, and a soft break for every 73 columns. */
function encodedRoom(bytes: Buffer): number {
  let room = 2;
  for (let position = 0; position < bytes.length; position++) {
    const code = bytes[position] ?? 0;
    room += IS_LITERAL[code] === 1 || code === SPACE || code === TAB ? 1 : 3;
  }
  return room + Math.ceil(room / 73) * 3;
}

/** CRLF pairs stay line ends; any other control character, a lone CR or LF too, is encoded. */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  const length = bytes.length;
  const encoded = Buffer.allocUnsafe(encodedRoom(bytes));
  let written = 0;
  let column = 0;
  for (let position = 0; position < length; position++) {
    const code = bytes[position] ?? 0;
    let width = 1;
    if (IS_LITERAL[code] !== 1) {
      if (code === CR && bytes[position + 1] === LF) {
        encoded[written++] = CR;
        encoded[written++] = LF;
        column = 0;
        position++;
        continue;
      }
      const isBlank = code === SPACE || code === TAB;
      if (!isBlank || position + 1 >= length || isLineEnd(bytes, position + 1)) width = 3;
    }
    // One column is kept for the "=" of the soft break unless the line ends right here.
    if (
      column + width > MAX_LINE_LENGTH - 1 &&
      !(column + width === MAX_LINE_LENGTH && isLineEnd(bytes, position + 1))
    ) {
      encoded[written++] = EQUALS;
      encoded[written++] = CR;
      encoded[written++] = LF;
      column = 0;
    }
    if (width === 3) {
      encoded[written++] = EQUALS;
      encoded[written++] = HEX[code >> 4] ?? 0;
      encoded[written++] = HEX[code & 15] ?? 0;
    } else encoded[written++] = code;
    column += width;
  }
  return encoded.subarray(0, written);
}
