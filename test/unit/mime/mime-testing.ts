// What the tests of the document share: building messages, applying splices, drawing the structure.
import type { Splice } from "../../../src/core/splice.ts";
import { MimeDocument } from "../../../src/mime/document.ts";
import type { MimeLimits } from "../../../src/mime/limits.ts";
import type { MimePart } from "../../../src/mime/part.ts";
import { bufferSource, type ByteSource } from "../../../src/mime/source.ts";

/** Template text (LF) as it goes on the wire. */
export const crlf = (text: string): string => text.replaceAll("\n", "\r\n");

export const open = (message: Buffer | string, limits: Partial<MimeLimits> = {}): MimeDocument =>
  new MimeDocument(bufferSource(typeof message === "string" ? Buffer.from(message) : message), limits);

/** The message after the edits; they must be in order and must not overlap. */
export function applySplices(bytes: Buffer, splices: readonly Splice[]): Buffer {
  const pieces: Buffer[] = [];
  let position = 0;
  for (const { start, end, bytes: replacement } of splices) {
    if (start < position || end < start) throw new Error(`splice ${start}-${end} after ${position}`);
    pieces.push(bytes.subarray(position, start), replacement);
    position = end;
  }
  return Buffer.concat([...pieces, bytes.subarray(position)]);
}

/** "mixed(text/plain,application/pdf)" */
export const structure = (part: MimePart): string =>
  part.isMultipart
    ? `${part.mediaType.slice("multipart/".length)}(${part.children.map(structure).join(",")})`
    : part.mediaType;

/** Every part, looked at once, in no particular order. */
export function allParts(doc: MimeDocument): MimePart[] {
  const found: MimePart[] = [];
  const stack = [doc.root];
  for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
    found.push(part);
    for (const child of part.children) stack.push(child);
  }
  return found;
}

/** A source that counts what is read of it. */
export function countingSource(inner: ByteSource): ByteSource & { bytesRead: number; furthest: number } {
  return {
    size: inner.size,
    headerLength: inner.headerLength,
    bytesRead: 0,
    furthest: 0,
    slice(start, end) {
      this.bytesRead += end - start;
      this.furthest = Math.max(this.furthest, end);
      return inner.slice(start, end);
    },
  };
}
