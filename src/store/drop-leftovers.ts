// What a killed run left half written in Drop. The messages are still in the store, and their recipients get whole files.
import { opendir, stat, unlink } from "node:fs/promises";
import path from "node:path";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { ID_LENGTH } from "../core/message-ids.ts";

/** As Drop calls what it writes: of other programs' files in the folder none is touched. */
const OURS = new RegExp(String.raw`^\.[0-9A-Z]{${ID_LENGTH}}(?:-\d+)?(?:\.eml)?\.tmp$`);

/** A younger one may be in the hands of another run that ends just now, ms. */
const OLD_MS = 60_000;

/** To be called before anything is delivered. Never rejects: a file that stays does no harm. */
export async function removeLeftovers(folder: string, now: number, logger: Logger): Promise<void> {
  let removed = 0;
  try {
    for await (const { name } of await opendir(folder, { bufferSize: 1000 }))
      if (OURS.test(name) && (await isRemoved(path.join(folder, name), now))) removed += 1;
  } catch (error) {
    logger.warn({ folder, error: describeError(error) }, "unfinished files in Drop could not be removed");
  }
  if (removed > 0)
    logger.info({ folder, files: removed }, "unfinished files of an earlier run removed from Drop");
}

async function isRemoved(file: string, now: number): Promise<boolean> {
  const { mtimeMs } = await stat(file);
  if (now - mtimeMs < OLD_MS) return false;
  await unlink(file);
  return true;
}
