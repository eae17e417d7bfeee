import { readFile, readdir, writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newCommand } from "../../../src/cli/new.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { type CommandRun, runInProcess } from "../../support/command.ts";
import { compiledTesting } from "../../support/compiled.ts";

const { testCases, testSink } = await compiledTesting();

async function make(folder: string, ...args: readonly string[]): Promise<CommandRun> {
  return runInProcess([newCommand()], ["new", ...args, "--folder", folder]);
}

test.each([
  ["tag", "ts"],
  ["filter", "ts"],
  ["disclaimer", "js"],
  ["route", "js"],
])("a new script of the template %s in .%s passes its own test", async (template, ending) => {
  await using temp = await tempFolder();
  const name = `my-${template}.${ending}`;
  expect(await make(temp.path, name, "--template", template)).toMatchObject({ code: 0, err: "" });
  await testCases(join(temp.path, name));
  const text = await readFile(join(temp.path, name), "utf8");
  expect(text).toContain(`my-${template}@localhost`);
  expect(text.includes("import type")).toBe(ending === "ts");
});

test("it is placed with its test, a sample, the types and a tsconfig.json, and says how to try it", async () => {
  await using temp = await tempFolder();
  const { out } = await make(temp.path, "tag");
  expect((await readdir(temp.path, { recursive: true })).toSorted()).toEqual([
    "samples",
    "samples/tag.eml",
    "tag.test.ts",
    "tag.ts",
    "tsconfig.json",
    "types",
    "types/cdo.d.ts",
  ]);
  expect(out).toMatch(/npx onarrival run --watch \S+tag\.ts \S+tag\.eml\n$/);
  const sample = await readFile(join(temp.path, "samples/tag.eml"));
  expect((await testSink(join(temp.path, "tag.ts"), { eml: sample })).header("Subject")).toMatch(
    /^\[invoice\] /,
  );
});

test.each(["tag.ts", "tag.test.ts", "samples/tag.eml", "tag.mjs"])(
  "nothing is written when %s is there",
  async (taken) => {
    await using temp = await tempFolder();
    await mkdir(join(temp.path, "samples"));
    await writeFile(join(temp.path, taken), "mine");
    const before = await readdir(temp.path, { recursive: true });
    const { code, err } = await make(temp.path, "tag");
    expect([code, err]).toEqual([1, expect.stringContaining(join(temp.path, taken))]);
    expect(await readFile(join(temp.path, taken), "utf8")).toBe("mine");
    expect(await readdir(temp.path, { recursive: true })).toEqual(before);
  },
);

test("types and tsconfig.json that are there stay as they are", async () => {
  await using temp = await tempFolder();
  await mkdir(join(temp.path, "types"));
  await writeFile(join(temp.path, "types/cdo.d.ts"), "// mine");
  await writeFile(join(temp.path, "tsconfig.json"), "{}");
  expect((await make(temp.path, "tag", "--json")).code).toBe(0);
  expect(await readFile(join(temp.path, "types/cdo.d.ts"), "utf8")).toBe("// mine");
  expect(await readFile(join(temp.path, "tsconfig.json"), "utf8")).toBe("{}");
});

test.each(["_tag", ".tag", "a/b", "../tag", "a b", "tag.test", "tag.d.ts", "a..b", ""])(
  "%j is no name for a script",
  async (name) => {
    await using temp = await tempFolder();
    expect((await make(temp.path, name)).code).toBe(2);
    expect(await readdir(temp.path)).toEqual([]);
  },
);

test("a folder that cannot be written is told as the system tells it, with what to do", async () => {
  await using temp = await tempFolder();
  const file = join(temp.path, "file");
  await writeFile(file, "");
  const { code, err } = await make(join(file, "scripts"), "tag");
  expect(code).toBe(1);
  expect(err).toMatch(/^error: ENOTDIR: [^\n]+\nwhat to do: Check the path[^\n]+\n$/);
  expect(JSON.parse((await make(join(file, "scripts"), "tag", "--json")).out)).toMatchObject({
    error: { code: "FILE_UNUSABLE" },
  });
});
