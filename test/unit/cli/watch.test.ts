import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { repeatOnChange } from "../../../src/cli/watch.ts";
import { tempFolder } from "../../support/temp-folder.ts";

test("a save while the first step runs is followed by another step", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "tag.ts");
  await writeFile(file, "first");
  const enough = new Error("enough");
  const silent = { out: () => undefined, err: () => undefined };
  let steps = 0;
  const watching = repeatOnChange(silent, true, new Set([file]), async () => {
    steps += 1;
    if (steps === 2) throw enough;
    await writeFile(file, "saved meanwhile");
    return new Set([file]);
  });
  await expect(watching).rejects.toBe(enough);
});
