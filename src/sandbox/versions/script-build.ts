// From a source text to a version that may go live: compile, pre-flight in a sandbox process, check the binding.
import type { Clock } from "../../core/clock.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import type { PreparedAnswers } from "../capabilities/prepared-answers.ts";
import { type CompileAnswer, compileScript, type CompiledScript, sourcesHash } from "./compiler.ts";
import type { Generation } from "./generations.ts";
import { checkBinding } from "./script-binding.ts";
import { contentHash } from "./script-file.ts";
import { runCases } from "./script-cases.ts";
import { type GrantsOf, needsProblem } from "./script-needs.ts";
import { locateFault, SourcePositions } from "./source-positions.ts";
import type { TaskAnswer } from "../pool/tasks.ts";
import type { WorkerPool } from "../pool/worker-pool.ts";

export type BuildAnswer =
  | (Compiled & { readonly kind: "built"; readonly generation: Generation })
  /** The output is that of the live version: a comment changed, or nothing. */
  | (Compiled & { readonly kind: "unchanged" })
  /** The sources are those that an older version stands in for. */
  | (Compiled & { readonly kind: "pinned" })
  | (Sources & { readonly kind: "failed"; readonly message: string })
  /** No sandbox process could look at it. To be tried again. */
  | { readonly kind: "unavailable"; readonly reason: string };

interface Sources {
  /** Hash of the script and of what it imports; "" when it did not compile. */
  readonly sources: string;
  /** Absolute paths on which the answer rests, the script itself not included. */
  readonly imports: readonly string[];
}

interface Compiled extends Sources {
  /** Content hashes of what it was compiled from beside its own file, by absolute path. */
  readonly contents: ReadonlyMap<string, string>;
}

export interface ScriptBuilder {
  readonly folder: string;
  readonly cdoModule: string;
  /** Hash of what compiles and looks at scripts. */
  readonly tools: string;
  readonly pool: WorkerPool;
  readonly clock: Clock;
  /** Whether samples and cases have to pass. */
  readonly runsCases: boolean;
  /** Serves what scripts ask for in their cases. */
  readonly answers: PreparedAnswers;
  /** Time for all samples and cases of one script. */
  readonly testMs: number;
  /** Absent: what a script asks for at load is not looked at. */
  readonly grantsOf?: GrantsOf | undefined;
}

export interface BuildContext {
  /** What is there already: the live version needs no second pre-flight, pinned sources no first one. */
  readonly live: Generation | undefined;
  readonly pinnedSources: string | undefined;
  /** Absolute paths of what it imported when it was built last. */
  readonly expected: readonly string[];
  /** Names in the script folder, when they were just listed. */
  readonly entries: ReadonlySet<string> | undefined;
  /** One of few: its isolate may wait for the first message. */
  readonly keepsIsolate: boolean;
}

export async function buildScript(
  builder: ScriptBuilder,
  name: string,
  text: string,
  context: BuildContext,
): Promise<BuildAnswer> {
  const compiled = await compile(builder, name, text, context);
  if (compiled.kind === "failed") return { ...compiled, sources: "" };
  const { imports, sources, contents, version } = compiled.script;
  const { live, pinnedSources } = context;
  const isPinned = sources === pinnedSources;
  // What runs already may have lost a grant, by a reload or while the service stood still.
  const lost = isPinned || version === live?.version ? ungranted(builder, name, live?.needs) : undefined;
  if (lost !== undefined) return { kind: "failed", message: lost, imports, sources };
  if (isPinned) return { kind: "pinned", imports, sources, contents };
  return tryOut(builder, compiled.script, name, text, context);
}

