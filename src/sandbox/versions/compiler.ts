// Bundles scripts with esbuild: TypeScript, imports of the folder, the module "cdo"; and the runtime of the isolates.
import { readFile, realpath } from "node:fs/promises";
import { dirname, extname, join, sep } from "node:path";
import {
  type BuildFailure,
  type BuildOptions,
  type BuildResult,
  type Plugin,
  version as esbuildVersion,
} from "esbuild";
import { EXPORTS_GLOBAL } from "../../../runtime/contract.ts";
import { BundledFiles, FILE_IMPORT } from "./bundled-files.ts";
import { describeFailure } from "./compile-failure.ts";
import { CompilerEnded, CompilerProcess } from "./compiler-process.ts";
import { COM_ONLY_NAMES, COM_ONLY_PREFIX, silentHabit } from "./jscript-habits.ts";
import { listsExport, lostBinding } from "./lost-binding.ts";
import { contentHash, readInside } from "./script-file.ts";

export interface CompiledScript {
  /** Hash of script name and output: names this version everywhere. */
  readonly version: string;
  readonly code: string;
  readonly sourceMap: string;
  /** Hash of the script and of everything of the folder that it was bundled from. */
  readonly sources: string;
  /** Absolute paths in the folder on whose change it may say something else, itself not included. */
  readonly imports: readonly string[];
  /** Content hashes of the files among these that it was bundled from, by path. */
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

const compiler = new CompilerProcess();

/** To be raised when the same text compiles to something else. */
const OUTPUT_FORM = 2;

/** Hash of what is in a compiled script beside its sources, and of what its pre-flight ran in. */
export async function toolsHash(runtimeBundle: Buffer, cdoModule: string): Promise<string> {
  return contentHash(`${esbuildVersion} ${OUTPUT_FORM}`, runtimeBundle, await readFile(cdoModule));
}

/** A script on its way through the compiler. */
interface Compilation extends ScriptSource {
  /** The folder without links: esbuild knows no other path of it. */
  readonly realFolder: string;
  readonly files: BundledFiles;
}

export async function compileScript(source: ScriptSource): Promise<CompileAnswer> {
  const text = withoutHashBang(source.text);
  const realFolder = await realpath(source.folder);
  const files = new BundledFiles(source.folder, realFolder);
  const compilation = { ...source, realFolder, files };
  try {
    return await compile(compilation, text);
  } catch (error) {
    if (error instanceof CompilerEnded)
      return { kind: "failed", message: `${source.name}: ${error.message}`, imports: files.imports };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- esbuild throws BuildFailure; others have no errors
    const { errors } = error as Partial<BuildFailure>;
    if (errors === undefined) throw error;
    // A build that fails does not say what it imports; to ask during each build would make those of large packages slow.
    await bundle(compilation, text, [noteImports(files)]).catch(() => undefined);
    const message = describeFailure(errors, { ...source, folder: realFolder });
    return { kind: "failed", message, imports: files.imports };
  }
}

async function compile(compilation: Compilation, text: string): Promise<CompileAnswer> {
  const { name, files } = compilation;
  const failed = (message: string): CompileAnswer => ({ kind: "failed", message, imports: files.imports });
  const bundled = await bundle(compilation, text);
  files.noteInputs(bundled.metafile);
  const format = bundled.metafile.inputs[name]?.format;
  if (format === "cjs" && COMMON_JS.test(text))
    return failed(`${name}: CommonJS (module.exports, require) is not served; use export default and import`);
  const output =
    format === "esm" ? await bundledOutput(compilation, text, bundled) : await plainOutput(compilation, text);
  const lost = format === "esm" ? lostBinding(name, text, output.code) : undefined;
  const silent = lost ?? silentHabit(name, text, output.code);
  if (silent !== undefined) return failed(silent);
  const version = contentHash(name, output.code);
  const { imports, contents } = files;
  const sources = sourcesHash(compilation.text, contents);
  return { kind: "compiled", script: { version, ...output, sources, imports, contents } };
}

const withoutHashBang = (text: string): string => text.replace(/^#!/, "//");

export const sourcesHash = (text: string, contents: ReadonlyMap<string, string>): string =>
  contentHash(withoutHashBang(text), ...[...contents].map(([path, hash]) => `${path} ${hash}`).toSorted());

type Bundled = BuildResult<BuildOptions & { metafile: true; write: false }>;

function bundle(compilation: Compilation, contents: string, plugins: Plugin[] = []): Promise<Bundled> {
  const { name, realFolder } = compilation;
  return compiler.build({
    stdin: {
      contents: withoutMapFile(contents),
      resolveDir: realFolder,
      sourcefile: name,
      loader: loaderOf(name),
    },
    absWorkingDir: realFolder,
    outfile: join(realFolder, "bundle.js"),
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
    plugins: [...plugins, folderOnly(compilation)],
  });
}

/** A script may import what lies in its folder and nothing else: a bundle could carry any file of the machine out by mail. */
function folderOnly({ realFolder, cdoModule, expected = [], files }: Compilation): Plugin {
  const paths = expected.map((path) => files.realPathOf(path));
  const ahead = new Map(paths.map((path) => [path, readInside(realFolder, path)]));
  return {
    name: "folder-only",
    setup(hooks) {
      hooks.onResolve({ filter: /^cdo$/ }, () => ({ path: cdoModule }));
      hooks.onResolve({ filter: /^onarrival:case-check$/ }, () => ({
        path: join(dirname(cdoModule), "case-check.ts"),
      }));
      hooks.onLoad({ filter: /.*/, namespace: "file" }, async ({ path }) => {
        if (isOurs(path, cdoModule)) return undefined;
        // Read here, through the file that was checked: the path may name another one a moment later.
        const file = await (ahead.get(path) ?? readInside(realFolder, path));
        if (file.kind === "refused") return { errors: [{ text: `${path} ${file.reason}` }] };
        files.noteRead(path, file.hash);
        return { contents: bytesWithoutMapFile(file.bytes), loader: "default" };
      });
    },
  };
}

/** esbuild opens the map that such a comment names, wherever it lies and whatever it is: a FIFO, a device. */
const withoutMapFile = (text: string): string =>
  text.replaceAll(/(?<=[#@]\s*)sourceMappingURL(?==(?!data:))/g, "sourceMappingUrl");

const bytesWithoutMapFile = (bytes: Buffer): Buffer =>
  bytes.includes("sourceMappingURL=")
    ? Buffer.from(withoutMapFile(bytes.toString("latin1")), "latin1")
    : bytes;

const noteImports = (files: BundledFiles): Plugin => ({
  name: "note-imports",
  setup(hooks) {
    hooks.onResolve({ filter: FILE_IMPORT }, ({ resolveDir, path }) => {
      files.noteImport(resolveDir, path);
      return undefined;
    });
  },
});

const isOurs = (path: string, cdoModule: string): boolean => path.startsWith(dirname(cdoModule) + sep);

function loaderOf(name: string): "ts" | "js" {
  return extname(name) === ".ts" ? "ts" : "js";
}

interface Output {
  readonly code: string;
  readonly sourceMap: string;
}

async function bundledOutput(source: Compilation, text: string, bundled: Bundled): Promise<Output> {
  // `import type … from "cdo"` makes a module of a plain script; its function is then meant to be found all the same.
  const entry = ENTRY_POINTS.find(
    (name) => new RegExp(`^(?:async\\s+)?function\\s+${name}\\b`, "m").test(text) && !listsExport(text, name),
  );
  const added = [
    ...(entry === undefined ? [] : [`export { ${entry} };`]),
    // What is imported later is evaluated later, when nobody asks any more which capabilities it names: "cdo" comes first.
    ...(hasDynamicImports(bundled) ? ['import "cdo";'] : []),
  ];
  return outputOf(added.length === 0 ? bundled : await bundle(source, [text, ...added].join("\n")));
}

const hasDynamicImports = ({ metafile }: Bundled): boolean =>
  Object.values(metafile.inputs).some(({ imports }) => imports.some(({ kind }) => kind === "dynamic-import"));

function outputOf(bundled: Bundled): Output {
  const textOf = (ending: string): string =>
    bundled.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  return { code: textOf(".js"), sourceMap: textOf(".map") };
}

/** A plain script is not wrapped: its functions stay globals. */
async function plainOutput(source: ScriptSource, text: string): Promise<Output> {
  const { code, map } = await compiler.transform(text, {
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

/** runtime/index.ts as one classic script. */
export async function bundleRuntime(entry: string): Promise<Buffer> {
  const { outputFiles } = await compiler.build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: "iife",
    target: TARGET,
    platform: "neutral",
    tsconfigRaw: {},
    // A bundle is no module any more, and from sloppy functions a script that they call gets their arguments (`caller`).
    banner: { js: '"use strict";' },
    legalComments: "none",
    logLevel: "silent",
  });
  return Buffer.from(outputFiles[0]?.contents ?? []);
}
