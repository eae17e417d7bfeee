// What changed between two versions of a message, in lines for people.
import { headerBlockLength } from "../../message/content.ts";
import { MimeDocument } from "../../mime/document.ts";
import { Headers } from "../../mime/headers.ts";
import type { MimePart } from "../../mime/part.ts";
import { bufferSource } from "../../mime/source.ts";

/** Lines shown of one change; the rest is counted. */
const MAX_LINES = 40;
const MAX_COLUMNS = 400;
/** Pairs of lines that are compared. */
const MAX_COMPARED = 1_000_000;

/** Message files of Unix have bare line feeds; what arrives by SMTP never has. */
export function toCrlf(message: Buffer): Buffer {
  if (message.includes("\r\n")) return message;
  return Buffer.from(message.toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}

export function headerDifferences(before: Buffer, after: Buffer): string[] {
  return lineDifferences(fieldLines(before), fieldLines(after));
}

function fieldLines(message: Buffer): string[] {
  const headers = new Headers(message.subarray(0, headerBlockLength(message)));
  return headers.entries().map(({ name, value }) => `${name}: ${value}`);
}

/** Leaf parts by their place in the tree: "1.2 text/html". */
export function bodyDifferences(before: Buffer, after: Buffer): string[] {
  const old = leaves(new MimeDocument(bufferSource(before)).root, "1");
  const now = leaves(new MimeDocument(bufferSource(after)).root, "1");
  const changes: string[] = [];
  for (const [place, part] of old) if (!now.has(place)) changes.push(`- part ${describe(place, part)}`);
  for (const [place, part] of now) {
    const earlier = old.get(place);
    if (earlier === undefined) changes.push(`+ part ${describe(place, part)}`);
    else if (!earlier.rawBody().equals(part.rawBody()))
      changes.push(`part ${describe(place, part)}`, ...partDifferences(earlier, part));
  }
  return changes;
}

function leaves(part: MimePart, place: string): Map<string, MimePart> {
  if (!part.isMultipart) return new Map([[place, part]]);
  return new Map(part.children.flatMap((child, index) => [...leaves(child, `${place}.${index + 1}`)]));
}

function describe(place: string, part: MimePart): string {
  const name = part.fileName === "" ? "" : ` ${part.fileName}`;
  return `${place} ${part.mediaType}${name}, ${part.decodedBody().length} bytes`;
}

function partDifferences(before: MimePart, after: MimePart): string[] {
  if (!before.mediaType.startsWith("text/") || !after.mediaType.startsWith("text/"))
    return ["  content replaced"];
  return lineDifferences(textLines(before), textLines(after)).map((line) => `  ${line}`);
}

const textLines = (part: MimePart): string[] => part.text().split(/\r?\n/);

function lineDifferences(before: readonly string[], after: readonly string[]): string[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const shorter = Math.min(before.length, after.length) - start;
  while (end < shorter && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  return shorten(
    middleDifferences(before.slice(start, before.length - end), after.slice(start, after.length - end)),
  );
}

const removed = (line: string): string => `- ${line}`;
const added = (line: string): string => `+ ${line}`;

/** By the longest common subsequence; two long texts that differ all over are shown one after the other. */
function middleDifferences(before: readonly string[], after: readonly string[]): string[] {
  if (before.length * after.length > MAX_COMPARED) return [...before.map(removed), ...after.map(added)];
  const common = commonLengths(before, after);
  const lengthAt = (i: number, j: number): number => common[i]?.[j] ?? 0;
  const changes: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const [old, now] = [before[i], after[j]];
    if (old !== undefined && old === now) {
      i += 1;
      j += 1;
    } else if (now === undefined || (old !== undefined && lengthAt(i + 1, j) >= lengthAt(i, j + 1))) {
      changes.push(removed(old ?? ""));
      i += 1;
    } else {
      changes.push(added(now));
      j += 1;
    }
  }
  return changes;
}

/** Length of the longest common subsequence of what follows, by the places in both. */
function commonLengths(before: readonly string[], after: readonly string[]): readonly Uint32Array[] {
  const table = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    const [row, below] = [table[i], table[i + 1]];
    if (row === undefined || below === undefined) continue;
    for (let j = after.length - 1; j >= 0; j -= 1) {
      row[j] = before[i] === after[j] ? (below[j + 1] ?? 0) + 1 : Math.max(below[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return table;
}

function shorten(lines: readonly string[]): string[] {
  const shown = lines
    .slice(0, MAX_LINES)
    .map((line) => (line.length > MAX_COLUMNS ? `${line.slice(0, MAX_COLUMNS)}…` : line));
  return lines.length <= MAX_LINES ? shown : [...shown, `… and ${lines.length - MAX_LINES} more lines`];
}
