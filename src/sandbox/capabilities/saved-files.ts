// SaveToFile: a file below the script folder that `allow.write` grants appears whole or not at all.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { link, lstat, mkdir, open, realpath, rename, unlink } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, matchesGlob } from "node:path";
import type { Capabilities } from "../../../runtime/contract.ts";
import { localName } from "../versions/script-file.ts";
import { codeOf } from "./file-error.ts";

export interface SaveRequest {
  /** Relative to the script folder, or absolute and below it. */
  readonly name: string;
  readonly replace: boolean;
}

export interface SaveRefusal {
  readonly why: "denied" | "absent" | "exists" | "failed";
  readonly message: string;
}

const refusal = (why: SaveRefusal["why"], message: string): SaveRefusal => ({ why, message });

/** What the service loads from the folder is not for scripts to write, whatever the patterns say. */
const LOADED = /(?:^|\/)(?:node_modules\/|package\.json$|tsconfig\.json$|\.)|\.(?:[cm]?[jt]sx?|node)$/i;

/** A path may name folders that are not there yet, but not a tree without end. */
const MAX_NEW_FOLDERS = 16;

/** Undefined: it is saved. */
export async function saveGrantedFile(
  folder: string,
  { write = [] }: Capabilities,
  { name, replace }: SaveRequest,
  bytes: Buffer,
): Promise<SaveRefusal | undefined> {
  const path = isAbsolute(name) ? name : join(folder, name);
  const covers = (local: string): boolean => write.some((pattern) => matchesGlob(local, pattern));
  const local = localName(folder, path);
  if (local === undefined || !covers(local))
    return refusal("denied", "it is no file below the script folder that allow.write of the binding covers");
  if (LOADED.test(local)) return refusal("denied", "scripts, packages and hidden files cannot be written");
  const target = await realTarget(path);
  if (target === undefined)
    return refusal("absent", `its folder is not there, and no more than ${MAX_NEW_FOLDERS} are made`);
  // A link on the way may lead out of the folder, or to a place in it that is not granted.
  const realLocal = localName(await realpath(folder), target);
  if (realLocal === undefined || !covers(realLocal) || LOADED.test(realLocal))
    return refusal("denied", "a link on its path leads to where allow.write of the binding does not");
  return await place(target, replace, bytes);
}

/** Where the file will lie, links on the way followed; its last folders may still have to be made. */
async function realTarget(path: string): Promise<string | undefined> {
  let folder = dirname(path);
  const missing = [basename(path)];
  while (missing.length <= MAX_NEW_FOLDERS + 1) {
    try {
      return join(await realpath(folder), ...missing);
    } catch (error) {
      // A link that leads nowhere is no folder to be made: what it names may be anywhere.
      if (codeOf(error) !== "ENOENT" || (await isLink(folder))) return undefined;
    }
    missing.unshift(basename(folder));
    folder = dirname(folder);
  }
  return undefined;
}

const isLink = (path: string): Promise<boolean> =>
  lstat(path).then(
    (status) => status.isSymbolicLink(),
    () => false,
  );

async function place(target: string, replace: boolean, bytes: Buffer): Promise<SaveRefusal | undefined> {
  const present = await lstat(target).catch(() => undefined);
  if (present !== undefined && !replace) return refusal("exists", "it is there already");
  if (present?.isFile() === false) return refusal("failed", "it is no ordinary file");
  const unmade = await makeFolders(dirname(target));
  if (unmade !== undefined) return refusal("failed", `its folder cannot be made (${unmade})`);
  const temporary = join(dirname(target), `.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await writeNew(temporary, bytes);
    if (replace) {
      await rename(temporary, target);
      return undefined;
    }
    try {
      // Unlike rename, link fails when another message has made the file meanwhile.
      await link(temporary, target);
    } finally {
      await unlink(temporary);
    }
    return undefined;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    const code = codeOf(error);
    return code === "EEXIST"
      ? refusal("exists", "it is there already")
      : refusal("failed", `it cannot be written (${code})`);
  }
}

/** Answers the code of the error, if there was one. */
const makeFolders = (folder: string): Promise<string | undefined> =>
  mkdir(folder, { recursive: true, mode: 0o750 }).then(() => undefined, codeOf);

async function writeNew(path: string, bytes: Buffer): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o640);
  try {
    await file.writeFile(bytes);
  } finally {
    await file.close();
  }
}
