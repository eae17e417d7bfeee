import { symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { sourceFrame } from "../../../../src/composition/scripts/source-frame.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

test("the place of an error is shown with the lines around it", async () => {
  await using temp = await tempFolder();
  await writeFile(join(temp.path, "a.ts"), "one\ntwo\n\tthrow x;\nfour\nfive\nsix\n");
  expect(await sourceFrame(temp.path, "a.ts:3:2: Error: x")).toEqual([
    "  1 | one",
    "  2 | two",
    "> 3 |   throw x;",
    "    |   ^",
    "  4 | four",
    "  5 | five",
  ]);
});

test("the first line and a line of a minified script stay within the screen", async () => {
  await using temp = await tempFolder();
  await writeFile(join(temp.path, "a.js"), `${"x".repeat(5000)}\n`);
  const frame = await sourceFrame(temp.path, "a.js:1:4000: no");
  expect(frame.map((line) => line.length <= 170)).toEqual([true, true]);
  expect(frame.join("\n")).not.toContain("^");
});

test.each([
  "a.ts: no place at all",
  "absent.ts:1:1: x",
  "../outside.ts:1:1: x",
  "link.ts:1:1: x",
  "said a.ts:1:1: x",
])("%j shows nothing: no place, or no file of the scripts folder", async (message) => {
  await using temp = await tempFolder();
  await using other = await tempFolder();
  await writeFile(join(temp.path, "a.ts"), "one\n");
  await writeFile(join(other.path, "secret"), "secret\n");
  await symlink(join(other.path, "secret"), join(temp.path, "link.ts"));
  expect(await sourceFrame(temp.path, message)).toEqual([]);
});
