// Reads the message tracking log of a service.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface TrackedLine {
  readonly time: string;
  readonly event: number;
  readonly step: string;
  readonly id: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly [field: string]: unknown;
}

/** Oldest first. The last line of a file may be torn by a crash. */
export async function trackedLines(folder: string): Promise<TrackedLine[]> {
  const lines: TrackedLine[] = [];
  for (const name of (await readdir(folder)).toSorted()) {
    for (const line of (await readFile(join(folder, name), "utf8")).split("\n")) {
      if (!line.endsWith("}")) continue;
      const tracked: TrackedLine = JSON.parse(line);
      lines.push(tracked);
    }
  }
  return lines;
}
