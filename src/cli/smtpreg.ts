// `onarrival smtpreg …`: smtpreg.vbs with its arguments and its messages (REFERENCE 5.5), on the configuration file.
import path from "node:path";
import { Command } from "commander";
import { withoutScript } from "../composition/bindings/unserved-bindings.ts";
import { type Bag, BindingEditor } from "../config/edit.ts";
import { namedScript } from "../config/import/script-path.ts";
import { DEFAULT_CONFIG_FILE } from "../config/load.ts";
import type { BindingSettings } from "../config/schema.ts";
import { normalizeGuid } from "../config/values.ts";
import { OnArrivalError } from "../core/errors.ts";
import { DEFAULT_PRIORITY, LOWEST_PRIORITY, isScriptClass } from "../events/binding.ts";
import { type EventType, findEventType } from "../events/event-types.ts";
import { ruleWarning } from "../events/rule-check.ts";
import { CommandFailed, EXIT, type Output, printResult, warn } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { sinkFault } from "./sink-fault.ts";
import { USAGE, enumLines } from "./smtpreg-text.ts";

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

/** The original ends with -1 where it finds no event or no server. */
const QUIT_MINUS_1 = 255;

/** How many arguments each command takes, itself not counted. */
const ARGUMENTS: ReadonlyMap<string, readonly number[]> = new Map([
  ["/add", [5, 6]],
  ["/remove", [3]],
  ["/setprop", [6]],
  ["/delprop", [5]],
  ["/enable", [3]],
  ["/disable", [3]],
  ["/enum", [0]],
]);

