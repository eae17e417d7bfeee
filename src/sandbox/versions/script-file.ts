// Reads one file of the script folder, and refuses what is no ordinary file inside it.
import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { systemCodeOf } from "../../core/system-error.ts";

const MAX_SCRIPT_BYTES = 2 * 1024 * 1024;
/** O_NONBLOCK: a FIFO in the place of the file would block a thread for ever. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

export type ScriptFile =
  | (Omit<FileBytes, "kind"> & { readonly kind: "source"; readonly text: string })
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
  /** When the file was last changed as the volume has it, ms since the epoch. */
  readonly changedAt: number;
}

/** In the script folder: what an installation of packages changes. */
export const PACKAGE_FILES = ["package.json", "node_modules", "node_modules/.package-lock.json"];

const refused = (reason: string): Refusal => ({ kind: "refused", reason });

const TEST_NAME = /^([^_.].*)\.test\.(?:js|mjs|ts)$/s;

/** Whether a name directly in the folder is a sink. Type declarations and tests are not, nor what editors leave behind. */
export function isSinkName(name: string): boolean {
  return (
    /^[^_.].*\.(?:js|mjs|ts)$/s.test(name) &&
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
function fileProblem(stats: Stats, maxBytes: number): string | undefined {
  if (stats.isDirectory()) return "is a directory, not a file";
  if (stats.isFIFO()) return "is a FIFO, not a file";
  if (!stats.isFile()) return "is no ordinary file";
  if (stats.size > maxBytes) return `has ${stats.size} bytes; it may have ${maxBytes}`;
  return undefined;
}

export async function isInside(folder: string, path: string): Promise<boolean> {
  const [inner, outer] = await Promise.all([realpath(path), realpath(folder)]);
  return `${inner}${sep}`.startsWith(`${outer}${sep}`);
}

/** The path of a file below the folder as patterns know it: relative, with forward slashes. Undefined for any other path. */
export function localName(folder: string, path: string): string | undefined {
  const local = relative(folder, path).split(sep).join("/");
  const isOutside = local === "" || local.startsWith("../") || local === ".." || isAbsolute(local);
  return isOutside || local.includes("\0") ? undefined : local;
}

export async function readScriptFile(folder: string, name: string): Promise<ScriptFile> {
  const path = join(folder, name);
  try {
    const plain = await openPlain(path);
    if (plain === undefined && !(await isInside(folder, path)))
      return refused("is a link that leads out of the script folder");
    const file = await readOrdinary(plain ?? (await open(path, OPEN_FLAGS)), MAX_SCRIPT_BYTES);
    return file.kind === "refused" ? file : sourceOf(file);
  } catch (error) {
    const code = systemCodeOf(error);
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
    return await readOrdinary(await open(path, OPEN_FLAGS), maxBytes);
  } catch (error) {
    return refused(`cannot be read (${systemCodeOf(error) ?? String(error)})`);
  }
}

/** A save is live as soon as its file was read twice, and each question to the system waits for a thread: few are asked. */
async function readOrdinary(file: FileHandle, maxBytes: number): Promise<FileBytes | Refusal> {
  try {
    const stats = await file.stat();
    const problem = fileProblem(stats, maxBytes);
    if (problem !== undefined) return refused(problem);
    const bytes = await readWhole(file, stats.size);
    return { kind: "bytes", bytes, hash: contentHash(bytes), changedAt: stats.ctimeMs };
  } finally {
    // Nobody waits for it, and nothing was written that could be lost.
    file.close().catch(() => undefined);
  }
}

async function readWhole(file: FileHandle, size: number): Promise<Buffer> {
  // One byte more than it has: what is read is then known to be all.
  const buffer = Buffer.allocUnsafe(size + 1);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return bytesRead === size ? buffer.subarray(0, size) : file.readFile();
}

/** Undefined for a symbolic link, which is to be looked at first. */
async function openPlain(path: string): Promise<FileHandle | undefined> {
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- Windows has none
  if (constants.O_NOFOLLOW === undefined && (await lstat(path)).isSymbolicLink()) return undefined;
  try {
    return await open(path, OPEN_FLAGS | constants.O_NOFOLLOW);
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === "ELOOP" || code === "EMLINK") return undefined;
    throw error;
  }
}

function sourceOf({ bytes, hash, changedAt }: FileBytes): ScriptFile {
  try {
    // The decoder drops a byte order mark.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { kind: "source", text, bytes, hash, changedAt };
  } catch {
    return refused("is not UTF-8; save it with that encoding");
  }
}
