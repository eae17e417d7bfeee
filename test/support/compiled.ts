// The program compiled once for all tests, as the package carries it: they start hundreds of processes, each of which would strip
// the types of every module anew. Kept between runs, file by file, in the cache folder of the repository.
import { mkdir, readdir, readFile, rename, stat, utimes, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { SandboxProgram } from "../../src/sandbox/pool/sandbox-program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMPILED = join(ROOT, "node_modules/.cache/compiled/");
/** The runtime is also bundled from its sources when a service starts. */
const FOLDERS = ["src", "runtime", "test/sandbox/pool"];
const FOLDERS_AS_THEY_ARE = ["runtime", "scripts/types", "scripts/templates"];
const FILES_AS_THEY_ARE = ["package.json", "scripts/tsconfig.json"];
const SPECIFIER = /^((?:import|export|\}).* "|import ")(\.[^"\n]*)\.ts";$/gm;
const DYNAMIC = /\bimport\("(\.[^"\n]*)\.ts"\)/g;

/** The command line of the service and everything else that people call. */
export const MAIN = join(COMPILED, "src/main.js");

/** A module of the repository as it was compiled. */
export const compiledFile = (path: string): string => join(COMPILED, path.replace(/\.ts$/, ".js"));

/** What script hosts in a test run their scripts with. */
export async function compiledProgram(): Promise<SandboxProgram> {
  const compiled: typeof import("../../src/sandbox/pool/sandbox-program.ts") = await import(
    compiledFile("src/sandbox/pool/sandbox-program.ts")
  );
  return compiled.defaultProgram();
}

/** `onarrival/testing` as the package carries it. */
export const compiledTesting = (): Promise<typeof import("../../src/testing.ts")> =>
  import(compiledFile("src/testing.ts"));

/** Whole, or not there: others may be starting processes from it. */
async function put(file: string, text: string, modified: Date): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const part = `${file}.${process.pid}`;
  await writeFile(part, text);
  await utimes(part, modified, modified);
  await rename(part, file);
}

/** `text`: what becomes of the source; files that did not change are left alone. */
async function bring(path: string, target: string, text: (source: string) => string): Promise<void> {
  const source = join(ROOT, path);
  const { mtime } = await stat(source);
  const known = await stat(target).catch(() => undefined);
  if (known !== undefined && Math.abs(known.mtimeMs - mtime.getTime()) < 2) return;
  await put(target, text(await readFile(source, "utf8")), mtime);
}

/** A module that is no TypeScript fails when it is imported, and not the tests that have nothing to do with it. */
function compile(source: string): string {
  try {
    return stripTypeScriptTypes(source)
      .replaceAll(SPECIFIER, '$1$2.js";')
      .replaceAll(DYNAMIC, 'import("$1.js")');
  } catch (error) {
    return `throw new SyntaxError(${JSON.stringify(String(error))});\n`;
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)));
}

/** Called by vitest before the first test. */
export async function setup(): Promise<void> {
  const isModule = (name: string): boolean => name.endsWith(".ts") && !name.endsWith(".test.ts");
  const modules = (await Promise.all(FOLDERS.map(filesBelow))).flat().filter(isModule);
  const others = (await Promise.all(FOLDERS_AS_THEY_ARE.map(filesBelow))).flat();
  await Promise.all([
    ...modules.map((path) => bring(path, compiledFile(path), compile)),
    ...[...FILES_AS_THEY_ARE, ...others].map((path) => bring(path, join(COMPILED, path), (text) => text)),
  ]);
}
