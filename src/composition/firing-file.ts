// How often bindings with maxFirings were called, in a small file of the mailroot: a restart does not bring them back to life.
import { readFile } from "node:fs/promises";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Firings } from "../events/firings.ts";
import { writeWhole } from "../store/durable-file.ts";

export interface FiringFile extends Firings {
  /** Resolves when all counts are on disk, or cannot be written. */
  flush(): Promise<void>;
}

export async function openFiringFile(file: string, log: Logger): Promise<FiringFile> {
  const counts = await readCounts(file, log);
  let dirty = false;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    // Calls that come while the file is being written share the next writing.
    while (dirty) {
      dirty = false;
      const json = JSON.stringify(Object.fromEntries(counts), undefined, 2);
      try {
        // oxlint-disable-next-line no-await-in-loop
        await writeWhole(file, [Buffer.from(`${json}\n`)], true);
      } catch (thrown) {
        log.error(
          { file, error: describeError(thrown) },
          "counts of maxFirings could not be written; the next call tries again",
        );
      }
    }
    writing = undefined;
  };
  return {
    get: (bindingId) => counts.get(bindingId),
    set(bindingId, fired) {
      counts.set(bindingId, fired);
      dirty = true;
      writing ??= write();
    },
    flush: () => writing ?? Promise.resolve(),
  };
}

async function readCounts(file: string, log: Logger): Promise<Map<string, number>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return new Map();
    log.error({ file, error: describeError(thrown) }, "counts of maxFirings cannot be read; they begin anew");
    return new Map();
  }
  try {
    const parsed: unknown = JSON.parse(text);
    const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
    return new Map(entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1])));
  } catch (thrown) {
    log.error({ file, error: describeError(thrown) }, "counts of maxFirings are damaged; they begin anew");
    return new Map();
  }
}
