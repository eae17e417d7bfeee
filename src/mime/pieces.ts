// The edited document as a list of pieces: ranges of the original and new bytes. Splices follow from it.
import type { Splice } from "../core/splice.ts";
import type { ByteSource } from "./source.ts";

interface Range {
  readonly kind: "range";
  readonly source: ByteSource;
  readonly start: number;
  end: number;
}

interface Bytes {
  readonly kind: "bytes";
  readonly bytes: Buffer;
  /** A delimiter line that we wrote: the one place where its boundary belongs. */
  readonly delimiter: boolean;
}

/** How far a collision search reads at once: the memory it may take, whatever the size of the message. */
const WINDOW_BYTES = 1024 * 1024;

export class PieceList {
  readonly #pieces: (Range | Bytes)[] = [];

  get length(): number {
    return this.#pieces.length;
  }

  range(source: ByteSource, start: number, end: number): void {
    if (start >= end) return;
    const last = this.#pieces.at(-1);
    if (last?.kind === "range" && last.source === source && last.end === start) last.end = end;
    else this.#pieces.push({ kind: "range", source, start, end });
  }

  bytes(bytes: Buffer): void {
    if (bytes.length > 0) this.#pieces.push({ kind: "bytes", bytes, delimiter: false });
  }

  delimiter(line: string): void {
    this.#pieces.push({ kind: "bytes", bytes: Buffer.from(line, "latin1"), delimiter: true });
  }

  /** Whether what was put in last is the original up to `end`. */
  endsAt(source: ByteSource, end: number): boolean {
    const last = this.#pieces.at(-1);
    return last?.kind === "range" && last.source === source && last.end === end;
  }

  toBuffer(): Buffer {
    const buffers = this.#pieces.map(readPiece);
    const only = buffers[0];
    return buffers.length === 1 && only !== undefined ? only : Buffer.concat(buffers);
  }

  /** Ranges that still stand in ascending order stay; all else is an edit. */
  splices(source: ByteSource): Splice[] {
    const found: Splice[] = [];
    let position = 0;
    let pending: Buffer[] = [];
    const flush = (start: number): void => {
      if (start > position || pending.length > 0)
        found.push({ start: position, end: start, bytes: joined(pending) });
      pending = [];
    };
    for (const piece of this.#pieces) {
      if (piece.kind === "range" && piece.source === source && piece.start >= position) {
        flush(piece.start);
        position = piece.end;
      } else pending.push(readPiece(piece));
    }
    flush(source.size);
    return found;
  }

  /** Whether the needle occurs in a piece of [from, to) that is no delimiter line of ours, ranges of `unchecked` left out. */
  includes(needle: Buffer, unchecked: ByteSource | undefined, from: number, to: number): boolean {
    for (let at = from; at < to; at++) {
      const piece = this.#pieces[at];
      if (piece === undefined || (piece.kind === "bytes" && piece.delimiter)) continue;
      if (
        piece.kind === "bytes"
          ? piece.bytes.includes(needle)
          : piece.source !== unchecked && rangeIncludes(piece, needle)
      )
        return true;
    }
    return false;
  }
}

/** Read in windows that overlap by the needle, so that a large message is never in memory as a whole. */
function rangeIncludes(range: Range, needle: Buffer): boolean {
  for (let from = range.start; from < range.end; from += WINDOW_BYTES) {
    const to = Math.min(from + WINDOW_BYTES + needle.length - 1, range.end);
    if (range.source.slice(from, to).includes(needle)) return true;
  }
  return false;
}

const joined = (buffers: Buffer[]): Buffer =>
  buffers.length === 1 && buffers[0] ? buffers[0] : Buffer.concat(buffers);

const readPiece = (piece: Range | Bytes): Buffer =>
  piece.kind === "bytes" ? piece.bytes : piece.source.slice(piece.start, piece.end);
