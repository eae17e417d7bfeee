// What of a message is given to the verifier: a hostile one could keep it busy for minutes with its header alone.
import { setImmediate } from "node:timers/promises";
import type { Content } from "../message/content.ts";
import type { Splice } from "../core/splice.ts";
import { unfoldValue } from "../mime/header-field.ts";

/** RFC 6376 §6.1 lets a verifier bound the signatures that it looks at. */
const MAX_SIGNATURES = 10;
// mailauth joins folded lines in time that grows with their square.
const MAX_HEADER_BYTES = 256 * 1024;
const MAX_HEADER_LINES = 5000;
// It takes as long to parse the addresses of these fields when they hold many blanks.
const ADDRESS_FIELDS: ReadonlySet<string> = new Set(["from", "return-path"]);
const MAX_ADDRESS_BYTES = 8 * 1024;
// As it does the pieces of one line of the body (RFC 5322 §2.1.1 allows 998 bytes).
const MAX_LINE_BYTES = 1024 * 1024;
export const SLICE_BYTES = 32 * 1024;
const LF = 0x0a;
// And what it looks for behind such a run.
const MAX_RUN = 500;
const RUN = /[;:. \t\r\n]+/g;
const CR_RUN = "\r".repeat(MAX_RUN);
const NOTHING = Buffer.alloc(0);

export interface VerifiableContent {
  /** Without the signatures that are not looked at; undefined when the header is beyond the bounds. */
  readonly content: Content | undefined;
  /** Whether signatures are left in it. */
  readonly isSigned: boolean;
  readonly left: readonly { readonly why: string; readonly count: number }[];
}

export function verifiableContent(content: Content): VerifiableContent {
  const whole = withEndOfHeader(content);
  const header = whole?.header.toString("latin1") ?? "";
  const isShort = header.length <= MAX_HEADER_BYTES && !header.includes(CR_RUN);
  const fields = isShort ? fieldsOf(header) : undefined;
  if (whole === undefined || fields === undefined || addressBytes(fields) > MAX_ADDRESS_BYTES)
    return { content: undefined, isSigned: false, left: [] };
  const signatures = fields.filter(({ raw }) => isSignature(raw));
  const partial = signatures.filter(({ raw }) => isPartial(raw));
  const malformed = signatures.filter(({ raw }) => !isPartial(raw) && isMalformed(raw));
  const seals = fields.filter(({ raw }) => isSeal(raw) && hasLongRun(raw));
  const good = signatures.filter(({ raw }) => isDkim(raw) && !isPartial(raw) && !isMalformed(raw));
  const surplus = good.slice(MAX_SIGNATURES);
  const unsigned = [...partial, ...malformed, ...surplus];
  const cuts = [...unsigned, ...seals]
    .toSorted((a, b) => a.start - b.start)
    .map(({ start, end }): Splice => ({ start, end, bytes: NOTHING }));
  const left = [
    { why: "sign only a part of the body", count: partial.length },
    { why: "are malformed", count: malformed.length + seals.length },
    { why: "are beyond those looked at", count: surplus.length },
  ];
  return {
    content: whole.splice(cuts),
    isSigned: unsigned.length < signatures.length,
    left: left.filter(({ count }) => count > 0),
  };
}

export class LineTooLongError extends Error {}

/**
 * What the verifier reads at a time. A line of blanks, or one that ends in a bare LF, takes it microseconds: other sessions get
 * their turn in between. Throws LineTooLongError where a signed line is beyond the bound.
 */
export async function* slicesOf(content: Content, isSigned: boolean): AsyncGenerator<Buffer> {
  let lineBytes = 0;
  for await (const chunk of content.chunks()) {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      const slice = chunk.subarray(at, at + SLICE_BYTES);
      const behindLine = slice.lastIndexOf(LF) + 1;
      lineBytes = slice.length - behindLine + (behindLine === 0 ? lineBytes : 0);
      if (isSigned && lineBytes > MAX_LINE_BYTES) throw new LineTooLongError();
      yield slice;
      await setImmediate();
    }
  }
}

/** A message that ends within its header is one with an empty body; a block that was cut off is none at all. */
function withEndOfHeader(content: Content): Content | undefined {
  const { header, size } = content;
  if (header.toString("latin1").endsWith("\r\n\r\n")) return content;
  if (header.length < size) return undefined;
  return content.splice([{ start: size, end: size, bytes: Buffer.from("\r\n\r\n") }]);
}

interface FieldRange {
  readonly start: number;
  readonly end: number;
  readonly raw: string;
}

/** Undefined for more lines than are looked at. A bare LF ends a line as well: so it does for mailauth. */
function fieldsOf(header: string): FieldRange[] | undefined {
  const fields: FieldRange[] = [];
  let start = 0;
  let lines = 0;
  for (let end = header.indexOf("\n") + 1; end > 0; end = header.indexOf("\n", end) + 1) {
    lines += 1;
    if (lines > MAX_HEADER_LINES) return undefined;
    if (header[end] === " " || header[end] === "\t") continue;
    fields.push({ start, end, raw: header.slice(start, end) });
    start = end;
  }
  return fields;
}

const addressBytes = (fields: readonly FieldRange[]): number =>
  fields
    .filter(({ raw }) => ADDRESS_FIELDS.has(raw.slice(0, raw.indexOf(":")).trim().toLowerCase()))
    .reduce((sum, { raw }) => sum + raw.length, 0);

const isDkim = (raw: string): boolean => /^dkim-signature[ \t]*:/i.test(raw);
const isSignature = (raw: string): boolean => isDkim(raw) || /^arc-message-signature[ \t]*:/i.test(raw);
const isSeal = (raw: string): boolean => /^arc-seal[ \t]*:/i.test(raw);

function hasLongRun(raw: string): boolean {
  for (const [run] of raw.matchAll(RUN)) if (run.length > MAX_RUN) return true;
  return false;
}

/** The values of a tag, read more widely than mailauth does: comments may stand around its name. */
function* tagValues(raw: string, tag: "l" | "t" | "x"): Generator<string> {
  for (const part of unfoldValue(raw.slice(raw.indexOf(":") + 1)).split(";")) {
    const equals = part.indexOf("=");
    const name = /(?:^|[\s)])([a-z])\s*(?:\(|$)/i.exec(equals < 0 ? part : part.slice(0, equals))?.[1];
    if (name?.toLowerCase() === tag) yield part.slice(equals + 1);
  }
}

/** l= lets anybody append to a signed body (RFC 6376 §8.2). */
const isPartial = (raw: string): boolean => !tagValues(raw, "l").next().done;

/** A t= or x= that is no time makes mailauth throw, and the good signatures beside it would go unread. */
const isMalformed = (raw: string): boolean =>
  hasLongRun(raw) ||
  [...tagValues(raw, "t"), ...tagValues(raw, "x")].some((value) => !/^\s*\d{1,12}\s*$/.test(value));
