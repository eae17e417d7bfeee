// The two shapes of a part's body: bytes somewhere, or children between delimiter lines.
import { scanMultipart, type DelimiterLine } from "./boundary-scan.ts";
import type { PartContext } from "./part-context.ts";
import type { MimePart } from "./part.ts";
import type { ByteSource } from "./source.ts";

export interface ByteRange {
  readonly source: ByteSource;
  readonly start: number;
  readonly end: number;
}

/** Where the delimiter lines of an indexed multipart stand; offsets are those of `range.source`. */
export interface MultipartLayout {
  readonly range: ByteRange;
  readonly boundary: Buffer;
  readonly delimiters: readonly DelimiterLine[];
  readonly close: DelimiterLine | undefined;
  /** The part limit was reached: the last part holds all that follows, delimiter lines too. */
  readonly overflow: boolean;
}

export interface ChildrenBody {
  readonly kind: "children";
  readonly layout: MultipartLayout | undefined;
  /** The parts as they were found, one per delimiter of the layout. */
  readonly found: readonly MimePart[];
  readonly children: MimePart[];
  rearranged: boolean;
}

export type PartBody = { readonly kind: "bytes"; readonly range: ByteRange } | ChildrenBody;

const IDENTITY_ENCODINGS = new Set(["7bit", "8bit", "binary"]);

/** The delimiter lines of a multipart; undefined when it has none, is empty, or lies beyond a limit. */
export function indexBody(part: MimePart, range: ByteRange): MultipartLayout | undefined {
  const { context, boundary } = part;
  if (boundary === "" || boundary.length > context.limits.maxBoundaryLength) {
    context.note(boundary === "" ? "A multipart has no boundary" : "The boundary of a multipart is too long");
    return undefined;
  }
  if (part.depth >= context.limits.maxDepth) {
    context.note("The nesting limit was reached: deeper parts are opaque");
    return undefined;
  }
  if (!IDENTITY_ENCODINGS.has(part.transferEncoding))
    context.note("A multipart names a transfer encoding: it was ignored");
  return range.start === range.end ? undefined : findDelimiters(range, boundary, context);
}

function findDelimiters(
  range: ByteRange,
  boundary: string,
  context: PartContext,
): MultipartLayout | undefined {
  const body = range.source.slice(range.start, range.end);
  const room = context.limits.maxParts - context.partCount;
  if (room <= 0) {
    context.note("The part limit was reached: further parts are opaque");
    return undefined;
  }
  let bytes = Buffer.from(boundary, "utf8");
  let scan = scanMultipart(body, bytes, room);
  if (scan.delimiters.length === 0 && bytes.length !== boundary.length) {
    // An 8-bit boundary in a header that was no UTF-8.
    bytes = Buffer.from(boundary, "latin1");
    scan = scanMultipart(body, bytes, room);
  }
  if (scan.delimiters.length === 0) {
    context.note("A multipart body has no delimiter line");
    return undefined;
  }
  if (scan.overflow) context.note("The part limit was reached: further parts are opaque");
  else if (scan.close === undefined) context.note("A multipart body has no closing delimiter");
  context.partCount += scan.delimiters.length;
  const shift = (line: DelimiterLine): DelimiterLine => ({
    start: range.start + line.start,
    hasBreak: line.hasBreak,
    end: range.start + line.end,
  });
  return {
    range,
    boundary: bytes,
    delimiters: scan.delimiters.map(shift),
    close: scan.close === undefined ? undefined : shift(scan.close),
    overflow: scan.overflow,
  };
}

/** The bytes between one delimiter line and the next. */
export function partRanges(layout: MultipartLayout): ByteRange[] {
  const { range, delimiters, close } = layout;
  return delimiters.map(({ end }, index) => ({
    source: range.source,
    start: end,
    end: (delimiters[index + 1] ?? close)?.start ?? range.end,
  }));
}