export const smtpregCommand: CommandFactory = (output) =>
  new Command("smtpreg")
    .description(
      "the commands of the original's smtpreg.vbs; without arguments or with /? its usage; 255 where the original ended with -1",
    )
    .argument("[words...]", "command of smtpreg.vbs and its arguments, as /enum")
    .option("-c, --config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE})`)
    .option("--json", "answer as JSON")
    // A value may begin with a hyphen.
    .allowUnknownOption()
    .action((words: readonly string[], options: Options) => smtpreg(output, words, options));

async function smtpreg(output: Output, words: readonly string[], options: Options): Promise<void> {
  const [given = "/?", ...args] = words;
  const command = given.toLowerCase();
  if (command === "/?" || ARGUMENTS.get(command)?.includes(args.length) !== true) {
    printResult(output, options.json, { usage: USAGE }, USAGE);
    if (command !== "/?") throw new CommandFailed(EXIT.wrongUse);
    return;
  }
  const file = path.resolve(options.config ?? DEFAULT_CONFIG_FILE);
  if (command === "/enum") {
    const known = await BindingEditor.open(file);
    const bindings = known.list();
    printResult(output, options.json, bindings, enumLines(known.servers(), bindings).join("\n"));
    return;
  }
  const fault = command === "/add" ? await faultOfAdd(args, path.dirname(file)) : undefined;
  await using editor = await BindingEditor.lock(file);
  const call = new Call(editor, args, fault);
  const print = (): void => printResult(output, options.json, { said: call.said }, call.said.join("\n"));
  try {
    call.run(command);
  } catch (thrown) {
    if (thrown instanceof CommandFailed) print();
    throw thrown;
  }
  if (call.hasChanged) await editor.save();
  print();
  warn(output, call.warnings);
  for (const note of call.notes) output.err(`note: ${note}\n`);
}

/** Why the sink of `/add` cannot be loaded. An unknown event is no matter of this: the command itself refuses it. */
async function faultOfAdd(
  [, event = "", , sinkClass = ""]: readonly string[],
  folder: string,
): Promise<OnArrivalError | undefined> {
  const type = findEventType(event);
  return type && (await sinkFault(sinkClass, type.event, folder));
}

/** One command, in the editor's memory until it is saved. */
class Call {
  /** What the original would have printed. */
  readonly said: string[] = [];
  readonly notes: string[] = [];
  readonly warnings: string[] = [];
  hasChanged = true;
  readonly #editor: BindingEditor;
  readonly #args: readonly string[];
  readonly #sinkFault: OnArrivalError | undefined;

  /** `fault`: why the sink of `/add` cannot be loaded. */
  constructor(editor: BindingEditor, args: readonly string[], fault: OnArrivalError | undefined) {
    this.#editor = editor;
    this.#args = args;
    this.#sinkFault = fault;
  }

  run(command: string): void {
    const [instance = "", event = "", name = ""] = this.#args;
    const isGuid = name.startsWith("{");
    this.said.push(`Binding ${isGuid ? "GUID specified" : "Display Name Specified"}: ${name}`);
    const type = this.#eventType(event);
    const server = this.#server(instance);
    if (command === "/add") {
      this.#add(type, server, isGuid ? this.#guid(name) : undefined, name);
      return;
    }
    if (command === "/remove") {
      this.#remove(type, server, name, isGuid);
      return;
    }
    const binding = this.#find(type, server, name, isGuid);
    switch (command) {
      case "/setprop":
      case "/delprop":
        this.#editProperty(command, binding);
        break;
      default:
        this.#editor.set(binding.id, "binding", "enabled", command === "/enable");
        this.said.push(`Success: Sink Binding ${command === "/enable" ? "Enabled" : "Disabled"}`);
        this.#checkScript(binding.id);
    }
  }

  #add(type: EventType, server: string, guid: string | undefined, name: string): void {
    const [, , , sinkClass = "", rule = "", given] = this.#args;
    if (this.#sinkFault !== undefined)
      this.#quit(registrationFailure(this.#args, type, this.#sinkFault.message));
    if (given === undefined) this.said.push(`Assigning priority (${DEFAULT_PRIORITY} in ${LOWEST_PRIORITY})`);
    const priority = given === undefined ? DEFAULT_PRIORITY : priorityOf(given);
    if (guid !== undefined) this.#removeFormer(type, server, guid);
    const id = this.#editor.add({
      id: guid,
      displayName: guid === undefined ? name : undefined,
      event: type.names[0] ?? type.event,
      // With one virtual server "all" is that one, whatever its name becomes.
      server: this.#editor.servers().length > 1 ? server : undefined,
      sinkClass,
      rule: rule === "" ? undefined : rule,
      priority,
    });
    const [displayName, shownId] = guid === undefined ? [name, id] : ["", name];
    this.said.push(
      "** SUCCESS **",
      "Registered Binding:",
      ` Event Name  :${type.displayName}`,
      ` Display Name:${displayName}`,
      ` Binding GUID:${shownId}`,
      ` ProgID      :${sinkClass}`,
      `   Rule      :${rule}`,
      `   Priority  :${priority} (0 - ${LOWEST_PRIORITY}, default: ${DEFAULT_PRIORITY})`,
      `   ComCatID  :${type.guid}`,
    );
    this.#checkRule(id);
    if (isScriptClass(sinkClass))
      this.notes.push("it is called once /setprop has given its Sink bag a ScriptName");
  }

  /** A known GUID is registered anew. */
  #removeFormer(type: EventType, server: string, guid: string): void {
    if (this.#known(type, server, guid, true) !== undefined) this.#editor.remove(guid);
    else if (this.#editor.list().some(({ id }) => id === guid))
      this.#quit(["** ERROR **", `Another event or virtual server has a binding of the GUID ${guid}`]);
  }

  #remove(type: EventType, server: string, name: string, isGuid: boolean): void {
    // The original did not look whether there is a binding of that GUID, and said the same.
    const binding = isGuid ? this.#known(type, server, name, isGuid) : this.#find(type, server, name, isGuid);
    if (binding === undefined) {
      this.hasChanged = false;
      this.notes.push("there is no such binding of this event and virtual server: nothing was changed");
    } else this.#editor.remove(binding.id);
    const [displayName, id] = isGuid ? ["", name] : [name, binding?.id];
    this.said.push(
      "** SUCCESS **",
      "Removed Binding:",
      ` Event Name  :${type.displayName}`,
      ` Display Name:${displayName}`,
      ` Binding GUID:${id}`,
      `   ComCatID  :${type.guid}`,
    );
  }

  #editProperty(command: "/setprop" | "/delprop", binding: BindingSettings): void {
    const [, , , given = "", property = "", value = ""] = this.#args;
    const bag = (["source", "sink"] as const).find((name) => name === given.toLowerCase());
    if (bag === undefined) return this.#quit([`invalid propertybag: ${given}`]);
    if (command === "/delprop") {
      this.#editor.unset(binding.id, bag, property);
      this.said.push(`removed property ${property}`);
      return;
    }
    this.#editor.set(binding.id, bag, property, this.#propertyValue(binding, bag, property, value));
    if (bag === "source") this.#checkRule(binding.id);
    else this.#checkScript(binding.id);
    this.said.push(`set property ${property} to ${value}`);
  }

  #propertyValue(binding: BindingSettings, bag: Bag, name: string, value: string): string | number {
    if (bag === "source") return name.toLowerCase() === "priority" ? priorityOf(value) : value;
    if (name.toLowerCase() !== "scriptname" || !isScriptClass(binding.sinkClass)) return value;
    const { scriptName, notes } = namedScript(value);
    this.notes.push(...notes);
    return scriptName;
  }

  /** The original took any rule, and so does this: what of it cannot count is told. */
  #checkRule(id: string): void {
    const binding = this.#editor.list()[this.#editor.indexOf(id)];
    const warning = binding && ruleWarning(binding.event, binding.sourceProperties?.rule);
    if (warning !== undefined) this.warnings.push(warning);
  }

  /** The running service takes the binding over at once, and mail waits for a script that is not there. */
  #checkScript(id: string): void {
    const binding = this.#editor.list()[this.#editor.indexOf(id)];
    const found = binding && withoutScript(binding, this.#editor.scriptsFolder());
    if (found !== undefined) this.warnings.push(`${found.problem}: ${found.advice}`);
  }

  #known(type: EventType, server: string, name: string, isGuid: boolean): BindingSettings | undefined {
    const guid = isGuid ? this.#guid(name) : undefined;
    return this.#editor
      .list()
      .find(
        (binding) =>
          binding.event === type.event &&
          (binding.server ?? server) === server &&
          (guid === undefined ? binding.displayName === name : binding.id === guid),
      );
  }

  #find(type: EventType, server: string, name: string, isGuid: boolean): BindingSettings {
    const found = this.#known(type, server, name, isGuid);
    if (found !== undefined) return found;
    return this.#quit(
      isGuid
        ? ["** ERROR **", `No binding present for GUID ${name}`]
        : [`Failed to find binding with display name:${name}`],
    );
  }

  #eventType(event: string): EventType {
    return findEventType(event) ?? this.#quit([`Unrecognized Event Name: ${event}`], QUIT_MINUS_1);
  }

  #server(instance: string): string {
    if (!/^\d{1,6}$/.test(instance) || Number(instance) < 1)
      this.#quit([`Invalid SMTP service instance: ${instance}`]);
    const server = this.#editor.servers()[Number(instance) - 1];
    const missing = `SMTP Virtual Service # ${instance} Source not present...exiting.`;
    return server ?? this.#quit([missing], QUIT_MINUS_1);
  }

  #guid(text: string): string {
    return (
      normalizeGuid(text) ??
      this.#quit([`${text} is no GUID: it must be like {871736C0-FD85-11D0-869A-00C04FD65616}`])
    );
  }

  #quit(lines: readonly string[], exitCode: number = EXIT.failed): never {
    this.said.push(...lines);
    throw new CommandFailed(exitCode);
  }
}

const registrationFailure = (
  [, event = "", , sinkClass = ""]: readonly string[],
  { guid }: EventType,
  description: string,
): string[] => [
  "** Registration Failed **",
  "    Err.Number (HRESULT) = 0x800401F3",
  `    Err.Description      = ${description}`,
  `    ProgID               = ${sinkClass}`,
  `    COM Category         = ${guid}`,
  `    Corresponding Event  = ${event}`,
  "** Have you registered your sink COM class on this machine?",
];

function priorityOf(text: string): number {
  const priority = /^\s*\d{1,5}\s*$/.test(text) ? Number(text) : Number.NaN;
  if (priority <= LOWEST_PRIORITY) return priority;
  throw new OnArrivalError("WRONG_USE", `priority ${text} is no number from 0 to ${LOWEST_PRIORITY}`);
}
