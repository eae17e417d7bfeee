import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { openPropertyIds } from "../../../src/composition/property-id-file.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { type LogLine, recordingLog } from "../transport/transport-house.ts";

test("an owner has the same ids after a restart", async () => {
  await using folder = await tempFolder();
  const first = openPropertyIds(folder.path, 100, silentLogger).allocate("{A}", 5).first;
  const restarted = openPropertyIds(folder.path, 100, silentLogger);
  expect(restarted.allocate("other", 1).first).toBe(first + 5);
  expect(restarted.allocate("{a}", 5).first).toBe(first);
});

test.each(["{", '[{"owner":1}]'])(
  "a damaged file is told, and does not keep mail from flowing: %s",
  async (text) => {
    await using folder = await tempFolder();
    await writeFile(path.join(folder.path, "property-ids.json"), text);
    const log: LogLine[] = [];
    expect(openPropertyIds(folder.path, 100, recordingLog(log)).allocate("a", 1).first).toBe(0x8000);
    expect(log).toEqual([expect.objectContaining({ level: "error" })]);
  },
);

test("ids that cannot be written are not given out", async () => {
  await using folder = await tempFolder();
  await mkdir(path.join(folder.path, "property-ids.json"));
  const ids = openPropertyIds(folder.path, 100, silentLogger);
  expect(() => ids.allocate("a", 1)).toThrow(expect.objectContaining({ code: "STORE_FAILED" }));
});
