// Reads one file of the script folder, and refuses what is no ordinary file inside it.
import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, open, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";

const MAX_SCRIPT_BYTES = 2 * 1024 * 1024;

export type ScriptFile =
  | { readonly kind: "source"; readonly text: string; readonly bytes: Buffer; readonly hash: string }
  | Refusal
  | { readonly kind: "absent" };

export interface Refusal {
  readonly kind: "refused";
  readonly reason: string;
}

export interface FileBytes {
  readonly kind: "bytes";
  readonly bytes: Buffer;
  readonly hash: string;
}

/** In the script folder: what an installation of packages changes. */
export const PACKAGE_FILES = ["package.json", "node_modules", "node_modules/.package-lock.json"];

const refused = (reason: string): Refusal => ({ kind: "refused", reason });

const TEST_NAME = /^([^_.].*)\.test\.(?:js|mjs|ts)$/;

/** Whether a name directly in the folder is a sink. Type declarations and tests are not, nor what editors leave behind. */
export function isSinkName(name: string): boolean {
  return (
    /^[^_.].*\.(?:js|mjs|ts)$/.test(name) &&
    !name.endsWith(".d.ts") &&
    !TEST_NAME.test(name) &&
    !name.includes("/") &&
    !name.includes("\\")
  );
}

/** "tag" of tag.test.ts, which tests tag.ts; undefined of any other name. */
export const testedStem = (name: string): string | undefined => TEST_NAME.exec(name)?.[1];

export const stemOf = (name: string): string => name.replace(/\.(?:js|mjs|ts)$/, "");

export function contentHash(...parts: (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** What keeps an entry of the folder from being read as a file, or undefined. */
function fileProblem(stats: Stats, maxBytes = MAX_SCRIPT_BYTES): string | undefined {
  if (stats.isDirectory()) return "is a directory, not a file";
  if (stats.isFIFO()) return "is a FIFO, not a file";
  if (!stats.isFile()) return "is no ordinary file";
  if (stats.size > maxBytes) return `has ${stats.size} bytes; it may have ${maxBytes}`;
  return undefined;
}

export async function isInside(folder: string, path: string): Promise<boolean> {
  return `${await realpath(path)}${sep}`.startsWith(`${await realpath(folder)}${sep}`);
}

export async function readScriptFile(folder: string, name: string): Promise<ScriptFile> {
  const path = join(folder, name);
  try {
    if ((await lstat(path)).isSymbolicLink() && !(await isInside(folder, path)))
      return refused("is a link that leads out of the script folder");
    const problem = fileProblem(await stat(path));
    if (problem !== undefined) return refused(problem);
    const file = await readOrdinary(path, MAX_SCRIPT_BYTES);
    return file.kind === "refused" ? file : sourceOf(file);
  } catch (error) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what node:fs throws
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent" };
    return refused(`cannot be read (${code ?? String(error)})`);
  }
}

/** A file that a script names, by its absolute path. */
export async function readInside(
  folder: string,
  path: string,
  maxBytes = MAX_SCRIPT_BYTES,
): Promise<FileBytes | Refusal> {
  try {
    if (!(await isInside(folder, path))) return refused("lies outside the script folder");
    return await readOrdinary(path, maxBytes);
  } catch (error) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what node:fs throws
    return refused(`cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
}

async function readOrdinary(path: string, maxBytes: number): Promise<FileBytes | Refusal> {
  // O_NONBLOCK: a FIFO that took the file's place a moment ago would block a thread for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const problem = fileProblem(await file.stat(), maxBytes);
    if (problem !== undefined) return refused(problem);
    const bytes = await file.readFile();
    return { kind: "bytes", bytes, hash: contentHash(bytes) };
  } finally {
    await file.close();
  }
}

function sourceOf({ bytes, hash }: FileBytes): ScriptFile {
  try {
    // The decoder drops a byte order mark.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { kind: "source", text, bytes, hash };
  } catch {
    return refused("is not UTF-8; save it with that encoding");
  }
}
