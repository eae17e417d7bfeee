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
/** Bytes that a decoder copies without a second look. */
const IS_COPIED = Uint8Array.from({ length: 256 }, (_, code) => (code === EQUALS || code === LF ? 0 : 1));
/** Bytes that stand for themselves inside a line. */
const IS_LITERAL = Uint8Array.from({ length: 256 }, (_, code) =>
  (code >= SPACE && code <= 0x7e && code !== EQUALS) || code === TAB ? 1 : 0,
);

/** Runs shorter than this are copied faster by hand than by a native call. */
const NATIVE_COPY_LENGTH = 24;

function runEnd(bytes: Buffer, start: number, limit: number, table: Uint8Array): number {
  let end = start;
  while (end < limit && table[bytes[end] ?? 0] === 1) end++;
  return end;
}

function copyRun(bytes: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start >= NATIVE_COPY_LENGTH) bytes.copy(target, at, start, end);
  else
    for (let position = start; position < end; position++)
      target[at + position - start] = bytes[position] ?? 0;
}

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
  return hexOctet(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0);
}

/** The octet of two hexadecimal digits, given by their codes; -1 when they are none. */
export function hexOctet(first: number, second: number): number {
  const high = HEX_DIGIT[first] ?? NO_DIGIT;
  const low = HEX_DIGIT[second] ?? NO_DIGIT;
  return high === NO_DIGIT || low === NO_DIGIT ? -1 : (high << 4) | low;
}

/** Tolerant: a malformed "=" stays as it is; blanks at a line's end are dropped, as the RFC demands. */
export function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const length = bytes.length;
  const decoded = Buffer.allocUnsafe(length);
  let written = 0;
  // What stands before this cannot be cut: blanks that were escaped, lines that are done.
  let floor = 0;
  let position = 0;
  while (position < length) {
    const code = bytes[position] ?? 0;
    if (IS_COPIED[code] === 1) {
      const end = runEnd(bytes, position, length, IS_COPIED);
      copyRun(bytes, position, end, decoded, written);
      written += end - position;
      position = end;
    } else if (code === LF) {
      written = trimmedLineEnd(decoded, written, floor);
      decoded[written++] = LF;
      floor = written;
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
      floor = written;
    }
  }
  written = trimmedLineEnd(decoded, written, floor);
  return decoded.subarray(0, written);
}

/** Drops the blanks at the end of decoded[floor, written), keeping a CR that stands behind them. */
function trimmedLineEnd(decoded: Buffer, written: number, floor: number): number {
  const endsInCr = written > floor && decoded[written - 1] === CR;
  let end = endsInCr ? written - 1 : written;
  while (end > floor && isBlank(decoded[end - 1])) end--;
  if (endsInCr) decoded[end++] = CR;
  return end;
}

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

const isBlank = (code: number | undefined): boolean => code === SPACE || code === TAB;

/** One column is kept for the "=" of a soft break. */
const LAST_COLUMN = MAX_LINE_LENGTH - 1;

/** The encoded bytes, written from left to right. */
class LineWriter {
  encoded: Buffer;
  written = 0;
  column = 0;

  constructor(size: number) {
    this.encoded = Buffer.allocUnsafe(size + LINE_ROOM);
  }

  copy(bytes: Buffer, start: number, end: number): void {
    copyRun(bytes, start, end, this.encoded, this.written);
    this.written += end - start;
    this.column += end - start;
  }

  /** `atLineEnd`: the line ends behind this byte, so the last column is free. */
  quoted(code: number, atLineEnd: boolean): void {
    if (this.column + 3 > (atLineEnd ? MAX_LINE_LENGTH : LAST_COLUMN)) this.softBreak();
    const { encoded, written } = this;
    encoded[written] = EQUALS;
    encoded[written + 1] = HEX[code >> 4] ?? 0;
    encoded[written + 2] = HEX[code & 15] ?? 0;
    this.written += 3;
    this.column += 3;
  }

  softBreak(): void {
    this.encoded[this.written++] = EQUALS;
    this.lineEnd();
  }

  lineEnd(): void {
    this.encoded[this.written] = CR;
    this.encoded[this.written + 1] = LF;
    this.written += 2;
    this.column = 0;
    this.encoded = withRoom(this.encoded, this.written);
  }

  /** RFC 2045 §6.7 (3): a blank at the end of a line would be lost. */
  quoteTrailingBlank(code: number | undefined, atLineEnd: boolean): void {
    if (this.column === 0 || code === undefined || !isBlank(code)) return;
    this.written--;
    this.column--;
    this.quoted(code, atLineEnd);
  }
}

/** CRLF pairs stay line ends; any other control character, a lone CR or LF too, is encoded. */
export function encodeQuotedPrintable(bytes: Buffer): Buffer {
  const length = bytes.length;
  const out = new LineWriter(length + (length >> 2));
  let position = 0;
  while (position < length) {
    const end = runEnd(bytes, position, Math.min(length, position + LAST_COLUMN - out.column), IS_LITERAL);
    if (end > position) out.copy(bytes, position, end);
    position = end;
    if (position >= length) break;
    const code = bytes[position] ?? 0;
    if (isLineEnd(bytes, position)) {
      out.quoteTrailingBlank(bytes[position - 1], true);
      out.lineEnd();
      position += 2;
    } else if (IS_LITERAL[code] !== 1) {
      out.quoted(code, isLineEnd(bytes, position + 1));
      position++;
    } else if (!isBlank(code) && out.column < MAX_LINE_LENGTH && isLineEnd(bytes, position + 1)) {
      out.copy(bytes, position, position + 1);
      position++;
    } else out.softBreak();
  }
  out.quoteTrailingBlank(bytes[length - 1], false);
  return out.encoded.subarray(0, out.written);
}
