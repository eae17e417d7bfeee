// `onarrival bindings …`: what smtpreg.vbs did (REFERENCE 5.5), on the configuration file.
import { Command, InvalidArgumentError } from "commander";
import path from "node:path";
import { bindingWarnings, missingScript } from "../composition/bindings/binding-check.ts";
import { FIRING_FILE, readFirings } from "../composition/bindings/firing-file.ts";
import { KeptScripts } from "../composition/scripts/kept-scripts.ts";
import { BindingEditor, type Bag } from "../config/edit.ts";
import { DEFAULT_CONFIG_FILE } from "../config/load.ts";
import { systemClock } from "../core/clock.ts";
import { OnArrivalError } from "../core/errors.ts";
import { DEFAULT_PRIORITY, isScriptClass, SCRIPT_SINK_CLASS } from "../events/binding.ts";
import { declaredOf, listBindings, type ListOptions } from "./bindings-list.ts";
import { printResult, warn, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { sinkFault } from "./sink-fault.ts";

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

interface AddOptions extends Options {
  readonly rule?: string;
  readonly priority?: number;
  readonly script?: string;
  readonly server?: string;
  readonly onError?: string;
}

export const bindingsCommand: CommandFactory = (output) => {
  const bindings = new Command("bindings").description("the bindings of the configuration file");
  bindings.addCommand(
    withFile(new Command("list"))
      .description("list the bindings in the order of the file, and why one is not called any more")
      .option(
        "--mailroot <dir>",
        "mailroot of the service, which keeps the counts of maxFirings and the scripts",
      )
      .action((options: ListOptions) => listBindings(output, fileOf(options), options)),
  );
  bindings.addCommand(addCommand(output));
  bindings.addCommand(
    named(new Command("remove"))
      .description("remove a binding")
      .action((name: string, options: Options) => remove(output, options, name)),
  );
  bindings.addCommand(
    property(new Command("set"))
      .argument("<value>", "text; numbers, true and false as such")
      .description("set a property of a binding")
      .action((name: string, bag: Bag, key: string, value: string, options: Options) =>
        edit(output, options, name, `set ${key} of ${name}`, (editor) =>
          editor.set(name, bag, key, parseValue(bag, value)),
        ),
      ),
  );
  bindings.addCommand(
    property(new Command("unset"))
      .description("remove a property of a binding")
      .action((name: string, bag: Bag, key: string, options: Options) =>
        edit(output, options, name, `unset ${key} of ${name}`, (editor) => {
          if (!editor.unset(name, bag, key))
            throw new OnArrivalError("BINDING_NOT_FOUND", `${name} has no ${bag} property ${key}`);
        }),
      ),
  );
  for (const [verb, enabled] of [
    ["enable", true],
    ["disable", false],
  ] as const) {
    bindings.addCommand(
      named(new Command(verb))
        .description(`${verb} a binding`)
        .action((name: string, options: Options) =>
          edit(output, options, name, `${verb}d ${name}`, (editor) =>
            editor.set(name, "binding", "enabled", enabled),
          ),
        ),
    );
  }
  return bindings;
};

function addCommand(output: Output): Command {
  return withFile(new Command("add"))
    .description("add a binding")
    .argument("<event>", "event, as OnArrival")
    .argument("<displayName>", "name of the binding")
    .argument("[sinkClass]", "path of a native sink module", SCRIPT_SINK_CLASS)
    .argument("[rule]", 'which messages, as "MAIL FROM=*@example.com" (default: that of the sink, else all)')
    .argument(
      "[priority]",
      `0 first … 32767 last (default: that of the sink, else ${DEFAULT_PRIORITY})`,
      parsePriority,
    )
    .option("--rule <rule>", "the same as the argument")
    .option("--priority <number>", "the same as the argument", parsePriority)
    .option("--script <file>", "script of the scripts folder (ScriptName)")
    .option("--server <name>", "virtual server whose mail it sees (default: all)")
    .option("--on-error <policy>", "hold, continue or badmail (default: hold)", parsePolicy)
    .action(
      (
        event: string,
        displayName: string,
        sinkClass: string,
        rule: string | undefined,
        priority: number | undefined,
        options: AddOptions,
      ) =>
        add(output, {
          event,
          displayName,
          sinkClass,
          rule: options.rule ?? rule,
          priority: options.priority ?? priority,
          options,
        }),
    );
}

interface Addition {
  readonly event: string;
  readonly displayName: string;
  readonly sinkClass: string;
  readonly rule: string | undefined;
  readonly priority: number | undefined;
  readonly options: AddOptions;
}

async function add(output: Output, { options, priority, ...parts }: Addition): Promise<void> {
  if (isScriptClass(parts.sinkClass) && options.script === undefined) {
    throw new OnArrivalError(
      "WRONG_USE",
      "a script binding needs --script FILE; a native sink needs its path as sinkClass",
    );
  }
  await using editor = await BindingEditor.lock(fileOf(options));
  const id = editor.add({
    ...parts,
    priority,
    scriptName: options.script,
    server: options.server,
    onError: policyOf(options.onError),
  });
  const index = editor.indexOf(id);
  const binding = editor.list()[index];
  const folder = path.dirname(fileOf(options));
  const fault = binding && (await sinkFault(parts.sinkClass, binding.event, folder));
  if (fault !== undefined) throw fault;
  const declared = binding === undefined ? {} : await declaredOf(binding, editor.mailroot(), folder);
  const warnings = await warningsOf(editor, index);
  await editor.save();
  const text = [
    ["event", parts.event],
    ["display name", parts.displayName],
    ["binding", id],
    ["sink class", parts.sinkClass],
    ["rule", parts.rule ?? declared.rule ?? "(all messages)"],
    ["priority", String(priority ?? declared.priority ?? DEFAULT_PRIORITY)],
  ];
  printResult(
    output,
    options.json,
    { id, warnings },
    text.map(([name = "", value = ""]) => `${name.padEnd(14)}${value}`).join("\n"),
  );
  warn(output, warnings);
}

async function remove(output: Output, options: Options, name: string): Promise<void> {
  await using editor = await BindingEditor.lock(fileOf(options));
  editor.remove(name);
  await editor.save();
  const said = `removed ${name}`;
  printResult(output, options.json, { done: said }, said);
}

async function edit(
  output: Output,
  options: Options,
  name: string,
  said: string,
  change: (editor: BindingEditor) => void,
): Promise<void> {
  await using editor = await BindingEditor.lock(fileOf(options));
  // By its place: the change may give it another name.
  const index = editor.indexOf(name);
  change(editor);
  const warnings = await warningsOf(editor, index);
  await editor.save();
  printResult(output, options.json, { done: said, warnings }, said);
  warn(output, warnings);
}

/** As the original does, what can never be called, or has no script yet, is stored all the same (REFERENCE 5.4). */
async function warningsOf(editor: BindingEditor, index: number): Promise<string[]> {
  const binding = editor.list()[index];
  if (binding === undefined) return [];
  const mailroot = editor.mailroot();
  const { counts } = await readFirings(path.join(mailroot, FIRING_FILE));
  const { disabled } = await KeptScripts.open(mailroot);
  const facts = { clock: systemClock, firings: counts, disabledScripts: disabled };
  return [...bindingWarnings(binding, facts), ...missingScript(binding, editor.scriptsFolder(), facts)];
}

const fileOf = (options: Options): string => path.resolve(options.config ?? DEFAULT_CONFIG_FILE);

function withFile(command: Command): Command {
  return command
    .option("-c, --config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE})`)
    .option("--json", "answer as JSON");
}

const named = (command: Command): Command => withFile(command).argument("<binding>", "display name or GUID");

const property = (command: Command): Command =>
  named(command)
    .argument("<bag>", "source, sink, or binding for what stands beside the bags", parseBag)
    .argument("<property>", "name of the property, as priority, ScriptName, limits.timeoutMs");

function parseBag(text: string): Bag {
  const bag = (["source", "sink", "binding"] as const).find((name) => name === text.toLowerCase());
  if (bag === undefined) throw new InvalidArgumentError("must be source, sink or binding");
  return bag;
}

function parsePriority(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("must be a number from 0 to 32767");
  return Number(text);
}

function policyOf(text: string | undefined): "hold" | "continue" | "badmail" | undefined {
  return (["hold", "continue", "badmail"] as const).find((policy) => policy === text);
}

function parsePolicy(text: string): string {
  if (policyOf(text) === undefined) throw new InvalidArgumentError("must be hold, continue or badmail");
  return text;
}

/** The original stored texts only; the sink's own properties stay what was typed, ours get the type they need. */
function parseValue(bag: Bag, text: string): string | number | boolean {
  if (bag === "sink") return text;
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}
