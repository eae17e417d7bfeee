// What changed between two versions of a message, in lines for people.
import { headerBlockLength } from "../message/content.ts";
import { MimeDocument } from "../mime/document.ts";
import { Headers } from "../mime/headers.ts";
import type { MimePart } from "../mime/part.ts";
import { bufferSource } from "../mime/source.ts";

/** Lines shown of one change; the rest is counted. */
const MAX_LINES = 40;

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

/** What lies between the common start and the common end: enough to see an edit. */
function lineDifferences(before: readonly string[], after: readonly string[]): string[] {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (
    end < before.length - start &&
    end < after.length - start &&
    before.at(-1 - end) === after.at(-1 - end)
  )
    end += 1;
  const removed = before.slice(start, before.length - end).map((line) => `- ${line}`);
  const added = after.slice(start, after.length - end).map((line) => `+ ${line}`);
  return [...shorten(removed), ...shorten(added)];
}

function shorten(lines: readonly string[]): string[] {
  if (lines.length <= MAX_LINES) return [...lines];
  return [...lines.slice(0, MAX_LINES), `… and ${lines.length - MAX_LINES} more lines`];
}
