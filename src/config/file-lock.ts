// One edit of a file after the other: commands that edit it at the same time each find what the one before has written.
import { open, rm, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemCodeOf } from "../core/system-error.ts";

/** An edit takes a fraction of this: an older lock was left behind by a command that was killed. */
const STALE_MS = 10_000;
const RETRY_MS = 20;

/** Waits for whoever has it. Disposing gives it back. */
export async function lockFile(file: string): Promise<AsyncDisposable> {
  const lock = path.join(path.dirname(file), `.${path.basename(file)}.lock`);
  // oxlint-disable-next-line no-await-in-loop -- each try comes after the one before
  while (!(await isCreated(lock))) await delay(RETRY_MS);
  return { [Symbol.asyncDispose]: () => rm(lock, { force: true }) };
}

async function isCreated(lock: string): Promise<boolean> {
  try {
    await (await open(lock, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if (systemCodeOf(error) !== "EEXIST") throw error;
  }
  // A clock that was set back makes the lock one of the future.
  const made = (await stat(lock).catch(() => undefined))?.mtimeMs;
  if (made !== undefined && Math.abs(Date.now() - made) > STALE_MS) await rm(lock, { force: true });
  return false;
}
