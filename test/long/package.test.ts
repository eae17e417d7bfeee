// The package as it is published, below node_modules, where Node strips no types.
import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { tempFolder } from "../support/temp-folder.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const NODE = join(root, "node_modules/.bin/node");

test("new, run, testSink and the types work from an installed package", async () => {
  await using temp = await tempFolder();
  const installed = join(temp.path, "node_modules/onarrival");
  await mkdir(installed, { recursive: true });
  for (const name of ["bin", "package.json"])
    await cp(join(root, name), join(installed, name), { recursive: true });
  await symlink(realpathSync(join(root, "node_modules")), join(installed, "node_modules"));
  const node = (...args: readonly string[]) =>
    spawnSync(NODE, args, { cwd: temp.path, encoding: "utf8", timeout: 60_000 });
  expect(node(join(root, "tools/build.ts"), join(installed, "dist"))).toMatchObject({
    status: 0,
    stderr: "",
  });

  const onarrival = join(installed, "bin/onarrival.js");
  expect(node(onarrival, "new", "tag", "--folder", "scripts")).toMatchObject({ status: 0, stderr: "" });
  const run = node(onarrival, "run", "scripts/tag.ts", "scripts/samples/tag.eml");
  expect(run.stderr).toBe("");
  expect(run.stdout).toContain("+ Subject: [invoice] Your invoice of May");

  await writeFile(
    join(temp.path, "test.mjs"),
    `import { testSink } from "onarrival/testing";
    import { defineSink } from "onarrival";
    const result = await testSink("scripts/tag.ts", { eml: new URL("scripts/samples/tag.eml", import.meta.url) });
    console.log(typeof defineSink, result.header("subject"));
    `,
  );
  // It ends although nobody closed the sandbox.
  expect(node("test.mjs")).toMatchObject({ status: 0, stdout: "function [invoice] Your invoice of May\n" });

  await writeFile(
    join(temp.path, "types.mts"),
    `import { testSink, type TestSinkResult } from "onarrival/testing";
    const result: TestSinkResult = await testSink("a.ts", { eml: "Subject: x" });
    // @ts-expect-error -- a verdict is a number
    const verdict: string = result.verdict;
    export { verdict };
    `,
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
  const checked = node(
    tsc,
    "--noEmit",
    "--skipLibCheck",
    "--module",
    "nodenext",
    "--target",
    "es2024",
    ...types,
    "types.mts",
  );
  expect(checked.stdout).toBe("");
});
