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

/** What the "=" at `at` and the two digits behind it stand for; -1 when they are no digits. */
function escapedOctet(bytes: Buffer, at: number): number {
  const high = HEX_DIGIT[bytes[at + 1] ?? 0] ?? NO_DIGIT;
  const low = HEX_DIGIT[bytes[at + 2] ?? 0] ?? NO_DIGIT;
  return high === NO_DIGIT || low === NO_DIGIT ? -1 : (high << 4) | low;
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
      const octet = escapedOctet(bytes, position);
      if (octet >= 0) {
        decoded[written++] = octet;
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

const isBlank = (code: number): boolean => code === SPACE || code === TAB;
/** RFC 2045 §6.7 (3): a blank at the end of a line would be lost. */
const isInsideLine = (bytes: Buffer, at: number): boolean =>
  at + 1 < bytes.length && !isLineEnd(bytes, at + 1);
const isLineEnd = (bytes: Buffer, at: number): boolean => bytes[at] === CR && bytes[at + 1] === LF;

/** What one line may take: 76 columns and its end. */
const LINE_ROOM = MAX_LINE_LENGTH + 4;

/** Checked once per line instead of making room for three times the bytes. */
function withRoom(encoded: Buffer, written: number): Buffer {
  if (written + LINE_ROOM <= encoded.length) return encoded;
  const larger = Buffer.allocUnsafe(encoded.length * 2);
  encoded.copy(larger, 0, 0, written);
  return larger;
}

/** CRLF pairs stay line ends; any other control character, a lone CR or LF too, is encoded. */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  const length = bytes.length;
  let encoded: Buffer = Buffer.allocUnsafe(length + (length >> 2) + LINE_ROOM);
  let written = 0;
  let column = 0;
  for (let position = 0; position < length; position++) {
    const code = bytes[position] ?? 0;
    const literal = IS_LITERAL[code] === 1 || (isBlank(code) && isInsideLine(bytes, position));
    // One column is kept for the "=" of a soft break.
    if (literal && column < MAX_LINE_LENGTH - 1) {
      encoded[written++] = code;
      column++;
    } else if (code === CR && bytes[position + 1] === LF) {
      encoded[written] = CR;
      encoded[written + 1] = LF;
      written += 2;
      column = 0;
      position++;
      encoded = withRoom(encoded, written);
    } else {
      const width = literal ? 1 : 3;
      const fits = column + width < MAX_LINE_LENGTH;
      // The last column is free where the line ends right behind it.
      if (!fits && !(column + width === MAX_LINE_LENGTH && isLineEnd(bytes, position + 1))) {
        written = writeSoftBreak(encoded, written);
        column = 0;
        encoded = withRoom(encoded, written);
      }
      if (literal) encoded[written++] = code;
      else written = writeQuoted(encoded, written, code);
      column += width;
    }
  }
  return encoded.subarray(0, written);
}

function writeSoftBreak(encoded: Buffer, at: number): number {
  encoded[at] = EQUALS;
  encoded[at + 1] = CR;
  encoded[at + 2] = LF;
  return at + 3;
}

function writeQuoted(encoded: Buffer, at: number, code: number): number {
  encoded[at] = EQUALS;
  encoded[at + 1] = HEX[code >> 4] ?? 0;
  encoded[at + 2] = HEX[code & 15] ?? 0;
  return at + 3;
}
