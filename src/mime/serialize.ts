// Writes a part as pieces: original ranges wherever nothing changed. Iterative: nesting costs no stack.
import type { ChildrenBody } from "./part-body.ts";
import type { MimePart } from "./part.ts";
import { PieceList } from "./pieces.ts";
import type { ByteSource } from "./source.ts";

const MAX_BOUNDARY_ATTEMPTS = 10;
/** RFC 2046 §5.1.1: a multipart has at least one part; this stands in one whose parts were all removed. */
const EMPTY_PART = Buffer.from("Content-Type: text/plain; charset=us-ascii\r\n\r\n");

/** A multipart being written: which child comes next. */
interface Cursor {
  readonly part: MimePart;
  readonly body: ChildrenBody;
  /** Place of a child among the original ones; only a rearranged multipart needs it. */
  readonly slots: Map<MimePart, number> | undefined;
  readonly boundary: string;
  /** Where its pieces begin and end: its boundary means nothing outside. */
  readonly from: number;
  to: number;
  next: number;
}

/**
 * No boundary may occur inside a part (FAULTS H05): where one does, the multipart gets another boundary and everything
 * is written again. The original is not searched for 128 random bits that were drawn after it was written: adding an
 * attachment to a large message must not read the message.
 */
export function serialize(part: MimePart, what: "whole" | "body"): PieceList {
  for (let attempt = 0; attempt < MAX_BOUNDARY_ATTEMPTS; attempt++) {
    const out = new PieceList();
    const written: Cursor[] = [];
    write(part, what, out, written);
    const colliding = written.filter((cursor) => collides(cursor, out, part.context.source));
    if (colliding.length === 0) return out;
    for (const cursor of colliding) cursor.part.renewBoundary();
  }
  throw new RangeError("No boundary could be found that is absent from the parts");
}

function collides(
  { part, body, boundary, from, to }: Cursor,
  out: PieceList,
  original: ByteSource | undefined,
): boolean {
  if (body.children.length === 0) return false;
  const layout = part.boundaryRenewed ? undefined : body.layout;
  if (layout === undefined) {
    const unchecked = part.context.hasCreated(boundary) ? original : undefined;
    return out.includes(Buffer.from(`--${boundary}`), unchecked, from, to);
  }
  // The original was cut at this boundary: only what is new in it can collide.
  return out.includes(Buffer.concat([Buffer.from("--"), layout.boundary]), layout.range.source, from, to);
}

function write(root: MimePart, what: "whole" | "body", out: PieceList, written: Cursor[]): void {
  const stack: Cursor[] = [];
  const open = (part: MimePart): void => {
    const { body } = part;
    if (body.kind === "bytes") return out.range(body.range.source, body.range.start, body.range.end);
    const cursor = openMultipart(part, body, out);
    stack.push(cursor);
    written.push(cursor);
  };
  if (what === "whole") writeHeaders(root, out);
  open(root);
  for (let cursor = stack.at(-1); cursor !== undefined; cursor = stack.at(-1)) {
    const child = cursor.body.children[cursor.next];
    if (child === undefined) {
      if (cursor.next === 0 && cursor.body.rearranged) writeEmptyPart(cursor, out);
      writeEnd(cursor, out);
      cursor.to = out.length;
      stack.pop();
    } else {
      writeDelimiter(cursor, child, out);
      cursor.next++;
      writeHeaders(child, out);
      open(child);
    }
  }
}

function writeHeaders(part: MimePart, out: PieceList): void {
  const { headerRange, headersIfRead } = part;
  if (headerRange === undefined) return out.bytes(part.headers.toBuffer());
  const { source, start, end } = headerRange;
  let position = start;
  for (const splice of headersIfRead?.splices(start) ?? []) {
    out.range(source, position, splice.start);
    out.bytes(splice.bytes);
    position = splice.end;
  }
  out.range(source, position, end);
}

function openMultipart(part: MimePart, body: ChildrenBody, out: PieceList): Cursor {
  const { layout, rearranged, found } = body;
  // What stands before may grow into the multipart: the last piece counts as well.
  const from = Math.max(0, out.length - 1);
  if (layout !== undefined)
    out.range(layout.range.source, layout.range.start, layout.delimiters[0]?.start ?? layout.range.start);
  else if (body.children.length > 0 && part.boundary === "") part.renewBoundary();
  return {
    part,
    body,
    slots: rearranged ? new Map(found.map((child, index) => [child, index])) : undefined,
    boundary:
      layout === undefined || part.boundaryRenewed ? part.boundary : layout.boundary.toString("latin1"),
    from,
    to: from,
    next: 0,
  };
}

const hasPreamble = ({ layout }: ChildrenBody): boolean =>
  layout !== undefined && (layout.delimiters[0]?.start ?? 0) > layout.range.start;

/** Whether the output stands at the beginning of a line, so that a delimiter needs no line break of its own. */
const atLineStart = (cursor: Cursor): boolean => cursor.next === 0 && !hasPreamble(cursor.body);

function writeDelimiter(cursor: Cursor, child: MimePart, out: PieceList): void {
  const { layout } = cursor.body;
  const slot = cursor.slots === undefined ? cursor.next : cursor.slots.get(child);
  const line = slot === undefined || cursor.part.boundaryRenewed ? undefined : layout?.delimiters[slot];
  if (layout === undefined || line === undefined) {
    out.delimiter(newDelimiter(cursor));
    return;
  }
  writeOriginalLine(cursor, line, line.end, layout.range.source, out);
}

function writeEmptyPart(cursor: Cursor, out: PieceList): void {
  out.delimiter(newDelimiter(cursor));
  out.bytes(EMPTY_PART);
  cursor.next = 1;
}

const newDelimiter = (cursor: Cursor): string =>
  `${atLineStart(cursor) ? "" : "\r\n"}--${cursor.boundary}\r\n`;

/** A delimiter line that shared its break with the line before needs one when something else stands there now. */
function writeOriginalLine(
  cursor: Cursor,
  line: { start: number; hasBreak: boolean },
  end: number,
  source: ByteSource,
  out: PieceList,
): void {
  if (!line.hasBreak && !atLineStart(cursor) && !out.endsAt(source, line.start)) out.delimiter("\r\n");
  out.range(source, line.start, end);
}

/** Whether a body whose closing line is not to be copied gets a new one. */
function needsClose({ body, part, next }: Cursor): boolean {
  const { layout, children, found } = body;
  if (layout === undefined) return next > 0;
  if (part.boundaryRenewed) return true;
  // The part that swallowed the rest of the body at the part limit holds the closing line too.
  return body.rearranged && !(layout.overflow && children.at(-1) === found.at(-1));
}

function writeEnd(cursor: Cursor, out: PieceList): void {
  const { layout } = cursor.body;
  const close = layout?.close;
  if (layout !== undefined && close !== undefined && !cursor.part.boundaryRenewed) {
    writeOriginalLine(cursor, close, layout.range.end, layout.range.source, out);
    return;
  }
  if (needsClose(cursor)) out.delimiter(`${atLineStart(cursor) ? "" : "\r\n"}--${cursor.boundary}--\r\n`);
  if (layout !== undefined && close !== undefined)
    out.range(layout.range.source, close.end, layout.range.end);
}
