// `onarrival check`: validates the configuration and compiles every script, without a service.
import path from "node:path";
import { Command } from "commander";
import { checkBindings } from "../composition/bindings/binding-check.ts";
import { checkDirectories } from "../composition/servers/directory-check.ts";
import { FIRING_FILE, readFirings } from "../composition/bindings/firing-file.ts";
import { KeptScripts } from "../composition/scripts/kept-scripts.ts";
import { checkServerFiles } from "../composition/servers/server-file-check.ts";
import { STRAY_ADVICE, strayMailroots } from "../composition/servers/stray-mailroots.ts";
import { findConfigFile, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { settingWarnings } from "../config/setting-warnings.ts";
import { systemClock } from "../core/clock.ts";
import { OnArrivalError } from "../core/errors.ts";
import { CommandFailed, printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";

export interface ScriptCheck {
  readonly script: string;
  /** Absent: the script is good. */
  readonly problem?: string | undefined;
}

export interface CodeCheck {
  readonly scripts: readonly ScriptCheck[];
  /** Of bindings that scripts and native sinks declare themselves. */
  readonly warnings: readonly string[];
}

/** Compiles and loads every script of the folder, and the native sinks; the composition root knows how. */
export type CheckScripts = (config: Config) => Promise<CodeCheck>;

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
    const files = await checkServerFiles(config, systemClock.now());
    problems.push(...files.problems);
    warnings.push(...files.warnings);
    for (const mailroot of await strayMailroots(config)) warnings.push(`${mailroot}: ${STRAY_ADVICE}`);
    warnings.push(...(await checkDirectories(config)));
    warnings.push(...settingWarnings(config));
    const { counts } = await readFirings(path.join(config.mailroot, FIRING_FILE));
    const { disabled } = await KeptScripts.open(config.mailroot);
    const facts = { clock: systemClock, firings: counts, disabledScripts: disabled };
    const bindings = checkBindings(config, facts);
    problems.push(...bindings.problems);
    warnings.push(...bindings.warnings);
    const code = await checkScripts(config);
    scripts = code.scripts;
    warnings.push(...code.warnings);
    for (const { script, problem } of scripts)
      if (problem !== undefined) problems.push(named(script, problem));
  } catch (error) {
    if (!(error instanceof OnArrivalError) || error.owner !== "operator") throw error;
    problems.push(...error.message.split("\n"));
  }
  const good = `configuration ${file ?? "(defaults)"} is valid, ${scripts.length} script${scripts.length === 1 ? "" : "s"} compiled`;
  const text = [...(problems.length === 0 ? [good] : problems), ...warnings].join("\n");
  const ok = problems.length === 0;
  printResult(output, options.json, { ok, config: file ?? null, problems, warnings, scripts }, text);
  if (problems.length > 0) throw new CommandFailed();
}

/** Most problems begin with a place in the script, or in a file that it imports. */
const named = (script: string, problem: string): string =>
  problem.startsWith(`${script}:`) ? problem : `${script}: ${problem}`;
