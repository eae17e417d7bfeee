// Edits over edits: the content after a list of splices as a source of bytes, and two lists of splices made one.
import type { Splice } from "../../../core/splice.ts";
import { headerBlockLength } from "../../../message/content.ts";
import type { ByteSource } from "../../../mime/source.ts";

/** A range of the original, or inserted bytes. */
type Piece =
  | { readonly from: number; readonly to: number; readonly bytes?: never }
  | { readonly bytes: Buffer };

const HEADER_SLACK_BYTES = 4096;

const lengthOf = (piece: Piece): number =>
  piece.bytes === undefined ? piece.to - piece.from : piece.bytes.length;

function piecesOf(size: number, splices: readonly Splice[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, bytes } of splices) {
    if (start > at) pieces.push({ from: at, to: start });
    if (bytes.length > 0) pieces.push({ bytes });
    at = end;
  }
  if (size > at) pieces.push({ from: at, to: size });
  return pieces;
}

function cut(pieces: readonly Piece[], from: number, to: number): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const piece of pieces) {
    const length = lengthOf(piece);
    const start = Math.max(from - at, 0);
    const end = Math.min(to - at, length);
    if (start < end) {
      found.push(
        piece.bytes === undefined
          ? { from: piece.from + start, to: piece.from + end }
          : { bytes: piece.bytes.subarray(start, end) },
      );
    }
    at += length;
    if (at >= to) break;
  }
  return found;
}

const totalLength = (pieces: readonly Piece[]): number =>
  pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);

/** The original with edits applied. */
export class EditedSource implements ByteSource {
  readonly size: number;
  readonly headerLength: number;
  readonly #original: ByteSource;
  readonly #pieces: readonly Piece[];

  constructor(original: ByteSource, splices: readonly Splice[]) {
    this.#original = original;
    this.#pieces = piecesOf(original.size, splices);
    this.size = totalLength(this.#pieces);
    let headers = original.headerLength;
    for (const { start, end, bytes } of splices) {
      if (start < original.headerLength) headers += bytes.length - (end - start);
    }
    this.headerLength = this.#findHeaderEnd(Math.max(headers, 0) + HEADER_SLACK_BYTES);
  }

  /** Looks further when an edit moved the blank line beyond where it was expected. */
  #findHeaderEnd(expected: number): number {
    for (let reach = expected; ; reach *= 2) {
      const end = Math.min(this.size, reach);
      const found = headerBlockLength(this.slice(0, end));
      if (found < end || end === this.size) return found;
    }
  }

  slice(start: number, end: number): Buffer {
    const parts = cut(this.#pieces, start, end).map(
      (piece) => piece.bytes ?? this.#original.slice(piece.from, piece.to),
    );
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }
}

/** Splices against the original that do what `first` and then `second` (against the result of `first`) do. */
export function composeSplices(size: number, first: readonly Splice[], second: readonly Splice[]): Splice[] {
  if (first.length === 0) return [...second];
  if (second.length === 0) return [...first];
  const between = piecesOf(size, first);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, bytes } of second) {
    pieces.push(...cut(between, at, start), { bytes });
    at = end;
  }
  pieces.push(...cut(between, at, totalLength(between)));
  return splicesOf(size, pieces);
}

/** Original ranges ascend in `pieces`; what lies between two of them was replaced by the bytes that stand there. */
function splicesOf(size: number, pieces: readonly Piece[]): Splice[] {
  const splices: Splice[] = [];
  let at = 0;
  let inserted: Buffer[] = [];
  for (const piece of [...pieces, { from: size, to: size }]) {
    if (piece.bytes !== undefined) {
      inserted.push(piece.bytes);
      continue;
    }
    const bytes = Buffer.concat(inserted);
    if (piece.from > at || bytes.length > 0) splices.push({ start: at, end: piece.from, bytes });
    at = piece.to;
    inserted = [];
  }
  return splices;
}

/** The splice that makes `replacement` of the original: what both begin and end with is kept. */
export function replacementSplices(original: ByteSource, replacement: Buffer): Splice[] {
  const before = original.slice(0, original.size);
  const shorter = Math.min(before.length, replacement.length);
  let head = 0;
  while (head < shorter && before[head] === replacement[head]) head++;
  let tail = 0;
  while (
    tail < shorter - head &&
    before[before.length - 1 - tail] === replacement[replacement.length - 1 - tail]
  )
    tail++;
  const end = before.length - tail;
  const bytes = replacement.subarray(head, replacement.length - tail);
  return head === end && bytes.length === 0 ? [] : [{ start: head, end, bytes }];
}
