// From a source text to a version that may go live: compile, pre-flight in a sandbox process, check the binding.
import type { Clock } from "../core/clock.ts";
import { DEFAULT_SCRIPT_LIMITS, type ScriptFault } from "../../runtime/contract.ts";
import { compileScript, type CompiledScript } from "./compiler.ts";
import type { Generation } from "./generations.ts";
import { checkBinding } from "./script-binding.ts";
import { formatPosition, SourcePositions } from "./source-positions.ts";
import type { TaskAnswer } from "./tasks.ts";
import type { WorkerPool } from "./worker-pool.ts";

export type BuildAnswer =
  | { readonly kind: "built"; readonly generation: Generation; readonly imports: readonly string[] }
  /** The output is that of the live version: a comment changed, or nothing. */
  | { readonly kind: "unchanged"; readonly imports: readonly string[] }
  | { readonly kind: "failed"; readonly message: string; readonly imports: readonly string[] }
  /** No sandbox process could look at it. To be tried again. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface ScriptBuilder {
  readonly folder: string;
  readonly cdoModule: string;
  readonly pool: WorkerPool;
  readonly clock: Clock;
}

/** `liveVersion` needs no second pre-flight. */
export async function buildScript(
  builder: ScriptBuilder,
  name: string,
  text: string,
  liveVersion: string | undefined,
): Promise<BuildAnswer> {
  const { folder, cdoModule, pool, clock } = builder;
  const compiled = await compileScript({ folder, name, text, cdoModule });
  if (compiled.kind === "failed") return compiled;
  const { script } = compiled;
  const { imports } = script;
  if (script.version === liveVersion) return { kind: "unchanged", imports };
  const bundle = { version: script.version, scriptName: name, code: Buffer.from(script.code) };
  const answer = await pool.run({ kind: "inspect", bundle, limits: DEFAULT_SCRIPT_LIMITS });
  if (answer.kind === "unavailable") return answer;
  const found = judge(answer, script, name);
  if (typeof found === "string") {
    pool.retire(script.version);
    return { kind: "failed", message: found, imports };
  }
  const { version, code, sourceMap } = script;
  return {
    kind: "built",
    generation: { name, version, since: clock.now(), ...found, code, sourceMap },
    imports,
  };
}

/** What the pre-flight found, or what is wrong with it. */
function judge(
  answer: TaskAnswer,
  script: CompiledScript,
  name: string,
): Pick<Generation, "binding" | "entryPoint"> | string {
  if (answer.kind !== "inspected")
    return `${name}: ended its sandbox process while loading${answer.kind === "crash" ? ` (${answer.reason})` : ""}`;
  const { fault, binding, entryPoint } = answer.loaded;
  if (fault !== undefined) return locateFault(fault, name, new SourcePositions(script.sourceMap));
  if (entryPoint === undefined)
    return `${name}: exports no entry point (export default function onArrival(msg, status) { … })`;
  const checked = checkBinding(binding);
  return checked.kind === "valid" ? { binding: checked.binding, entryPoint } : `${name}: ${checked.problem}`;
}

/** The message of a fault, led by the line of the source where it happened. */
export function locateFault(fault: ScriptFault, name: string, positions: SourcePositions): string {
  const { line, column, stack } = fault;
  const direct = line === undefined ? undefined : positions.find(line, column ?? 1);
  const position = direct ?? (stack === undefined ? undefined : positions.mapStack(stack)[0]);
  return `${position === undefined ? name : formatPosition(position)}: ${fault.message}`;
}
