// Bundles scripts with esbuild: TypeScript, imports of the folder, the module "cdo"; and the runtime of the isolates.
import { readFile } from "node:fs/promises";
import { dirname, extname, join, resolve, sep } from "node:path";
import {
  build,
  type BuildFailure,
  type BuildOptions,
  type BuildResult,
  type Message,
  type Plugin,
  transform,
  version as esbuildVersion,
} from "esbuild";
import { EXPORTS_GLOBAL } from "../../../runtime/contract.ts";
import { describeFailure } from "./compile-failure.ts";
import { COM_ONLY_NAMES, COM_ONLY_PREFIX, silentHabit } from "./jscript-habits.ts";
import { contentHash, readInside } from "./script-file.ts";

export interface CompiledScript {
  /** Hash of script name and output: names this version everywhere. */
  readonly version: string;
  readonly code: string;
  readonly sourceMap: string;
  /** Hash of the script and of everything of the folder that it was bundled from. */
  readonly sources: string;
  /** Absolute paths of the files of the folder that it was bundled from, itself not included. */
  readonly imports: readonly string[];
  /** Content hashes of these, by path. */
  readonly contents: ReadonlyMap<string, string>;
}

export type CompileAnswer =
  | { readonly kind: "compiled"; readonly script: CompiledScript }
  | { readonly kind: "failed"; readonly message: string; readonly imports: readonly string[] };

export interface ScriptSource {
  readonly folder: string;
  readonly name: string;
  readonly text: string;
  /** File behind the virtual module "cdo". */
  readonly cdoModule: string;
  /** Absolute paths of files that it will most likely import: read while esbuild begins. */
  readonly expected?: readonly string[] | undefined;
}

