// Free space of the disk: what is told when mail can no longer be taken, and when it can again.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { DiskWatch } from "../../../../src/store/segments/disk-watch.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { type LogLine, recordingLog } from "../../transport/transport-house.ts";

test("a disk that cannot be looked at is told once, and once that it can be again", async () => {
  await using temp = await tempFolder("disk-watch");
  const folder = path.join(temp.path, "Queue");
  const lines: LogLine[] = [];
  const watch = new DiskWatch({
    folder,
    minFreeBytes: 0,
    sampleMs: 1000,
    clock: new ManualClock(),
    logger: recordingLog(lines),
    lookInside: () => Promise.resolve(),
  });
  await watch.sample();
  await watch.sample();
  expect(watch.refusal).toContain("ENOENT");
  await mkdir(folder);
  await watch.sample();
  await watch.sample();
  expect(watch.refusal).toBeUndefined();
  expect(lines.map(({ level, message }) => [level, message])).toEqual([
    ["error", "no mail is taken: the disk is full or cannot be looked at"],
    ["info", "mail is taken again"],
  ]);
});

test("too little free space is told with how much there is", async () => {
  await using temp = await tempFolder("disk-watch");
  const lines: LogLine[] = [];
  const watch = new DiskWatch({
    folder: temp.path,
    minFreeBytes: Number.MAX_SAFE_INTEGER,
    sampleMs: 1000,
    clock: new ManualClock(),
    logger: recordingLog(lines),
    lookInside: () => Promise.resolve(),
  });
  await watch.sample();
  expect(lines.map(({ fields }) => fields["refusal"])).toEqual([
    expect.stringMatching(/^\d+ bytes are free below .*, fewer than store\.minFreeBytes \(\d+\)$/),
  ]);
});
