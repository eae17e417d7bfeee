// Files that appear whole or not at all: written under a temporary name, synchronised, renamed.
import fs from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import path from "node:path";
import { syncFolder } from "../message/sync-folder.ts";

/** Replaces `target`, also when it exists. The temporary name begins with a dot: no reader of `*.eml` takes it. */
export async function writeWhole(
  target: string,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  sync: boolean,
): Promise<void> {
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.tmp`);
  const handle = await open(temporary, "w", 0o640);
  try {
    try {
      for await (const chunk of chunks) await handle.writeFile(chunk);
      if (sync) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  if (sync) await syncFolder(path.dirname(target));
}

/** writev may write less than asked (a disk that fills up): the rest is written, or its error is the answer. */
export function writeAll(
  handle: number,
  buffers: readonly Buffer[],
  position: number,
  done: (error: Error | null) => void,
): void {
  let wanted = 0;
  for (const buffer of buffers) wanted += buffer.length;
  fs.writev(handle, buffers, position, (error, written) => {
    if (error !== null) return done(error);
    if (written === wanted) return done(null);
    if (written === 0) return done(new Error("the file takes no more bytes"));
    return writeAll(handle, skipBytes(buffers, written), position + written, done);
  });
}

function skipBytes(buffers: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let toSkip = count;
  for (const buffer of buffers) {
    const skipped = Math.min(toSkip, buffer.length);
    toSkip -= skipped;
    if (skipped < buffer.length) rest.push(buffer.subarray(skipped));
  }
  return rest;
}