/** Entry points that may be plain functions of a script which has imports but exports nothing. */
const ENTRY_POINTS = [
  "onArrival",
  "ISMTPOnArrival_OnArrival",
  "IEventSink_OnArrival",
  "ISmtpOnArrival_OnArrival",
];
/** esbuild takes every plain script with a direct eval for CommonJS; scripts of JScript use it. */
const COMMON_JS = /\bmodule\s*\.\s*exports\b|\bexports\s*[.[]|\brequire\s*\(/;
const TARGET = "es2024";
const COM_ONLY = Object.fromEntries(
  Object.keys(COM_ONLY_NAMES).map((name) => [name, COM_ONLY_PREFIX + name]),
);

/** To be raised when the same text compiles to something else. */
const OUTPUT_FORM = 1;

/** Hash of what is in a compiled script beside its sources, and of what its pre-flight ran in. */
export async function toolsHash(runtimeBundle: Buffer, cdoModule: string): Promise<string> {
  return contentHash(`${esbuildVersion} ${OUTPUT_FORM}`, runtimeBundle, await readFile(cdoModule));
}

export async function compileScript(source: ScriptSource): Promise<CompileAnswer> {
  const text = withoutHashBang(source.text);
  try {
    const bundled = await bundle(source, text);
    const format = bundled.metafile.inputs[source.name]?.format;
    if (format === "cjs" && COMMON_JS.test(text))
      return failed(
        `${source.name}: CommonJS (module.exports, require) is not served; use export default and import`,
        bundled,
        source,
      );
    const output =
      format === "esm" ? await bundledOutput(source, text, bundled) : await plainOutput(source, text);
    const habit = silentHabit(source.name, text, output.code);
    if (habit !== undefined) return failed(habit, bundled, source);
    const version = contentHash(source.name, output.code);
    const sources = sourcesHash(source.text, bundled.read);
    const imports = importsOf(bundled, source);
    return { kind: "compiled", script: { version, ...output, sources, imports, contents: bundled.read } };
  } catch (error) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- esbuild throws BuildFailure; others have no errors
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    return {
      kind: "failed",
      message: describeFailure(errors, source),
      imports: failedImports(errors, source.folder),
    };
  }
}

const withoutHashBang = (text: string): string => text.replace(/^#!/, "//");

export const sourcesHash = (text: string, contents: ReadonlyMap<string, string>): string =>
  contentHash(withoutHashBang(text), ...[...contents].map(([path, hash]) => `${path} ${hash}`).toSorted());

interface Bundled extends BuildResult<BuildOptions & { metafile: true; write: false }> {
  /** Content hashes of the files of the folder, by path. */
  readonly read: ReadonlyMap<string, string>;
}

function failed(message: string, bundled: Bundled, source: ScriptSource): CompileAnswer {
  return { kind: "failed", message, imports: importsOf(bundled, source) };
}

async function bundle(source: ScriptSource, contents: string): Promise<Bundled> {
  const read = new Map<string, string>();
  const result = await build({
    stdin: { contents, resolveDir: source.folder, sourcefile: source.name, loader: loaderOf(source.name) },
    absWorkingDir: source.folder,
    outfile: join(source.folder, "bundle.js"),
    write: false,
    metafile: true,
    bundle: true,
    format: "iife",
    globalName: EXPORTS_GLOBAL,
    target: TARGET,
    define: COM_ONLY,
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["module", "import", "default"],
    // The author's tsconfig is for the editor; what runs shall not depend on it.
    tsconfigRaw: {},
    sourcemap: "external",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "silent",
    plugins: [folderOnly(source, read)],
  });
  return { ...result, read };
}

/** A script may import what lies in its folder and nothing else: a bundle could carry any file of the machine out by mail. */
function folderOnly({ folder, cdoModule, expected = [] }: ScriptSource, read: Map<string, string>): Plugin {
  const ahead = new Map(expected.map((path) => [path, readInside(folder, path)]));
  return {
    name: "folder-only",
    setup(hooks) {
      hooks.onResolve({ filter: /^cdo$/ }, () => ({ path: cdoModule, sideEffects: false }));
      hooks.onResolve({ filter: /^onarrival:case-check$/ }, () => ({
        path: join(dirname(cdoModule), "case-check.ts"),
      }));
      hooks.onLoad({ filter: /.*/, namespace: "file" }, async ({ path }) => {
        if (isOurs(path, cdoModule)) return undefined;
        // Read here, through the file that was checked: the path may name another one a moment later.
        const file = await (ahead.get(path) ?? readInside(folder, path));
        if (file.kind === "refused") return { errors: [{ text: `${path} ${file.reason}` }] };
        read.set(path, file.hash);
        return { contents: file.bytes, loader: "default" };
      });
    },
  };
}

const isOurs = (path: string, cdoModule: string): boolean => path.startsWith(dirname(cdoModule) + sep);

function loaderOf(name: string): "ts" | "js" {
  return extname(name) === ".ts" ? "ts" : "js";
}

interface Output {
  readonly code: string;
  readonly sourceMap: string;
}

async function bundledOutput(source: ScriptSource, text: string, bundled: Bundled): Promise<Output> {
  const exported = Object.values(bundled.metafile.outputs).some((output) => output.exports.length > 0);
  // `import type … from "cdo"` makes a module of a plain script; its function is then meant to be found all the same.
  const entry = exported
    ? undefined
    : ENTRY_POINTS.find((name) => new RegExp(`^(?:async\\s+)?function\\s+${name}\\b`, "m").test(text));
  return outputOf(entry === undefined ? bundled : await bundle(source, `${text}\nexport { ${entry} };`));
}

function outputOf(bundled: Bundled): Output {
  const textOf = (ending: string): string =>
    bundled.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  return { code: textOf(".js"), sourceMap: textOf(".map") };
}

/** A plain script is not wrapped: its functions stay globals. */
async function plainOutput(source: ScriptSource, text: string): Promise<Output> {
  const { code, map } = await transform(text, {
    loader: loaderOf(source.name),
    sourcefile: source.name,
    target: TARGET,
    define: COM_ONLY,
    sourcemap: "external",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "silent",
    tsconfigRaw: {},
  });
  return { code, sourceMap: map };
}

function importsOf(bundled: Bundled, { folder, name, cdoModule }: ScriptSource): string[] {
  const paths = Object.keys(bundled.metafile.inputs).filter((path) => path !== name);
  return paths.map((path) => resolve(folder, path)).filter((path) => !isOurs(path, cdoModule));
}

/** Files named by errors: when one of them changes, the script is worth another try. */
function failedImports(errors: readonly Message[], folder: string): string[] {
  return errors.flatMap(({ location }) => (location === null ? [] : [resolve(folder, location.file)]));
}

/** runtime/index.ts as one classic script. */
export async function bundleRuntime(entry: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: "iife",
    target: TARGET,
    platform: "neutral",
    tsconfigRaw: {},
    legalComments: "none",
    logLevel: "silent",
  });
  return Buffer.from(outputFiles[0]?.contents ?? []);
}
