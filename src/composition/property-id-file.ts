// The ranges of private property ids in a small file of the mailroot: messages are saved with these numbers.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { isMissing } from "../core/system-error.ts";
import { type OwnedRange, PropertyIdRanges, areOwnedRanges } from "../message/property-ids.ts";

const FILE_NAME = "property-ids.json";

export function openPropertyIds(mailroot: string, maxIds: number, log: Logger): PropertyIdRanges {
  const file = path.join(mailroot, FILE_NAME);
  return new PropertyIdRanges({
    ranges: readRanges(file, log),
    maxIds,
    keep: (ranges) => writeRanges(file, ranges),
  });
}

function readRanges(file: string, log: Logger): readonly OwnedRange[] {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (areOwnedRanges(parsed)) return parsed;
    log.error({ file }, "property ids are damaged; they begin anew");
  } catch (thrown) {
    if (!isMissing(thrown))
      log.error({ file, error: describeError(thrown) }, "property ids cannot be read; they begin anew");
  }
  return [];
}

/** Waits for the disk: an owner asks once in the life of a mailroot, and may use the numbers in the next line. */
function writeRanges(file: string, ranges: readonly OwnedRange[]): void {
  const temporary = path.join(path.dirname(file), `.${FILE_NAME}.tmp`);
  try {
    const handle = openSync(temporary, "w", 0o640);
    try {
      writeFileSync(handle, `${JSON.stringify(ranges, undefined, 2)}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (thrown) {
    throw new OnArrivalError("STORE_FAILED", `${file}: ${describeError(thrown)}`, { cause: thrown });
  }
}
