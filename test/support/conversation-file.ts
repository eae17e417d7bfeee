// Reads test/conversations/**/*.smtp: dialogues as text. The notation is described in test/conversations/README.md.
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export type Step =
  /** `C:` lines up to the next other line: one packet, or what one client has to say. */
  | { readonly kind: "client"; readonly lines: readonly string[]; readonly at: number }
  /** `S:` lines of one reply. */
  | { readonly kind: "server"; readonly lines: readonly string[]; readonly at: number }
  | { readonly kind: "order"; readonly name: string; readonly argument: string; readonly at: number };

export interface Dialogue {
  readonly file: string;
  readonly title: string;
  readonly steps: readonly Step[];
}

const FOLDER = fileURLToPath(new URL("../conversations", import.meta.url));

export function readDialogues(folder: "inbound" | "outbound"): Dialogue[] {
  return globSync(`${folder}/*.smtp`, { cwd: FOLDER })
    .toSorted()
    .flatMap((file) => parseDialogues(file, readFileSync(path.join(FOLDER, file), "utf8")));
}

/** What stands before the first title holds for every dialogue of the file. */
export function parseDialogues(file: string, text: string): Dialogue[] {
  const preface: Step[] = [];
  const dialogues: { title: string; steps: Step[] }[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const title = /^== (.+)$/.exec(line)?.[1];
    const steps = dialogues.at(-1)?.steps ?? preface;
    if (title !== undefined) dialogues.push({ title, steps: [...preface] });
    else addLine(steps, line, index + 1, file);
  }
  return dialogues.map((dialogue) => ({ file, ...dialogue }));
}

function addLine(steps: Step[], line: string, at: number, file: string): void {
  const said = /^([CS]): ?(.*)$/.exec(line);
  const order = /^@(\w+)(?: (.*))?$/.exec(line);
  if (said !== null) addSaid(steps, said[1] === "C" ? "client" : "server", said[2] ?? "", at);
  else if (order !== null) steps.push({ kind: "order", name: order[1] ?? "", argument: order[2] ?? "", at });
  else throw new Error(`${file}:${at}: neither C:, S:, @word, == title nor # comment`);
}

function addSaid(steps: Step[], kind: "client" | "server", text: string, at: number): void {
  const before = steps.at(-1);
  const isSame = before?.kind === kind && (kind === "client" || !isLastLine(before.lines.at(-1) ?? ""));
  if (isSame) steps.splice(-1, 1, { ...before, lines: [...before.lines, text] });
  else steps.push({ kind, lines: [text], at });
}

/** `250-` and `...` go on, everything else ends a reply (RFC 5321 §4.2.1). */
const isLastLine = (line: string): boolean => line !== "..." && !/^\d{3}-/.test(line);

/** `\r`, `\n`, `\0`, `\xHH` and `\\` in a line of a fixture; the rest is UTF-8. */
export function unescape(text: string): Buffer {
  const pieces = text.split(/\\(x[0-9a-fA-F]{2}|[rn0t\\])/);
  return Buffer.concat(pieces.map((piece, index) => (index % 2 === 0 ? Buffer.from(piece) : byteOf(piece))));
}

const LETTERS: Readonly<Record<string, number>> = { r: 13, n: 10, "0": 0, t: 9, "\\": 92 };
const byteOf = (name: string): Buffer => Buffer.from([LETTERS[name] ?? Number.parseInt(name.slice(1), 16)]);

/** `*` is any text within a line, `...` any number of lines. */
export function matchesLines(patterns: readonly string[], lines: readonly string[]): boolean {
  const [pattern, ...others] = patterns;
  if (pattern === undefined) return lines.length === 0;
  if (pattern === "...")
    return lines.some((_, from) => matchesLines(others, lines.slice(from))) || matchesLines(others, []);
  const [line, ...rest] = lines;
  return line !== undefined && matchesLine(pattern, line) && matchesLines(others, rest);
}

export function matchesLine(pattern: string, line: string): boolean {
  const pieces = pattern.split("*").map((piece) => piece.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pieces.join(".*")}$`).test(line);
}
