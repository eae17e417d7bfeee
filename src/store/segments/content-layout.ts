// How a content stands in a record: its memory pieces as the bytes of the record, its file ranges by name and offset.
import path from "node:path";
import type { Splice } from "../../core/splice.ts";
import { Content, type FileRange, type Piece } from "../../message/content.ts";

/** Absent for a content that is wholly in its record. */
export interface ContentLayout {
  /** The content file in the store's folder. */
  readonly file: string;
  /** In order: bytes taken from the record, then offset and length of a range of the file, and so on. */
  readonly parts: readonly number[];
}

export interface LaidOut {
  readonly memory: Buffer[];
  readonly memoryBytes: number;
  readonly layout: ContentLayout | undefined;
}

/**
 * The layout of a content, or undefined when it has none: its ranges are not ascending ranges of one file of the
 * folder, or its header block is not in its first pieces. Then it has to be written to a file of its own.
 */
export function layOut(content: Content, folder: string): LaidOut | undefined {
  const memory: Buffer[] = [];
  const parts: number[] = [];
  let memoryBytes = 0;
  let sinceRange = 0;
  let file: string | undefined;
  let fileEnd = 0;
  for (const piece of content.pieces) {
    if (Buffer.isBuffer(piece)) {
      memory.push(piece);
      memoryBytes += piece.length;
      sinceRange += piece.length;
      continue;
    }
    file ??= piece.path;
    if (piece.path !== file || path.dirname(file) !== folder || piece.offset < fileEnd) return undefined;
    if (parts.length === 0 && sinceRange < content.header.length) return undefined;
    parts.push(sinceRange, piece.offset, piece.length);
    fileEnd = piece.offset + piece.length;
    sinceRange = 0;
  }
  if (file === undefined) return { memory, memoryBytes, layout: undefined };
  if (sinceRange > 0) parts.push(sinceRange);
  return { memory, memoryBytes, layout: { file: path.basename(file), parts } };
}

/** Bytes of a content that stands in a record like this. */
export function laidOutSize(memory: Buffer, layout: ContentLayout | undefined): number {
  let size = memory.length;
  if (layout !== undefined) for (let at = 2; at < layout.parts.length; at += 3) size += layout.parts[at] ?? 0;
  return size;
}

/** The content again: one range over the file from the first to the last part, with edits where memory pieces stood. */
export function restoreContent(
  memory: Buffer,
  layout: ContentLayout | undefined,
  rangeOf: (file: string, offset: number, length: number) => FileRange,
): Content {
  if (layout === undefined) return Content.fromBuffer(memory);
  const { parts } = layout;
  const startLength = parts[0] ?? 0;
  const first = parts[1] ?? 0;
  const start = memory.subarray(0, startLength);
  const splices: Splice[] = [];
  let memoryAt = startLength;
  let fileAt = first;
  for (let at = 1; at < parts.length; at += 3) {
    const offset = parts[at] ?? 0;
    const end = offset + (parts[at + 1] ?? 0);
    const inserted = at + 2 < parts.length ? (parts[at + 2] ?? 0) : 0;
    const next = at + 3 < parts.length ? (parts[at + 3] ?? end) : end;
    fileAt = Math.max(fileAt, end);
    if (inserted > 0 || next > end) {
      const shift = startLength - first;
      splices.push({
        start: end + shift,
        end: next + shift,
        bytes: memory.subarray(memoryAt, memoryAt + inserted),
      });
    }
    memoryAt += inserted;
    fileAt = Math.max(fileAt, next);
  }
  return Content.fromFile(start, rangeOf(layout.file, first, fileAt - first)).splice(splices);
}

/** The last byte of the file that a layout needs. */
export function layoutEnd(layout: ContentLayout): number {
  const { parts } = layout;
  let end = 0;
  for (let at = 1; at + 1 < parts.length; at += 3)
    end = Math.max(end, (parts[at] ?? 0) + (parts[at + 1] ?? 0));
  return end;
}

export const isInMemory = (pieces: readonly Piece[]): pieces is readonly Buffer[] =>
  pieces.every((piece) => Buffer.isBuffer(piece));
