// Where the program of a sandbox process lies, and the command line that starts it with as few rights as it can have.
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { NO_PRETENURING } from "../../core/collection-flags.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const inRoot = (path: string): string => `${root}${path}`;
/** The package carries compiled modules; the runtime of the isolates is bundled from its sources in both. */
const MODULE_ENDING = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** Entry of the object model that runs inside the isolates, bundled at start. */
export const RUNTIME_ENTRY = inRoot("runtime/index.ts");
/** Source of the virtual module "cdo" that scripts import. */
export const CDO_MODULE = inRoot("runtime/cdo-module.ts");

/**
 * isolated-vm gives an isolate a young generation of about 1 MB, so a script on every message is interrupted by a collection
 * every few messages. The flags hold for all isolates of the process; the limit of a script's heap stays as it is set.
 */
const YOUNG_GENERATION = [
  "--min-semi-space-size=4",
  "--max-semi-space-size=4",
  "--single-threaded-gc",
  NO_PRETENURING,
];

/**
 * What V8 compiles on another thread it installs when the isolate that wants it runs; isolated-vm enters an isolate by a
 * v8::Locker, and with that V8 forgets whatever was to be installed meanwhile (docs/decisions/0046).
 */
const COMPILED_IN_TURN = ["--no-concurrent-recompilation", "--no-concurrent-sparkplug"];

/** Not --jitless: it takes away WebAssembly, by which Node reads our own TypeScript. Isolates of scripts never have that. */
const INTERPRETED = ["--no-turbofan", "--no-maglev", "--no-sparkplug", "--regexp-interpret-all"];

/** The loader of isolated-vm looks whether it is there, to tell musl from glibc. */
const LIBC_MARK = "/etc/alpine-release";

export interface SandboxProgram {
  readonly file: string;
  /** The only files and folders that the process may read. */
  readonly readable: readonly string[];
}

/** Further walls around it, as the operator wants them. */
export interface ProcessHardening {
  /** Scripts are interpreted: the compilers of machine code, the part of V8 with most flaws, are off. */
  readonly jitless: boolean;
  /** A command line put before Node's, that becomes it by exec, as setpriv or prlimit do: its process id has to stay. */
  readonly wrapper: readonly string[];
}

function moduleFolders(): string[] {
  const candidates = createRequire(import.meta.url).resolve.paths("any") ?? [];
  return candidates.filter((folder) => existsSync(folder));
}

export function defaultProgram(): SandboxProgram {
  const own = ["package.json", "src/core", "src/mime", "src/message", "src/sandbox/worker", "runtime"].map(
    inRoot,
  );
  return { file: inRoot(`src/sandbox/worker/main${MODULE_ENDING}`), readable: [...own, ...moduleFolders()] };
}

/**
 * --no-node-snapshot: isolated-vm needs it. --permission: no file, network, child process or worker beyond what is listed;
 * --allow-addons: isolated-vm is one.
 */
function nodeArguments(program: SandboxProgram): string[] {
  const paths = new Set(
    program.readable.filter((path) => existsSync(path)).flatMap((path) => [path, realpathSync(path)]),
  );
  const rights = [...paths, LIBC_MARK].map((path) => `--allow-fs-read=${path}`);
  return [
    "--no-node-snapshot",
    ...YOUNG_GENERATION,
    ...COMPILED_IN_TURN,
    "--disable-warning=SecurityWarning",
    "--permission",
    "--allow-addons",
    ...rights,
    program.file,
  ];
}

export function sandboxCommand(
  program: SandboxProgram,
  { jitless, wrapper }: ProcessHardening,
): { readonly file: string; readonly args: readonly string[] } {
  const node = [process.execPath, ...(jitless ? INTERPRETED : []), ...nodeArguments(program)];
  const [file = process.execPath, ...args] = [...wrapper, ...node];
  return { file, args };
}
