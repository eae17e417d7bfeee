// The versions of a script that are kept on disk: how many, in which order, and what a damaged file does.
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Generation, Generations } from "../../../../src/sandbox/versions/generations.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const KEPT = 20;

const generation = (number: number): Generation => ({
  name: "tag.ts",
  version: number.toString(16).padStart(16, "0"),
  since: 1_700_000_000_000 + number,
  entryPoint: "default",
  binding: {},
  code: `// ${number}`,
  sourceMap: "",
});
const versionOf = (number: number): string => generation(number).version;

test("the last 20 versions are kept, the newest first, also after a restart; a rollback does not count twice", async () => {
  await using folder = await tempFolder();
  const generations = new Generations(folder.path);
  for (let number = 1; number <= KEPT + 5; number += 1) await generations.save(generation(number));
  const kept = (await new Generations(folder.path).kept("tag.ts")).map(({ version }) => version);
  expect(kept).toEqual(Array.from({ length: KEPT }, (_, index) => versionOf(KEPT + 5 - index)));
  expect(await readdir(join(folder.path, "tag.ts"))).toHaveLength(KEPT);
  expect(await generations.find("tag.ts", versionOf(6))).toMatchObject({ code: "// 6" });
  expect(await generations.find("tag.ts", versionOf(5))).toBeUndefined();

  await generations.save({ ...generation(6), since: generation(KEPT + 6).since });
  const after = (await generations.kept("tag.ts")).map(({ version }) => version);
  expect(after).toHaveLength(KEPT);
  expect(after.slice(0, 2)).toEqual([versionOf(6), versionOf(KEPT + 5)]);
});

test("a file that is damaged is passed over for the version before it", async () => {
  await using folder = await tempFolder();
  const generations = new Generations(folder.path);
  await generations.save(generation(1));
  await generations.save(generation(2));
  const [, newest = ""] = (await readdir(join(folder.path, "tag.ts"))).toSorted();
  await writeFile(join(folder.path, "tag.ts", newest), '{"name":"tag.ts"');
  expect((await generations.latest("tag.ts"))?.version).toBe(versionOf(1));
  expect(await generations.find("tag.ts", versionOf(2))).toBeUndefined();
});
