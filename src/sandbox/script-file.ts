// Reads one file of the script folder, and refuses what is no ordinary file inside it.
import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, open, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";

export const MAX_SCRIPT_BYTES = 2 * 1024 * 1024;

export type ScriptFile =
  | { readonly kind: "source"; readonly text: string; readonly hash: string }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "absent" };

const refused = (reason: string): ScriptFile => ({ kind: "refused", reason });

/** Whether a name directly in the folder is a sink. Type declarations are not, nor what editors leave behind. */
export function isSinkName(name: string): boolean {
  return (
    /^[^_.].*\.(?:js|mjs|ts)$/.test(name) &&
    !name.endsWith(".d.ts") &&
    !name.includes("/") &&
    !name.includes("\\")
  );
}

export function contentHash(...parts: (string | Buffer)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** What keeps an entry of the folder from being read as a file, or undefined. */
export function fileProblem(stats: Stats): string | undefined {
  if (stats.isDirectory()) return "is a directory, not a file";
  if (stats.isFIFO()) return "is a FIFO, not a file";
  if (!stats.isFile()) return "is no ordinary file";
  if (stats.size > MAX_SCRIPT_BYTES) return `has ${stats.size} bytes; a script may have ${MAX_SCRIPT_BYTES}`;
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
    return problem === undefined ? await readText(path) : refused(problem);
  } catch (error) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what node:fs throws
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent" };
    return refused(`cannot be read (${code ?? String(error)})`);
  }
}

async function readText(path: string): Promise<ScriptFile> {
  // O_NONBLOCK: a FIFO that took the file's place a moment ago would block a thread for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const problem = fileProblem(await file.stat());
    if (problem !== undefined) return refused(problem);
    const bytes = await file.readFile();
    const text = decodeUtf8(bytes);
    return text === undefined
      ? refused("is not UTF-8; save it with that encoding")
      : { kind: "source", text, hash: contentHash(bytes) };
  } finally {
    await file.close();
  }
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    // The decoder drops a byte order mark.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
