// Finds the delimiter lines of a multipart body (RFC 2046 §5.1.1) with native searches only.

export interface DelimiterLine {
  /** First byte of the delimiter; the line break before its line belongs to it. */
  readonly start: number;
  /** False at the start of the body, and where the break already ended the delimiter line before. */
  readonly hasBreak: boolean;
  /** First byte after the delimiter line. */
  readonly end: number;
}

export interface MultipartScan {
  readonly delimiters: DelimiterLine[];
  readonly close: DelimiterLine | undefined;
  /** The part limit stopped the scan: the last part runs to the end of the body. */
  readonly overflow: boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;
const LINE_START = Buffer.from("\n--");
/** The native search takes the product of both lengths at worst: only so much of a delimiter is searched for. */
const SEARCHED_LENGTH = 40;

/** Where the line that holds only padding from `at` on ends; -1 when it holds anything else. */
function endOfPaddedLine(body: Buffer, at: number): number {
  let position = at;
  while (body[position] === 0x20 || body[position] === 0x09) position++;
  if (position >= body.length) return body.length;
  if (body[position] === LF) return position + 1;
  if (body[position] !== CR) return -1;
  if (position + 1 === body.length) return body.length;
  return body[position + 1] === LF ? position + 2 : -1;
}

const startsWith = (body: Buffer, at: number, line: Buffer): boolean =>
  body.compare(line, 0, line.length, at, Math.min(at + line.length, body.length)) === 0;

/** Start of the next line that begins with the delimiter; -1 when there is none. */
function nextLine(body: Buffer, from: number, needle: Buffer, line: Buffer): number {
  let at = body.indexOf(needle, from);
  while (at >= 0 && line.length > SEARCHED_LENGTH && !startsWith(body, at + 1, line))
    at = body.indexOf(needle, at + needle.length);
  return at < 0 ? -1 : at + 1;
}

const lineBreakBefore = (body: Buffer, lineStart: number): number => (body[lineStart - 2] === CR ? 2 : 1);

/**
 * A delimiter is a whole line: "--", the boundary, optional padding. RFC 2046 §5.1.2 would take a line that only begins
 * so, but then a boundary that is a prefix of an inner one would cut the inner multipart into pieces.
 */
export function scanMultipart(body: Buffer, boundary: Buffer, maxParts: number): MultipartScan {
  const delimiters: DelimiterLine[] = [];
  const line = Buffer.concat([LINE_START, boundary]);
  const first = line.subarray(1);
  // Searched with the line feed in front: dashes alone would make a body of dashes a slow search.
  const needle = line.subarray(0, 1 + SEARCHED_LENGTH);
  let contentStart = 0;
  let lineStart = startsWith(body, 0, first) ? 0 : nextLine(body, 0, needle, first);
  if (lineStart < 0) return { delimiters, close: undefined, overflow: false };
  for (;;) {
    const after = lineStart + first.length;
    const closing = body[after] === DASH && body[after + 1] === DASH ? endOfPaddedLine(body, after + 2) : -1;
    const end = closing >= 0 ? closing : endOfPaddedLine(body, after);
    if (end >= 0) {
      const start =
        lineStart === 0 ? 0 : Math.max(lineStart - lineBreakBefore(body, lineStart), contentStart);
      if (closing >= 0)
        return { delimiters, close: { start, hasBreak: start < lineStart, end }, overflow: false };
      if (delimiters.length >= maxParts) return { delimiters, close: undefined, overflow: true };
      delimiters.push({ start, hasBreak: start < lineStart, end });
      contentStart = end;
    }
    // The line feed that ends this delimiter line may begin the next one.
    lineStart = nextLine(body, end >= 0 ? Math.max(end - 1, after) : after, needle, first);
    if (lineStart < 0) return { delimiters, close: undefined, overflow: false };
  }
}
