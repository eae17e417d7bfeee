// The queues that the operator has frozen, as they outlive the service: a file beside the messages.
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { OnArrivalError, describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isMissing } from "../../core/system-error.ts";
import { Turns } from "../../core/turns.ts";
import { writeWhole } from "../../store/durable-file.ts";
import type { FrozenQueues } from "../../transport/queues/queue-set.ts";

/** `folder`: <mailroot>/Queue. A file that cannot be read freezes nothing, and says so. */
export function openFrozenQueues(folder: string, log: Logger): FrozenQueues {
  const file = path.join(folder, "frozen.json");
  const failed = (what: string, thrown: unknown): void =>
    log.error({ file, error: describeError(thrown) }, what);
  const turns = new Turns(1);
  const write = async (names: readonly string[]): Promise<void> => {
    try {
      await mkdir(folder, { recursive: true });
      await writeWhole(file, [Buffer.from(`${JSON.stringify(names, undefined, 1)}\n`)], true);
    } catch (thrown) {
      failed("frozen queues are not kept over a restart", thrown);
      const why = `${file} cannot be written: ${describeError(thrown)}`;
      throw new OnArrivalError("FREEZE_NOT_KEPT", `the change lasts until the service restarts: ${why}`, {
        cause: thrown,
      });
    }
  };
  return {
    names: readNames(file, (thrown) =>
      failed("the list of frozen queues cannot be read: none is frozen", thrown),
    ),
    save: (names) => turns.take(() => write(names)),
  };
}

function readNames(file: string, failed: (thrown: unknown) => void): readonly string[] {
  try {
    const names: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(names) && names.every((name): name is string => typeof name === "string")) return names;
    throw new Error("it is no list of names");
  } catch (thrown) {
    if (!isMissing(thrown)) failed(thrown);
    return [];
  }
}
