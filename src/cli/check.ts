// `onarrival check`: validates the configuration and compiles every script, without a service.
import { Command } from "commander";
import { checkBindings } from "../composition/binding-check.ts";
import { STRAY_ADVICE, strayMailroots } from "../composition/stray-mailroots.ts";
import { findConfigFile, loadConfig } from "../config/load.ts";
import type { BindingSettings, Config } from "../config/schema.ts";
import { describeError, OnArrivalError } from "../core/errors.ts";
import { SCRIPT_SINK_CLASS } from "../events/binding.ts";
import { CommandFailed, printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";

export interface ScriptCheck {
  readonly script: string;
  /** Absent: the script is good. */
  readonly problem?: string | undefined;
}

/** Compiles and loads every script of the folder; the composition root knows how. */
export type CheckScripts = (config: Config) => Promise<readonly ScriptCheck[]>;

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

export function checkCommand(checkScripts: CheckScripts): CommandFactory {
  return (output) =>
    new Command("check")
      .description("validate the configuration and compile every script")
      .option("-c, --config <file>", "configuration file (default: onarrival.yaml when it is there)")
      .option("--json", "answer as JSON")
      .action((options: Options) => check(output, checkScripts, options));
}

async function check(output: Output, checkScripts: CheckScripts, options: Options): Promise<void> {
  const file = findConfigFile(options.config);
  const problems: string[] = [];
  const warnings: string[] = [];
  let scripts: readonly ScriptCheck[] = [];
  try {
    const config = await loadConfig(file);
    for (const mailroot of await strayMailroots(config)) warnings.push(`${mailroot}: ${STRAY_ADVICE}`);
    const bindings = checkBindings(config);
    problems.push(...bindings.problems);
    warnings.push(...bindings.warnings);
    scripts = await checkScripts(config);
    for (const { script, problem } of scripts)
      if (problem !== undefined) problems.push(`${script}: ${problem}`);
    warnings.push(...withoutScript(config.bindings, new Set(scripts.map(({ script }) => script))));
  } catch (error) {
    if (!(error instanceof OnArrivalError) || error.owner !== "operator") throw error;
    problems.push(...(error.code === "CONFIG_INVALID" ? error.message.split("\n") : [describeError(error)]));
  }
  const good = `configuration ${file ?? "(defaults)"} is valid, ${scripts.length} script${scripts.length === 1 ? "" : "s"} compiled`;
  const text = [...(problems.length === 0 ? [good] : problems), ...warnings].join("\n");
  const ok = problems.length === 0;
  printResult(output, options.json, { ok, config: file ?? null, problems, warnings, scripts }, text);
  if (problems.length > 0) throw new CommandFailed();
}

const WITHOUT_SCRIPT = {
  hold: "its messages are held until there is one",
  continue: "its messages go on without it",
  badmail: "its messages go to Badmail",
} as const;

/** No problem: a script may be saved later than its entry. */
function withoutScript(bindings: readonly BindingSettings[], scripts: ReadonlySet<string>): string[] {
  return bindings.flatMap(({ displayName, sinkClass, sinkProperties, enabled, mode, onError = "hold" }) => {
    if (sinkClass.toLowerCase() !== SCRIPT_SINK_CLASS.toLowerCase() || enabled === false) return [];
    const name = sinkProperties?.["ScriptName"] ?? "";
    if (name === "") return [`binding "${displayName}" has no ScriptName: it is not called`];
    if (typeof name === "string" && scripts.has(name)) return [];
    const then = mode === "shadow" ? "nothing runs in shadow" : WITHOUT_SCRIPT[onError];
    return [`binding "${displayName}": there is no script ${String(name)} in the scripts folder; ${then}`];
  });
}
