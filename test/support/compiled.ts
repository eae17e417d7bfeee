// The program compiled once for all tests, as the package carries it: they start hundreds of processes, each of which would strip
// the types of every module anew. Kept between runs, file by file, in the cache folder of the repository.
import { cp, mkdir, readdir, readFile, rename, stat, utimes, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SandboxProgram } from "../../src/sandbox/sandbox-program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMPILED = join(ROOT, "node_modules/.cache/compiled/");
/** The runtime is also bundled from its sources when a service starts. */
const FOLDERS = ["src", "runtime", "test/sandbox/pool"];
const AS_THEY_ARE = [
  "package.json",
  "runtime",
  "scripts/types",
  "scripts/templates",
  "scripts/tsconfig.json",
];
const SPECIFIER = /^((?:import|export|\}).* "|import ")(\.[^"\n]*)\.ts";$/gm;

/** The command line of the service and everything else that people call. */
export const MAIN = join(COMPILED, "src/main.js");

/** A module of the repository as it was compiled. */
export const compiledFile = (path: string): string => join(COMPILED, path.replace(/\.ts$/, ".js"));

/** What script hosts in a test run their scripts with. */
export async function compiledProgram(): Promise<SandboxProgram> {
  const compiled: typeof import("../../src/sandbox/sandbox-program.ts") = await import(
    compiledFile("src/sandbox/sandbox-program.ts")
  );
  return compiled.defaultProgram();
}

/** Whole, or not there: others may be starting processes from it. */
async function put(file: string, text: string, modified: Date): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.${process.pid}`;
  await writeFile(part, text);
  await utimes(part, modified, modified);
  await rename(part, file);
}

async function compile(path: string): Promise<void> {
  const source = join(ROOT, path);
  const file = compiledFile(path);
  const { mtime } = await stat(source);
  const known = await stat(file).catch(() => undefined);
  if (known !== undefined && Math.abs(known.mtimeMs - mtime.getTime()) < 2) return;
  const text = stripTypeScriptTypes(await readFile(source, "utf8"));
  await put(file, text.replaceAll(SPECIFIER, '$1$2.js";'), mtime);
}

/** Called by vitest before the first test. */
export async function setup(): Promise<void> {
  await mkdir(COMPILED, { recursive: true });
  for (const path of AS_THEY_ARE)
    // oxlint-disable-next-line no-await-in-loop -- five of them
    await cp(join(ROOT, path), join(COMPILED, path), { recursive: true, preserveTimestamps: true });
  const files = await Promise.all(
    FOLDERS.map(async (folder) =>
      (await readdir(join(ROOT, folder), { recursive: true }))
        .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
        .map((name) => join(folder, name)),
    ),
  );
  await Promise.all(files.flat().map(compile));
}
