// The byte offsets of every part and field against those that another implementation (Stalwart's mail-parser) found.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MimeDocument } from "../../src/mime/document.ts";
import { Headers } from "../../src/mime/headers.ts";
import type { MimePart } from "../../src/mime/part.ts";
import { bufferSource } from "../../src/mime/source.ts";

interface OracleField {
  readonly name: string | { readonly other: string };
  readonly offset_field: number;
  readonly offset_end: number;
}
interface OraclePart {
  readonly headers: readonly OracleField[];
  readonly offset_header: number;
  readonly offset_body: number;
  readonly offset_end: number;
}
interface OracleMessage {
  readonly parts: readonly OraclePart[];
}

/** "0-40" */
type Span = string;

interface PartOffsets {
  readonly header: Span;
  readonly body: Span;
  readonly fields: Record<string, Span[]>;
}

const folder = join(process.env["CORPUS_DIR"] ?? "", "stalwart-offsets");
const present = process.env["CORPUS_DIR"] !== undefined && existsSync(folder);
if (!present) console.log("CORPUS_DIR names no folder with stalwart-offsets: the offsets oracle is skipped");

/** Neighbouring spans as one: that is how edits of them look, too. */
function merged(spans: readonly (readonly [number, number])[]): Span[] {
  const found: [number, number][] = [];
  for (const [start, end] of spans) {
    const last = found.at(-1);
    if (last?.[1] === start) last[1] = end;
    else found.push([start, end]);
  }
  return found.map(([start, end]) => `${start}-${end}`);
}

function ourOffsets(part: MimePart): PartOffsets {
  const range = part.headerRange;
  if (range === undefined) throw new Error("a part of the original has a header block");
  const { body } = part;
  const bodyRange = body.kind === "bytes" ? body.range : body.layout?.range;
  const block = range.source.slice(range.start, range.end);
  const fields: Record<string, Span[]> = {};
  for (const { name } of new Headers(block).entries()) {
    const headers = new Headers(block);
    headers.remove(name);
    fields[name.toLowerCase()] = merged(headers.splices(range.start).map(({ start, end }) => [start, end]));
  }
  return {
    header: `${range.start}-${range.end}`,
    body: bodyRange === undefined ? "" : `${bodyRange.start}-${bodyRange.end}`,
    fields,
  };
}

/** In reading order, as the oracle lists them; nothing inside message/rfc822. */
function allOurs(root: MimePart): PartOffsets[] {
  const found: PartOffsets[] = [];
  const stack = [root];
  for (let part = stack.pop(); part !== undefined; part = stack.pop()) {
    const { children } = part;
    found.push(ourOffsets(part));
    stack.push(...children.toReversed());
  }
  return found;
}

function theirOffsets(part: OraclePart): PartOffsets {
  const spans = new Map<string, [number, number][]>();
  for (const { name, offset_field, offset_end } of part.headers) {
    const key = (typeof name === "string" ? name.replaceAll("_", "-") : name.other).toLowerCase();
    spans.set(key, [...(spans.get(key) ?? []), [offset_field, offset_end]]);
  }
  return {
    header: `${part.offset_header}-${part.offset_body}`,
    body: `${part.offset_body}-${part.offset_end}`,
    fields: Object.fromEntries([...spans].map(([name, list]) => [name, merged(list)])),
  };
}

/** Why the document reads some messages otherwise; docs/mime.md says more. */
const REASONS = {
  noBlankLine: "a part whose header block has no blank line is a part",
  outerEnds: "a delimiter of an outer multipart ends every part inside it",
  wholeLine: "a delimiter is a whole line: no longer line that begins so, no text before it",
  lastPart: "a delimiter line at the end of the message opens an empty part",
  blankLine:
    "the line break before a delimiter belongs to the delimiter, the blank line of an empty part too",
  firstField: "of two Content-Type fields the first counts",
  leafMessage: "the body of a message/rfc822 ends before the line break of the delimiter, whatever is in it",
  lastByte: "a bare CR at the end is a byte of the body",
} as const;

const JUSTIFIED: Record<string, readonly (keyof typeof REASONS)[]> = {
  "legacy/049": ["lastByte"],
  "malformed/000": ["noBlankLine"],
  "malformed/001": ["outerEnds"],
  "malformed/003": ["outerEnds", "blankLine"],
  "malformed/004": ["wholeLine"],
  "malformed/005": ["wholeLine"],
  "malformed/007": ["noBlankLine"],
  "malformed/008": ["outerEnds", "blankLine"],
  "malformed/009": ["outerEnds"],
  "malformed/011": ["outerEnds"],
  "malformed/012": ["outerEnds"],
  "malformed/013": ["lastPart"],
  "malformed/014": ["lastPart"],
  "malformed/016": ["outerEnds", "wholeLine"],
  "malformed/019": ["blankLine", "wholeLine"],
  "malformed/020": ["firstField"],
  "malformed/021": ["firstField"],
  "malformed/022": ["leafMessage"],
  "thirdparty/005": ["wholeLine"],
  "thirdparty/011": ["blankLine"],
  "thirdparty/015": ["outerEnds", "leafMessage"],
};

function compare(ours: readonly PartOffsets[], theirs: readonly PartOffsets[]): string {
  if (ours.length !== theirs.length) return `parts ${ours.length} for ${theirs.length}`;
  const found: string[] = [];
  for (const [index, mine] of ours.entries()) {
    const other = theirs[index];
    if (other === undefined) continue;
    if (mine.header !== other.header) found.push(`header of ${index}: ${mine.header} for ${other.header}`);
    if (mine.body !== other.body) found.push(`body of ${index}: ${mine.body} for ${other.body}`);
    for (const name of new Set([...Object.keys(mine.fields), ...Object.keys(other.fields)])) {
      const [a, b] = [mine.fields[name]?.join(" ") ?? "none", other.fields[name]?.join(" ") ?? "none"];
      if (a !== b) found.push(`field ${name} of ${index}: ${a} for ${b}`);
    }
  }
  return found.join("; ");
}

const messages = present
  ? readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".eml"))
  : ["none"];

test.skipIf(!present).each(messages.toSorted())("the offsets of %s", (name) => {
  const published = readFileSync(join(folder, name), "latin1");
  const base = name.replace(/\.eml$/, "");
  const twins: [string, string][] = [
    [".json", published.replaceAll("\r\n", "\n")],
    [".crlf.json", published.replaceAll(/\r?\n/g, "\r\n")],
  ];
  const found = twins.map(([suffix, text]) => {
    const oracle = JSON.parse(readFileSync(join(folder, base + suffix), "utf8")) as OracleMessage;
    const doc = new MimeDocument(bufferSource(Buffer.from(text, "latin1")));
    return compare(allOurs(doc.root), oracle.parts.map(theirOffsets));
  });
  // A listed message must differ still: the list may not outlive its reasons.
  if (JUSTIFIED[base] === undefined) expect(found).toEqual(["", ""]);
  else expect(found.join("")).not.toBe("");
});
