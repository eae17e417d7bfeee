// The files that a binding's `allow.read` grants: read by the relay, for a script that attaches them.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { isAbsolute, join, matchesGlob } from "node:path";
import { FILE_ABSENT, FILE_DENIED, FILE_TOO_LARGE } from "../../../runtime/contract.ts";
import { isInside, localName } from "../versions/script-file.ts";
import type { JobTask } from "../pool/tasks.ts";

export type GrantedFile = Buffer | typeof FILE_ABSENT | typeof FILE_DENIED | typeof FILE_TOO_LARGE;

/** A name is relative to the script folder, or absolute and below it. The patterns of all calls of the job count. */
export async function readGrantedFile(folder: string, task: JobTask, name: string): Promise<GrantedFile> {
  const path = isAbsolute(name) ? name : join(folder, name);
  const local = localName(folder, path);
  if (local === undefined) return FILE_DENIED;
  const granting = task.calls.filter(({ allow }) =>
    allow.read?.some((pattern) => matchesGlob(local, pattern)),
  );
  if (granting.length === 0) return FILE_DENIED;
  const maxBytes = Math.max(...granting.map(({ limits }) => limits.growthBytes));
  try {
    // A link below the folder may lead anywhere.
    return (await isInside(folder, path)) ? await readOrdinary(path, maxBytes) : FILE_DENIED;
  } catch {
    return FILE_ABSENT;
  }
}

async function readOrdinary(path: string, maxBytes: number): Promise<GrantedFile> {
  // O_NONBLOCK: a FIFO would block a thread for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return FILE_ABSENT;
    if (stats.size > maxBytes) return FILE_TOO_LARGE;
    const bytes = Buffer.alloc(stats.size);
    // What grows meanwhile is cut off: the size is what was admitted.
    const { bytesRead } = await file.read(bytes, 0, stats.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
