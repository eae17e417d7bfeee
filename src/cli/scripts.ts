// `onarrival scripts …`: the scripts of the running service, their versions and their logs, and switching them.
import { Command } from "commander";
import {
  scriptsOnDisk,
  type ShownDetails,
  type ShownScript,
} from "../composition/scripts/script-overview.ts";
import { findConfigFile, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { OnArrivalError } from "../core/errors.ts";
import type { ScriptLogEntry } from "../sandbox/versions/script-activity.ts";
import { printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { callService, type ServicePlace, withPlace } from "./running-service.ts";
import { scriptsDiffCommand } from "./scripts-diff.ts";
import { describeScript, formatLogEntry, scriptTable } from "./scripts-text.ts";

interface Options extends ServicePlace {
  readonly json?: boolean;
  readonly follow?: boolean;
}

const FOLLOW_MS = 500;

const VERBS = [
  ["disable", "switch a script off: its bindings are not called, whatever the configuration says"],
  ["enable", "switch a script on again, with the version that its file holds"],
] as const;

export const scriptsCommand: CommandFactory = (output) => {
  const scripts = new Command("scripts").description("the scripts, their versions and what they did");
  scripts.addCommand(
    withOptions(new Command("list"))
      .description("list the scripts with their live versions and bindings")
      .action((options: Options) => list(output, options)),
  );
  scripts.addCommand(
    named(new Command("show"))
      .description("show one script with its bindings and the versions that are kept")
      .action((name: string, options: Options) => show(output, name, options)),
  );
  scripts.addCommand(
    named(new Command("log"))
      .description("the last log lines and faults of a script in this run of the service")
      .option("-f, --follow", "go on with new lines until interrupted")
      .action((name: string, options: Options) => log(output, name, options)),
  );
  scripts.addCommand(
    named(new Command("rollback"))
      .description("make a kept version live until the file changes")
      .argument("[version]", "version or its beginning (default: the one before the live one)")
      .action((name: string, version: string | undefined, options: Options) =>
        rollback(output, name, version, options),
      ),
  );
  for (const [verb, description] of VERBS) {
    scripts.addCommand(
      named(new Command(verb))
        .description(description)
        .action((name: string, options: Options) => change(output, verb, name, options)),
    );
  }
  scripts.addCommand(scriptsDiffCommand(output));
  return scripts;
};

const withOptions = (command: Command): Command => withPlace(command).option("--json", "answer as JSON");

const named = (command: Command): Command =>
  withOptions(command).argument("<name>", "file name of the script");

async function configOf(options: Options): Promise<Config> {
  const config = await loadConfig(findConfigFile(options.config));
  return options.mailroot === undefined ? config : { ...config, mailroot: options.mailroot };
}

/** What the service answers or, without one, what its folders say. */
async function orFromDisk<T>(
  options: Options,
  ask: () => Promise<T>,
  read: (config: Config) => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof OnArrivalError) || error.code !== "CONTROL_UNREACHABLE") throw error;
    return read(await configOf(options));
  }
}

async function list(output: Output, options: Options): Promise<void> {
  const scripts = await orFromDisk<readonly ShownScript[]>(
    options,
    async () => listOf(await callService(options, "scripts.list"), isShown),
    scriptsOnDisk,
  );
  const note = scripts.some(({ running }) => !running)
    ? "no service runs: this is what is kept on disk\n"
    : "";
  const text = scripts.length === 0 ? "no scripts" : `${note}${scriptTable(scripts)}`;
  printResult(output, options.json, scripts, text);
}

async function show(output: Output, name: string, options: Options): Promise<void> {
  const script = await orFromDisk<ShownDetails>(
    options,
    async () =>
      listOf([await callService(options, "scripts.show", { name })], isDetailed)[0] ?? missing(name),
    async (config) => (await scriptsOnDisk(config)).find((one) => one.name === name) ?? missing(name),
  );
  const entries =
    script.running && (script.suspended || script.suspendedInShadow)
      ? listOf(await callService(options, "scripts.log", { name, after: 0 }), isLogEntry)
      : [];
  printResult(output, options.json, script, describeScript(script, entries).join("\n"));
}

function missing(name: string): never {
  throw new OnArrivalError("SCRIPT_NOT_FOUND", `no script ${name}`);
}

async function log(output: Output, name: string, options: Options): Promise<void> {
  const ask = async (after: number): Promise<readonly ScriptLogEntry[]> =>
    listOf(await callService(options, "scripts.log", { name, after }), isLogEntry);
  let entries = await ask(0);
  if (options.follow !== true) {
    printResult(output, options.json, entries, entries.map(formatLogEntry).join("\n"));
    return;
  }
  let last = 0;
  for (;;) {
    for (const entry of entries) {
      output.out(`${options.json === true ? JSON.stringify(entry) : formatLogEntry(entry)}\n`);
      last = entry.sequence;
    }
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    entries = await ask(last);
  }
}

async function rollback(
  output: Output,
  name: string,
  version: string | undefined,
  options: Options,
): Promise<void> {
  const answer = await callService(options, "scripts.rollback", {
    name,
    ...(version === undefined ? {} : { version }),
  });
  const live = isObject(answer) ? String(answer["version"]) : "";
  printResult(
    output,
    options.json,
    answer,
    `${name}: version ${live} is live until its file changes, or \`onarrival scripts enable ${name}\``,
  );
}

async function change(
  output: Output,
  verb: "disable" | "enable",
  name: string,
  options: Options,
): Promise<void> {
  printResult(
    output,
    options.json,
    await callService(options, `scripts.${verb}`, { name }),
    `${name}: ${verb}d`,
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

const isShown = (value: unknown): value is ShownScript =>
  isObject(value) && typeof value["name"] === "string" && Array.isArray(value["bindings"]);

const isDetailed = (value: unknown): value is ShownDetails =>
  isShown(value) && "versions" in value && Array.isArray(value.versions);

const isLogEntry = (value: unknown): value is ScriptLogEntry =>
  isObject(value) && typeof value["sequence"] === "number" && typeof value["text"] === "string";

function listOf<T>(answer: unknown, isOne: (value: unknown) => value is T): readonly T[] {
  if (!Array.isArray(answer) || !answer.every(isOne))
    throw new OnArrivalError("INTERNAL", "the service answered something else than was asked for");
  return answer;
}
