// The bytes of a message, immutable: a rope of buffers and file ranges. An edit makes a new rope over the same bytes.
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Splice } from "../core/splice.ts";

/** A range of a file of the store, which keeps the file while a message refers to it. */
export interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  /** Has the file kept until the answer is called, also when no message refers to it any more. */
  readonly hold?: () => () => void;
}

export type Piece = Buffer | FileRange;

const READ_CHUNK_BYTES = 256 * 1024;
/** A header block longer than this is cut here: what follows is treated as body by everything that reads headers. */
export const MAX_HEADER_BLOCK_BYTES = 1024 * 1024;

const CRLF = "\r\n";
const END_OF_HEADERS = Buffer.from("\r\n\r\n");

/** Length of the header block at the start of `bytes`, its blank line included; all of it when there is none. */
export function headerBlockLength(bytes: Buffer): number {
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return 2;
  const end = bytes.indexOf(END_OF_HEADERS);
  return end < 0 ? Math.min(bytes.length, MAX_HEADER_BLOCK_BYTES) : end + END_OF_HEADERS.length;
}

const startsLine = (bytes: Buffer, at: number): boolean =>
  at === 0 || (bytes[at - 1] === 0x0a && bytes[at - 2] === 0x0d);

const startsWithCrlf = (bytes: Buffer): boolean => bytes[0] === 0x0d && bytes[1] === 0x0a;

/** A blank line, or a CR or LF that is not part of a CRLF. */
const NO_FIELDS = /\r\n\r\n|\r(?!\n)|(?<!\r)\n/;

/** Whole lines, none of them blank. */
const areFields = (bytes: Buffer): boolean =>
  bytes.length === 0 ||
  (startsLine(bytes, bytes.length) && !startsWithCrlf(bytes) && !NO_FIELDS.test(bytes.toString("latin1")));

const endsInBlankLine = (header: Buffer): boolean =>
  header.length === CRLF.length
    ? startsWithCrlf(header)
    : header.subarray(-END_OF_HEADERS.length).equals(END_OF_HEADERS);

const lengthOf = (piece: Piece): number => piece.length;

function slicePiece(piece: Piece, from: number, to: number): Piece {
  if (Buffer.isBuffer(piece)) return piece.subarray(from, to);
  return { ...piece, offset: piece.offset + from, length: to - from };
}

export class Content {
  readonly pieces: readonly Piece[];
  readonly size: number;
  /** The header block with its blank line, always in memory. */
  readonly header: Buffer;

  /** The content that this one was made of by edits of whole header lines, all of them ended by CRLF. */
  readonly #linesOf: Content | undefined;

  private constructor(pieces: readonly Piece[], header: Buffer, linesOf?: Content) {
    this.pieces = pieces;
    this.header = header;
    this.#linesOf = linesOf;
    this.size = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  }

  static fromBuffer(bytes: Buffer): Content {
    return new Content([bytes], bytes.subarray(0, headerBlockLength(bytes)));
  }

  /** `header` holds the header block, with which the pieces begin. */
  static fromPieces(header: Buffer, pieces: readonly Piece[]): Content {
    return new Content(pieces, header);
  }

  /** `start` holds the first bytes of the message, at least its header block; `rest` follows on disk. */
  static fromFile(start: Buffer, rest: FileRange): Content {
    return new Content([start, rest], start.subarray(0, headerBlockLength(start)));
  }

  /** The whole message when it is in one buffer: the fast path of small mail. */
  get buffer(): Buffer | undefined {
    const only = this.pieces[0];
    return this.pieces.length === 1 && Buffer.isBuffer(only) ? only : undefined;
  }

  /** Whether no byte has to be read from disk. */
  get inMemory(): boolean {
    return this.pieces.every((piece) => Buffer.isBuffer(piece));
  }

  /** For those whose work may outlive the message: its bytes can be read until the answer is called. */
  hold(): () => void {
    const releases = this.pieces.map((piece) => (Buffer.isBuffer(piece) ? undefined : piece.hold?.()));
    return () => {
      for (const release of releases) release?.();
    };
  }

  slice(from: number, to: number): Piece[] {
    const found: Piece[] = [];
    new PieceWalk(this.pieces).take(from, to, found);
    return found;
  }

