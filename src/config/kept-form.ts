// What an edit of a YAML file leaves alone stays as it was written: the library writes the whole file anew, in its own spacing.
import { isDeepStrictEqual } from "node:util";
import { type Document, isMap, isScalar, parseDocument, type ToStringOptions } from "yaml";

/** How files are written: what is added has to stand under what is there. The first is the library's own way. */
const FORMS: readonly ToStringOptions[] = [2, 4].flatMap((indent) =>
  [true, false].flatMap((indentSeq) =>
    [true, false].map((flowCollectionPadding) => ({ indent, indentSeq, flowCollectionPadding })),
  ),
);

const written = (document: Document, form: ToStringOptions): string =>
  document.toString({ ...form, lineWidth: 0 });

/** The text of an edited document: that of the original with the changed lines in it or, where that cannot be, with the changed keys. */
export function textOfEdit(edited: Document, original = ""): string {
  const lineEnd = original.includes("\r\n") ? "\r\n" : "\n";
  const unedited = parseDocument(original);
  const wanted: unknown = edited.toJS();
  const lines = new Set(original.split(/\r?\n/));
  const likeness = (before: string): number => before.split("\n").filter((line) => lines.has(line)).length;
  const forms = FORMS.map((form) => ({ form, before: written(unedited, form) })).toSorted(
    (one, other) => likeness(other.before) - likeness(one.before),
  );
  for (const mustSplice of [true, false]) {
    for (const { form, before } of forms) {
      const texts = { original, before, after: written(edited, form) };
      const text = joined(texts, mustSplice)?.join("").replaceAll(/\r?\n/g, lineEnd);
      if (text !== undefined && says(text, wanted)) return text;
    }
  }
  return edited.toString({ lineWidth: 0 }).replaceAll("\n", lineEnd);
}

function says(text: string, wanted: unknown): boolean {
  const document = parseDocument(text);
  return document.errors.length === 0 && isDeepStrictEqual(document.toJS(), wanted);
}

/** `before` is the original in the library's form, `after` the edited one. */
interface Forms {
  readonly original: string;
  readonly before: string;
  readonly after: string;
}

function joined(forms: Forms, mustSplice: boolean): string[] | undefined {
  const [original, before, after] = [forms.original, forms.before, forms.after].map(sections);
  if (original === undefined || before === undefined || after === undefined) return undefined;
  const texts: string[] = [];
  for (const [key, edited] of after) {
    const [own, unedited] = [original.get(key), before.get(key)];
    const isWhole = own === undefined || unedited === undefined || (!mustSplice && unedited !== edited);
    const text = isWhole ? edited : splice({ original: own, before: unedited, after: edited });
    if (text === undefined && mustSplice) return undefined;
    texts.push(withLineEnd(text ?? edited));
  }
  return texts;
}

const withLineEnd = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** The lines of each top key, and under "" what stands before the first. */
function sections(text: string): Map<string, string> | undefined {
  const { contents } = parseDocument(text);
  if (!isMap(contents) || contents.flow === true) return undefined;
  const found = new Map<string, string>();
  let [last, from] = ["", 0];
  for (const { key } of contents.items) {
    if (!isScalar(key)) return undefined;
    const start = text.lastIndexOf("\n", key.range?.[0]) + 1;
    found.set(last, text.slice(from, start));
    [last, from] = [String(key.value), start];
  }
  return found.set(last, text.slice(from));
}

/** The forms differ in blanks: what else stands before a place finds it again. */
function splice({ original, before, after }: Forms): string | undefined {
  if (before === after) return original;
  if (solid(original) !== solid(before)) return undefined;
  const [lines, old, now] = [original.split(/\r?\n/), before.split("\n"), after.split("\n")];
  const shorter = Math.min(old.length, now.length);
  let head = 0;
  while (head < shorter && old[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const [headLines, tailLines] = [old.slice(0, head), old.slice(old.length - tail)];
  const from = placesAfter(lines, solid(headLines.join("")).length);
  const to = placesAfter(lines, solid(original).length - solid(tailLines.join("")).length);
  // Blank lines between belong to the side that has one in the library's form, too.
  const start = isBlank(headLines.at(-1)) ? from.at(-1) : from[0];
  const end = isBlank(tailLines[0]) ? to[0] : to.at(-1);
  if (start === undefined || end === undefined) return undefined;
  const changed = now.slice(head, now.length - tail);
  return [...lines.slice(0, start), ...changed, ...lines.slice(Math.max(start, end))].join("\n");
}

const solid = (text: string): string => text.replaceAll(/\s+/g, "");

const isBlank = (line: string | undefined): boolean => line?.trim() === "";

/** Numbers of first lines that together have so many characters that are no blanks. */
function placesAfter(lines: readonly string[], count: number): number[] {
  const places: number[] = [];
  let seen = 0;
  for (let at = 0; at <= lines.length && seen <= count; at += 1) {
    if (seen === count) places.push(at);
    seen += solid(lines[at] ?? "").length;
  }
  return places;
}