async function tryOut(
  builder: ScriptBuilder,
  script: CompiledScript,
  name: string,
  text: string,
  { live, keepsIsolate, entries }: BuildContext,
): Promise<BuildAnswer> {
  const { imports, sources, contents, version, code, sourceMap } = script;
  const isLive = version === live?.version;
  const found = isLive
    ? { kind: "good" as const, ...live }
    : await inspect(builder, script, name, keepsIsolate);
  if (found.kind === "unavailable") return found;
  if (found.kind === "failed") return { ...found, imports, sources };
  const { binding, entryPoint, needs } = found;
  const tested = builder.runsCases
    ? await runCases(builder, { name, text, script, binding, needs }, entries)
    : NOT_TESTED;
  if (tested.kind !== "passed" && !isLive) builder.pool.retire(version);
  if (tested.kind === "unavailable") return tested;
  const files = [...imports, ...tested.files];
  if (tested.kind === "failed") return { ...tested, kind: "failed", imports: files, sources };
  if (isLive) return { kind: "unchanged", imports: files, sources, contents };
  const compiledFrom = contents.size === 0 ? hashWithTools(builder, name, text) : undefined;
  const made = { name, version, since: builder.clock.now(), binding, entryPoint, needs };
  const generation = { ...made, code, sourceMap, compiledFrom };
  return { kind: "built", generation, imports: files, sources, contents };
}

const hashWithTools = ({ tools }: ScriptBuilder, name: string, text: string): string =>
  contentHash(tools, name, text);

async function compile(
  builder: ScriptBuilder,
  name: string,
  text: string,
  { live, expected }: BuildContext,
): Promise<CompileAnswer> {
  const { folder, cdoModule } = builder;
  if (live?.compiledFrom !== hashWithTools(builder, name, text))
    return compileScript({ folder, name, text, cdoModule, expected });
  // It imports nothing of the folder and says what it said when the live version was made of it.
  const { version, code, sourceMap } = live;
  const contents = new Map<string, string>();
  const sources = sourcesHash(text, contents);
  return { kind: "compiled", script: { version, code, sourceMap, sources, imports: [], contents } };
}

const NOT_TESTED = { kind: "passed", message: "", files: [] } as const;

type Found = Pick<Generation, "binding" | "entryPoint" | "needs">;

type Inspection =
  | ({ readonly kind: "good" } & Found)
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "unavailable"; readonly reason: string };

async function inspect(
  builder: ScriptBuilder,
  script: CompiledScript,
  name: string,
  keep: boolean,
): Promise<Inspection> {
  const { pool } = builder;
  const bundle = { version: script.version, scriptName: name, code: Buffer.from(script.code) };
  const answer = await pool.run({ kind: "inspect", keep, bundle, limits: DEFAULT_SCRIPT_LIMITS });
  if (answer.kind === "unavailable") return answer;
  const found = judge(builder, answer, script, name);
  if (typeof found !== "string") return { kind: "good", ...found };
  pool.retire(script.version);
  return { kind: "failed", message: found };
}

/** What the pre-flight found, or what is wrong with it. */
function judge(
  builder: ScriptBuilder,
  answer: TaskAnswer,
  script: CompiledScript,
  name: string,
): Found | string {
  if (answer.kind !== "inspected")
    return `${name}: ended its sandbox process while loading${answer.kind === "crash" ? ` (${answer.reason})` : ""}`;
  const { fault, binding, entryPoint, needs } = answer.loaded;
  if (fault !== undefined) return locateFault(fault, name, new SourcePositions(script.sourceMap));
  if (entryPoint === undefined)
    return `${name}: exports no entry point (export default function onArrival(msg, status) { … })`;
  const problem = ungranted(builder, name, needs);
  if (problem !== undefined) return problem;
  const checked = checkBinding(binding);
  return checked.kind === "valid"
    ? { binding: checked.binding, entryPoint, needs }
    : `${name}: ${checked.problem}`;
}

/** What a script names at load and its bindings do not grant; undefined: nothing. */
export const ungranted = (
  { grantsOf }: ScriptBuilder,
  name: string,
  needs: readonly string[] = [],
): string | undefined => (grantsOf === undefined ? undefined : needsProblem(name, needs, grantsOf(name)));