  /** A new content with the edits applied. The splices are ascending and do not overlap. */
  splice(splices: readonly Splice[]): Content {
    if (splices.length === 0) return this;
    const pieces: Piece[] = [];
    const walk = new PieceWalk(this.pieces);
    let position = 0;
    for (const edit of splices) {
      walk.take(position, edit.start, pieces);
      if (edit.bytes.length > 0) pieces.push(edit.bytes);
      position = edit.end;
    }
    walk.take(position, this.size, pieces);
    const header = this.#headerAfter(splices);
    return header === undefined
      ? new Content(pieces, headerOf(pieces))
      : new Content(pieces, header, this.#linesOf ?? this);
  }

  /** Whether it has no CR or LF that is not part of a CRLF if the other one has none; false when that is not known. */
  keepsLinesOf(other: Content): boolean {
    return this === other || this.#linesOf === other;
  }

  /** The header block when whole lines of it were replaced by whole lines, which needs no look at the rest; else undefined. */
  #headerAfter(splices: readonly Splice[]): Buffer | undefined {
    const { header } = this;
    if (!endsInBlankLine(header)) return undefined;
    const blankLine = header.length - CRLF.length;
    const parts: Buffer[] = [];
    let position = 0;
    for (const { start, end, bytes } of splices) {
      if (end > blankLine || !startsLine(header, start) || !startsLine(header, end) || !areFields(bytes))
        return undefined;
      parts.push(header.subarray(position, start), bytes);
      position = end;
    }
    parts.push(header.subarray(position));
    return Buffer.concat(parts);
  }

  /** The bytes in order, in chunks of at most 256 KiB where they come from disk. */
  chunks(): AsyncGenerator<Buffer> {
    return chunksOf(this.pieces);
  }

  /** The bytes from `offset` on, at most `length` of them (ReadContent). Beyond the end there are none. */
  async read(offset: number, length: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of chunksOf(this.slice(offset, offset + length))) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The bytes as a stream, for a file or a program (CopyContentToStream). */
  stream(): Readable {
    return Readable.from(this.chunks());
  }

  /** The whole content in one buffer. Only for messages whose size the caller has bounded. */
  async toBuffer(): Promise<Buffer> {
    if (this.buffer !== undefined) return this.buffer;
    const chunks: Buffer[] = [];
    for await (const chunk of this.chunks()) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
}

/** Goes over the pieces once: a script may make as many edits as the scripts before it made pieces. */
class PieceWalk {
  readonly #pieces: readonly Piece[];
  #index = 0;
  /** Where the piece at the index begins. */
  #start = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  /** Adds what lies in [from, to), which is behind what was taken before. */
  take(from: number, to: number, found: Piece[]): void {
    for (let piece = this.#pieces[this.#index]; piece !== undefined; piece = this.#pieces[this.#index]) {
      const length = lengthOf(piece);
      const start = Math.max(from - this.#start, 0);
      const end = Math.min(to - this.#start, length);
      if (start < end) found.push(slicePiece(piece, start, end));
      if (this.#start + length > to) return;
      this.#start += length;
      this.#index += 1;
    }
  }
}

/** The header block of an edited rope: its first pieces in memory, as far as the blank line. */
function headerOf(pieces: readonly Piece[]): Buffer {
  const start: Buffer[] = [];
  let bytes = 0;
  let lookedAt = 0;
  for (const piece of pieces) {
    if (!Buffer.isBuffer(piece)) break;
    start.push(piece);
    bytes += piece.length;
    // Each look joins them all: of thousands of edits not each is worth one.
    if (bytes < 2 * lookedAt) continue;
    lookedAt = bytes;
    const joined = start.length === 1 ? piece : Buffer.concat(start);
    const length = headerBlockLength(joined);
    if (length < joined.length) return joined.subarray(0, length);
  }
  const joined = Buffer.concat(start);
  return joined.subarray(0, headerBlockLength(joined));
}

async function* chunksOf(pieces: readonly Piece[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    if (Buffer.isBuffer(piece)) yield piece;
    else yield* readRange(piece);
  }
}

async function* readRange(range: FileRange): AsyncGenerator<Buffer> {
  const file = await open(range.path, "r");
  try {
    let done = 0;
    while (done < range.length) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, range.length - done));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, range.offset + done);
      if (bytesRead === 0) throw new Error(`${range.path} is shorter than its record says`);
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
