// The queues that the operator has frozen, as they outlive the service: a file beside the messages.
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { writeWhole } from "../store/durable-file.ts";
import type { FrozenQueues } from "../transport/queue-set.ts";

/** `folder`: <mailroot>/Queue. A file that cannot be read freezes nothing, and says so. */
export function openFrozenQueues(folder: string, log: Logger): FrozenQueues {
  const file = path.join(folder, "frozen.json");
  const failed = (what: string, thrown: unknown): void =>
    log.error({ file, error: describeError(thrown) }, what);
  let writing = Promise.resolve();
  return {
    keys: readKeys(file, (thrown) =>
      failed("the list of frozen queues cannot be read: none is frozen", thrown),
    ),
    save(keys) {
      const text = Buffer.from(`${JSON.stringify(keys, undefined, 1)}\n`);
      writing = writing
        .then(() => mkdir(folder, { recursive: true }))
        .then(() => writeWhole(file, [text], true))
        .catch((thrown: unknown) => failed("frozen queues are not kept over a restart", thrown));
    },
  };
}

function readKeys(file: string, failed: (thrown: unknown) => void): readonly string[] {
  try {
    const keys: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(keys) && keys.every((key): key is string => typeof key === "string")) return keys;
    throw new Error("it is no list of names");
  } catch (thrown) {
    const isMissing = thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT";
    if (!isMissing) failed(thrown);
    return [];
  }
}
