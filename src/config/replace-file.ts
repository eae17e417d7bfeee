// A file of the operator with another text: its place, owner, group and mode stay.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { OnArrivalError, describeError } from "../core/errors.ts";

const MODE_OF_NEW = 0o640;

/** Where the file itself is: a link to it stays a link. */
export const placeOfFile = async (file: string): Promise<string> =>
  existsSync(file) ? realpath(file) : path.resolve(file);

/** Whoever reads the file meanwhile sees the old text or the new one, also after a crash. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const place = await placeOfFile(file);
  const beside = path.join(path.dirname(place), `.${path.basename(place)}.${randomUUID().slice(0, 8)}`);
  try {
    const isNew = !existsSync(place);
    const handle = await open(beside, "wx", isNew ? MODE_OF_NEW : 0o600);
    try {
      if (!isNew) await keepAccess(handle, place);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(beside, place);
  } catch (error) {
    await rm(beside, { force: true });
    throw new OnArrivalError("CONFIG_UNREADABLE", `${file} cannot be written: ${describeError(error)}`, {
      cause: error,
    });
  }
}

/** A service that runs as somebody else must be able to read the file as before. */
async function keepAccess(handle: FileHandle, place: string): Promise<void> {
  const { uid, gid, mode } = await stat(place);
  const own = await handle.stat();
  if (own.uid !== uid || own.gid !== gid) {
    try {
      await handle.chown(uid, gid);
    } catch (cause) {
      const why = `its owner and group (${uid}:${gid}) would change; run the command as root or as its owner`;
      throw new Error(`${why} (${describeError(cause)})`, { cause });
    }
  }
  await handle.chmod(mode & 0o777);
}
