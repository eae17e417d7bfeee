// The power of the store's disk is cut under load, again and again (FAULTS C04). Needs the right to mount a disk in a file; skipped without.
import path from "node:path";
import { expect, test } from "vitest";
import { mountDisk } from "../support/volumes.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { checkStore, Promises, writeUntilEnded, writerProgram } from "../unit/store/segments/crash-loop.ts";

const ROUNDS = Number(process.env["POWER_CUTS"] ?? 200);
const MAX_RUN_MS = 250;

test(`C04 nothing acknowledged is lost over ${ROUNDS} power cuts`, async ({ skip }) => {
  await using folder = await tempFolder("power");
  await using disk = await mountDisk(folder.path, 256);
  skip(disk === undefined, "no right to mount a disk in a file");
  if (disk === undefined) return;
  const queue = path.join(disk.path, "Queue");
  const program = await writerProgram(folder.path);
  const promises = new Promises();
  let setAside = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    let cut: Promise<void> | undefined;
    const lines = await writeUntilEnded(
      program,
      queue,
      round * 100_000,
      Math.random() * MAX_RUN_MS,
      (writer, gone) => {
        cut = disk.cutPower(writer, gone);
      },
    );
    await cut;
    promises.add(lines);
    setAside += (await checkStore(queue, promises)).length;
  }
  console.log(`${promises.acknowledged} messages acknowledged, ${setAside} unsynchronised regions set aside`);
  expect(promises.acknowledged).toBeGreaterThan(ROUNDS);
});
