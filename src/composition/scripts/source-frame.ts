// The lines of a script around the place that an error names, with a mark below it.
import { readFile, realpath, stat } from "node:fs/promises";
import path from "node:path";

const LINES_BEFORE = 2;
const LINES_AFTER = 2;
/** A minified line would fill the screen. */
const MAX_COLUMNS = 160;
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** Errors of the sandbox begin with file:line:column when the place is known; the file is relative to the scripts folder. */
const PLACE = /^([^:\n]+):(\d+):(\d+): /;

/** Empty when the error names no place, or the file there is no longer what it was. */
export async function sourceFrame(folder: string, message: string): Promise<readonly string[]> {
  const [, file = "", line = "", column = ""] = PLACE.exec(message) ?? [];
  if (file === "") return [];
  const text = await readSource(folder, file);
  return text === undefined ? [] : frameOf(text.split(/\r?\n/), Number(line), Number(column));
}

async function readSource(folder: string, file: string): Promise<string | undefined> {
  try {
    const target = await realpath(path.join(folder, file));
    if (!target.startsWith(`${await realpath(folder)}${path.sep}`)) return undefined;
    const stats = await stat(target);
    return stats.isFile() && stats.size <= MAX_FILE_BYTES ? await readFile(target, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

function frameOf(lines: readonly string[], line: number, column: number): string[] {
  const first = Math.max(1, line - LINES_BEFORE);
  const last = Math.min(lines.length, line + LINES_AFTER);
  const width = String(last).length;
  const frame: string[] = [];
  for (let number = first; number <= last; number += 1) {
    const isPlace = number === line;
    const written = lines[number - 1] ?? "";
    const text = expanded(written);
    frame.push(
      `${isPlace ? ">" : " "} ${String(number).padStart(width)} | ${text.slice(0, MAX_COLUMNS)}`.trimEnd(),
    );
    const indent = expanded(written.slice(0, Math.max(0, column - 1))).length;
    if (isPlace && indent < MAX_COLUMNS) frame.push(`  ${" ".repeat(width)} | ${" ".repeat(indent)}^`);
  }
  return frame;
}

const expanded = (text: string): string => text.replaceAll("\t", "  ");
