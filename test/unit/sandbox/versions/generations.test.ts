// The versions of a script that are kept on disk: how many, in which order, and what a damaged file does.
import { mkdir, readdir, writeFile } from "node:fs/promises";
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

test("a version that two keep at the same time is kept for both", async () => {
  await using folder = await tempFolder();
  const generations = new Generations(folder.path);
  await Promise.all([generations.save(generation(1)), generations.save(generation(1))]);
  expect(await readdir(join(folder.path, "tag.ts"))).toHaveLength(1);
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

test("of scripts that are gone the 1000 that were live last are kept, and nothing else is touched", async () => {
  await using folder = await tempFolder();
  const generations = new Generations(folder.path);
  const place = async (name: string, number: number): Promise<void> => {
    const path = join(folder.path, name);
    await mkdir(path);
    await writeFile(join(path, `00${generation(number).since}-${versionOf(number)}.json`), "{}");
  };
  const others = ["kv", "switches.json", "there.ts", "decided.js"];
  for (const [index, name] of others.entries()) await place(name, index);
  // The oldest has a name in the middle.
  for (let number = 0; number < 1003; number += 1) await place(`s${(number + 500) % 1003}.ts`, 10 + number);
  const isThere = (name: string): boolean => others.includes(name);
  await generations.forgetGone(isThere);
  const left = await readdir(folder.path);
  expect(left).toHaveLength(1000 + others.length);
  expect(left).toEqual(expect.arrayContaining(others));
  expect(left.filter((name) => ["s500.ts", "s501.ts", "s502.ts", "s503.ts"].includes(name))).toEqual([
    "s503.ts",
  ]);
  await generations.forgetGone(isThere);
  expect(await readdir(folder.path)).toHaveLength(left.length);
});
