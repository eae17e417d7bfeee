// Whatever a script does to the compiler, the next one compiles.
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { expect, test } from "vitest";
import { compileScript } from "../../../../src/sandbox/versions/compiler.ts";
import { CompilerEnded, CompilerProcess } from "../../../../src/sandbox/versions/compiler-process.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const cdoModule = fileURLToPath(new URL("../../../../runtime/cdo/constants.ts", import.meta.url));
/** The compiler tries each of these for an arrow function with a type: twice as long for each. */
const ENDLESS = `let y = ${"a ? (b) : c => ".repeat(60)}1`;

test("R02 a text that the compiler comes to no end with is given up, and what was at work beside it is made", async () => {
  const compiler = new CompilerProcess(300);
  let loads = 0;
  const slowAtFirst: Plugin = {
    name: "slow-at-first",
    setup(hooks) {
      hooks.onResolve({ filter: /^slow$/ }, ({ path }) => ({ path, namespace: "slow" }));
      hooks.onLoad({ filter: /./, namespace: "slow" }, async () => {
        loads += 1;
        if (loads === 1) await new Promise(() => undefined);
        return { contents: "export default 1", loader: "js" };
      });
    },
  };
  const innocent = compiler.build({
    stdin: { contents: 'import one from "slow"; console.log(one)', resolveDir: tmpdir() },
    bundle: true,
    write: false,
    logLevel: "silent",
    plugins: [slowAtFirst],
  });
  const endless = compiler.transform(ENDLESS, { loader: "ts", logLevel: "silent" });
  await expect(endless).rejects.toThrow(CompilerEnded);
  expect((await innocent).outputFiles[0]?.text).toContain("console.log");
  expect((await compiler.transform("1 +  1", {})).code).toBe("1 + 1;\n");
});

test("R02 a script that breaks the compiler down is refused, and the others compile", async () => {
  const compile = (name: string, text: string): ReturnType<typeof compileScript> =>
    compileScript({ folder: tmpdir(), name, text, cdoModule });
  const [deep, other] = await Promise.all([
    compile("deep.js", `x = ${"(".repeat(2_000_000)}`),
    compile("other.js", "function onArrival() {}"),
  ]);
  expect(deep).toMatchObject({ kind: "failed", message: expect.stringMatching(/^deep\.js: the compiler /) });
  expect(other.kind).toBe("compiled");
  expect((await compile("next.js", "function onArrival() {}")).kind).toBe("compiled");
});

test.each(["//# sourceMappingURL=", "//@ sourceMappingURL=", "/*# sourceMappingURL="])(
  "R07 the compiler opens no file that a comment names: %s",
  async (comment) => {
    await using temp = await tempFolder();
    const map = join(temp.path, "outside.map");
    await writeFile(map, '{"version":3,"sources":["told.ts"],"names":[],"mappings":"AAAA;AACA;AACA"}');
    const folder = join(temp.path, "scripts");
    await mkdir(folder);
    const end = `\n${comment}${map} ${comment.startsWith("/*") ? "*/" : ""}\n`;
    await writeFile(join(folder, "lib.js"), `export const n = 1;${end}`);
    const text = `import { n } from "./lib.js";\nexport default () => n;${end}`;
    const answer = await compileScript({ folder, name: "a.js", text, cdoModule });
    if (answer.kind !== "compiled") throw new Error(answer.message);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a map of esbuild
    const { sources } = JSON.parse(answer.script.sourceMap) as { sources: string[] };
    expect(sources.toSorted()).toEqual(["a.js", "lib.js"]);
  },
);
