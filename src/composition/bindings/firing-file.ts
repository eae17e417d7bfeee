// How often bindings with maxFirings were called, in a small file of the mailroot: a restart does not bring them back to life.
import { readFile } from "node:fs/promises";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isMissing } from "../../core/system-error.ts";
import type { Binding } from "../../events/binding.ts";
import type { Firings } from "../../events/firings.ts";
import { writeWhole } from "../../store/durable-file.ts";

/** In the mailroot of the service. */
export const FIRING_FILE = "firings.json";

export interface FiringFile extends Firings {
  /** Resolves when all counts are on disk, or cannot be written. */
  flush(): Promise<void>;
}

export async function openFiringFile(file: string, log: Logger): Promise<FiringFile> {
  const counts = await readCounts(file, log);
  const open = new Map<unknown, Binding[]>();
  let dirty = false;
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    // Calls that come while the file is being written share the next writing.
    while (dirty) {
      dirty = false;
      const settled = new Map(counts);
      for (const { id } of [...open.values()].flat()) settled.set(id, (settled.get(id) ?? 1) - 1);
      const json = JSON.stringify(Object.fromEntries(settled), undefined, 2);
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
    open,
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
  const { counts, problem } = await readFirings(file);
  if (problem !== undefined)
    log.error({ file, error: problem }, "counts of maxFirings are lost; they begin anew");
  return new Map(counts);
}

/** What the file holds, also while a service writes it. `problem`: it cannot be read, or is damaged. */
export async function readFirings(
  file: string,
): Promise<{ readonly counts: ReadonlyMap<string, number>; readonly problem?: string }> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, "utf8"));
    const entries = typeof parsed === "object" && parsed !== null ? Object.entries(parsed) : [];
    const counts = entries.filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]));
    return { counts: new Map(counts) };
  } catch (thrown) {
    if (isMissing(thrown)) return { counts: new Map() };
    return { counts: new Map(), problem: describeError(thrown) };
  }
}
