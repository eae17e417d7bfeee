// What an author reads when a script does not compile.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compileScript } from "../../../../src/sandbox/versions/compiler.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const cdoModule = fileURLToPath(new URL("../../../../runtime/cdo-module.ts", import.meta.url));

test.each([
  [
    "a name that cdo does not have, without a word of our own files",
    'import { cdoRunNextSnk } from "cdo";\nexport default () => cdoRunNextSnk;',
    'a.ts:1:10: "cdo" has no export cdoRunNextSnk; docs/cdo/README.md lists what it has',
  ],
  [
    "a file that is not there",
    'import { x } from "./lib/none.ts";\nexport default () => x;',
    'a.ts:1:19: Could not resolve "./lib/none.ts"; there is no such file in the script folder',
  ],
  [
    "a package that is not installed",
    'import x from "@scope/score/lib";\nexport default () => x;',
    'a.ts:1:15: Could not resolve "@scope/score/lib"; no such package is installed in the script folder: npm install @scope/score there',
  ],
  [
    "a module of Node",
    'import { readFileSync } from "fs";\nexport default () => readFileSync;',
    'a.ts:1:30: Could not resolve "fs"; scripts have no modules of Node, only files and packages of the script folder',
  ],
  [
    "await at the top",
    "await 1;\nexport default () => 0;",
    "a.ts:1:1: Top-level await is not served: await in the entry point, export default async function onArrival(msg) { … }",
  ],
  [
    "a binding that is not exported",
    'const binding = { rule: "RCPT TO=a@example.com" };\nexport default () => 0;',
    "a.ts:1:7: binding is not exported, and the script would get every message: write export const binding",
  ],
  [
    "one whose rule is computed",
    "const domain = 'example.com';\nconst binding = { rule: `RCPT TO=*@${domain}` };\nexport default () => 0;",
    "a.ts:2:7: binding is not exported, and the script would get every message: write export const binding",
  ],
  [
    "a binding of another name",
    'export default () => 0;\nexport const Bindings = { rule: "RCPT TO=a@example.com" };',
    "a.ts:2:14: Bindings binds nothing, and the script would get every message: its name is binding",
  ],
])("%s is told with its place and what to do", async (_name, text, message) => {
  await using folder = await tempFolder();
  const answer = await compileScript({ folder: folder.path, name: "a.ts", text, cdoModule });
  expect(answer).toMatchObject({ kind: "failed", message });
});

test("of further errors the lines are told that are in the same file", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "lib"));
  await writeFile(join(folder.path, "lib", "b.ts"), '\n\n\nimport "none-of-b";\n');
  const text = 'import "none-1";\nimport "none-2";\nimport "./lib/b.ts";\nexport default () => 0;';
  const answer = await compileScript({ folder: folder.path, name: "a.ts", text, cdoModule });
  const message = expect.stringMatching(/^a\.ts:1:8: .* \(and 2 more: line 2\)$/);
  expect(answer).toMatchObject({ kind: "failed", message });
});

test.each([
  ["exported later", "const binding = { priority: 1 };\nexport { binding };\nexport default () => 0;"],
  ["used for something else", "const binding = { a: 1 };\nexport default () => binding.a;"],
  ["of a script that is no module", "var binding = { priority: 1 };\nfunction onArrival() {}"],
  [
    "beside one of a like name",
    "export const binding = {};\nexport const bindings = 1;\nexport default () => 0;",
  ],
])("a binding is left alone: %s", async (_name, text) => {
  await using folder = await tempFolder();
  const answer = await compileScript({ folder: folder.path, name: "a.ts", text, cdoModule });
  expect(answer.kind).toBe("compiled");
});

test("a long text that begins many lists of exports is read in no time", async () => {
  await using folder = await tempFolder();
  const text = `const binding = { a: 1 };\nexport default () => binding.a;\nexport const x = "${"export{".repeat(100_000)}";`;
  const before = performance.now();
  const answer = await compileScript({ folder: folder.path, name: "a.ts", text, cdoModule });
  expect(answer.kind).toBe("compiled");
  expect(performance.now() - before).toBeLessThan(10_000);
});

test("an entry point that a list exports is exported once", async () => {
  await using folder = await tempFolder();
  const text = "function onArrival(msg) {}\nexport { onArrival };";
  const answer = await compileScript({ folder: folder.path, name: "a.ts", text, cdoModule });
  expect(answer.kind).toBe("compiled");
});
