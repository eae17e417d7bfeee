// The messages of the service's Drop folder, for scripts whose binding has `allow.drop`: only files with names that the
// service gives its own, so that nothing that somebody else put there can be read or deleted.
import { constants } from "node:fs";
import { open, opendir, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ID_LENGTH } from "../../core/message-ids.ts";
import { codeOf } from "./file-error.ts";

export interface DropFolder {
  readonly folder: string;
  /** Messages that one listing names; those beyond it, the newest ones, are left for the next. */
  readonly maxMessages: number;
}

/**
 * Ids of messages begin with the time, so their order is that of arrival. Behind one the number of
 * a file for further recipients (src/store/drop-part-names.ts).
 */
const OWN_NAME = new RegExp(String.raw`^[0-9A-Z]{${ID_LENGTH}}(?:-\d{1,6})?\.eml$`);

/** Undefined: `wanted` names another folder. */
export async function listDropped(
  { folder, maxMessages }: DropFolder,
  wanted: string,
): Promise<readonly string[] | undefined> {
  if (wanted !== "" && resolve(wanted) !== resolve(folder)) return undefined;
  const names: string[] = [];
  for await (const entry of await opendir(folder))
    if (entry.isFile() && OWN_NAME.test(entry.name)) names.push(entry.name);
  return names.toSorted().slice(0, maxMessages);
}

/** Undefined: it is not there (any more). */
export async function readDropped(
  { folder }: DropFolder,
  name: string,
  maxBytes: number,
): Promise<Buffer | "tooLarge" | undefined> {
  if (!OWN_NAME.test(name)) return undefined;
  let file;
  try {
    // O_NOFOLLOW: a link there may lead anywhere. O_NONBLOCK: a FIFO would block a thread for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    file = await open(join(folder, name), flags);
  } catch {
    return undefined;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return undefined;
    return stats.size > maxBytes ? "tooLarge" : await file.readFile();
  } finally {
    await file.close();
  }
}

/** The names that could not be deleted. One that is gone already is deleted. */
export async function deleteDropped(
  { folder, maxMessages }: DropFolder,
  names: readonly string[],
): Promise<string[]> {
  const left = names.slice(maxMessages);
  for (const name of names.slice(0, maxMessages)) {
    if (OWN_NAME.test(name)) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- thousands at once would starve what else needs the disk
        await unlink(join(folder, name));
        continue;
      } catch (error) {
        if (codeOf(error) === "ENOENT") continue;
      }
    }
    left.push(name);
  }
  return left;
}
