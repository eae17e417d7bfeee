// The lock of a mailroot: one running service per Queue folder.
import { closeSync, existsSync, openSync, statSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OnArrivalError, describeError } from "../core/errors.ts";

export interface MailrootLock {
  /** The folder was removed or exchanged: takes the lock of the one that is there now, or throws as lockMailroot does. */
  retake(): void;
  release(): void;
}

/**
 * Node offers no flock, and a pid file races: two starters can both find it stale, and a pid is used again. SQLite
 * takes a real lock of the operating system (fcntl, LockFileEx), which ends with the process however it ends; an
 * exclusive transaction that is never committed holds it and writes nothing.
 */
export function lockMailroot(folder: string): MailrootLock {
  const file = path.join(folder, "lock.db");
  const inode = (): number | undefined => statSync(file, { throwIfNoEntry: false })?.ino;
  let held = lockFile(folder, file);
  let heldInode = inode();
  return {
    retake() {
      if (inode() === heldInode) return;
      const before = held;
      held = lockFile(folder, file);
      heldInode = inode();
      before.close();
    },
    release: () => held.close(),
  };
}

function lockFile(folder: string, file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // Whoever may read the file may hold a read lock on it, and the service would not start. One that is there stays closed: a
    // close ends all locks that this process has on it (fcntl).
    if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
    database = new DatabaseSync(file);
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database?.close();
    const text = describeError(error);
    if (/locked|busy/i.test(text)) {
      throw new OnArrivalError("MAILROOT_LOCKED", `${folder} is in use by another running service`, {
        cause: error,
      });
    }
    throw new OnArrivalError("MAILROOT_UNUSABLE", `${file}: ${text}`, { cause: error });
  }
}
