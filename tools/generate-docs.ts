// Writes the documents that are made from the code: `npm run docs`. test/architecture/docs.test.ts holds them to it.
import { globSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Command, type Argument, type Option } from "commander";
import { z } from "zod";
import { DOMAIN_KEYS, INHERITED_KEYS, fileSchema } from "../src/config/inheritance.ts";
import { configSchema } from "../src/config/schema.ts";
import { ERROR_CODES } from "../src/core/errors.ts";
import { EVENTS, EVENT_ALIASES, type PromisePolicy } from "../src/events/catalog.ts";
import { cdoPages } from "./cdo-docs.ts";
import { eventPageName, eventPages, hasEventPage } from "./event-docs.ts";
import { mailMsgPage } from "./mail-msg-docs.ts";
import { originalSettingParts } from "./original-docs.ts";
import { hasTransportEventPage, transportEventPages } from "./transport-event-docs.ts";

const NOTE = "<!-- Made by tools/generate-docs.ts from the code; `npm run docs` makes it again. -->";
type Schema = z.core.JSONSchema.JSONSchema;

/** The text of every generated document by its path. */
export async function generateDocs(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/settings.md", settingsPage()],
    [
      "docs/onarrival.schema.json",
      `${JSON.stringify({ title: "onarrival.yaml", ...fileSchema(jsonSchema()) }, undefined, 2)}\n`,
    ],
    ["docs/errors.md", errorsPage()],
    ["docs/cli.md", await cliPage()],
    ["docs/events/README.md", eventsPage()],
    ...eventPages({ page, table }),
    ...transportEventPages({ page, table }),
    ["docs/mailmsg.md", mailMsgPage({ page, table })],
    ["docs/rfc.md", rfcPage()],
    ...cdoPages({ page, table }),
  ]);
}

const page = (title: string, ...parts: readonly string[]): string =>
  `${[NOTE, `# ${title}`, ...parts].join("\n\n")}\n`;

const row = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");

// ---- settings ----

function jsonSchema(): Schema {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    // zod leaves out the default of whatever is transformed. Ours are valid as input too: sizes in bytes, names in lower case.
    override: ({ zodSchema, jsonSchema: made }) => {
      const said = z.globalRegistry.get(zodSchema)?.["default"];
      const value: unknown = zodSchema instanceof z.ZodDefault ? zodSchema.def.defaultValue : said;
      if (value !== undefined) made.default = value;
    },
  });
  return schema;
}

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function* leaves(schema: Schema, at: string): Generator<[string, Schema]> {
  if (isSchema(schema.items) && schema.items.properties !== undefined) {
    yield [at, schema];
    yield* leaves({ ...schema.items, description: "" }, `${at}[]`);
    return;
  }
  if (schema.properties === undefined) {
    yield [at, schema];
    return;
  }
  for (const [key, child] of Object.entries(schema.properties)) {
    if (isSchema(child)) yield* leaves(child, at === "" ? key : `${at}.${key}`);
  }
}

function typeName(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.anyOf !== undefined && schema["unit"] === "bytes") return "size";
  if (schema.type === "array")
    return isSchema(schema.items) && schema.items.properties === undefined
      ? `list of ${typeName(schema.items)}`
      : "list";
  if (schema.type === "object") return "map";
  return typeof schema.type === "string" ? schema.type : "text, number or boolean";
}

function defaultText(schema: Schema): string {
  if (typeof schema["defaultText"] === "string") return schema["defaultText"];
  if (schema.default === undefined) return "–";
  const { default: value } = schema;
  if (
    typeof value === "number" &&
    schema["unit"] === "bytes" &&
    value >= 1024 * 1024 &&
    value % (1024 * 1024) === 0
  )
    return `\`${value / (1024 * 1024)}MiB\``;
  return `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

const SERVER_PREFIX = "virtualServers[].";

function levelsOf(at: string): string {
  if (!at.startsWith(SERVER_PREFIX)) return "service";
  const key = at.slice(SERVER_PREFIX.length);
  if (!INHERITED_KEYS.includes(key.split(/[.[]/, 1)[0] ?? "")) return "server";
  const domainKey = DOMAIN_KEYS[key];
  return `service, server${domainKey === undefined ? "" : `, domain (\`${domainKey}\`)`}`;
}

function settingsPage(): string {
  const rows = [...leaves(jsonSchema(), "")].map(([at, schema]) => [
    `\`${at}\``,
    typeName(schema),
    defaultText(schema),
    typeof schema["unit"] === "string" ? schema["unit"] : "",
    levelsOf(at),
    typeof schema["applies"] === "string" ? schema["applies"] : "",
    schema.description ?? "",
  ]);
  return page(
    "Settings",
    "Every key of `onarrival.yaml`. A size is a number of bytes or a text such as `32MiB` or `10MB`; paths are relative to the file. `live` settings take effect when the file is saved (`watchConfig`) or at SIGHUP, `restart` settings when the service starts again. An unknown key is an error. Editors complete and check the file with `# yaml-language-server: $schema=docs/onarrival.schema.json` in its first line.",
    "`Level` says where a key may stand. `service`: at the top of the file, once. `server`: in an entry of `virtualServers`. `service, server`: there, and without `virtualServers[].` in front also at the top of the file, for every virtual server that does not say otherwise; a server overrides such settings key by key, and lists as a whole; `null` takes an inherited key away. `domain`: the named key says something else for single domains.",
    table(["Key", "Type", "Default", "Unit", "Level", "Takes effect", "Meaning"], rows),
    ...originalSettingParts(table, (key) => rows.find(([at]) => at === `\`${key}\``)?.[2]),
  );
}

// ---- errors and events ----

function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, entry]) => [
    `\`${code}\``,
    entry.owner,
    entry.meaning,
    entry.remedy,
  ]);
  return page(
    "Errors",
    "`operator`: a file, a setting or a script has to change. `system`: the machine or OnArrival failed.",
    table(["Code", "Who acts", "Meaning", "What to do"], rows),
  );
}

const yesNo = (value: boolean): string => (value ? "yes" : "no");

function eventCell(name: string): string {
  const linked =
    hasEventPage(name) || hasTransportEventPage(name)
      ? `[\`${name}\`](${eventPageName(name)})`
      : `\`${name}\``;
  const aliases = Object.entries(EVENT_ALIASES).filter(([, event]) => event === name);
  return [linked, ...aliases.map(([alias]) => `\`${alias}\``)].join(", ");
}

function eventsPage(): string {
  const rows = Object.entries(EVENTS).map(([name, event]) => [
    String(event.step),
    eventCell(name),
    event.raised,
    event.sinksMay,
    event.rule,
    yesNo(event.scriptable),
    event.onFault === "binding" ? "the binding's `onError`" : "the next sink is called",
    promiseCell(event),
  ]);
  return page(
    "Events",
    "Every event in the order of the life of a message.",
    table(["Step", "Event", "Raised", "Sinks may", "Rule on", "Scripts", "After a fault", "A promise"], rows),
  );
}

const PROMISES: Readonly<Record<PromisePolicy, string>> = {
  left: "is not waited for",
  refused: "is a fault",
};

const promiseCell = ({ promises }: { readonly promises?: PromisePolicy }): string =>
  promises === undefined ? "is waited for" : PROMISES[promises];

// ---- command line ----

/**
 * Every export of src/cli/ named …Command makes a command, some after being given what they need. A command of the
 * program is named as its export is (statusCommand: status); others are added by one of those, which shows them.
 */
async function collectCommands(): Promise<Command[]> {
  const commands: Command[] = [];
  for (const file of globSync("src/cli/*.ts").toSorted()) {
    const exported: unknown = await import(pathToFileURL(path.resolve(file)).href);
    if (typeof exported !== "object" || exported === null) continue;
    for (const [name, value] of Object.entries(exported)) {
      const command = name.endsWith("Command") ? madeBy(value) : undefined;
      if (command !== undefined && name === `${command.name()}Command`) commands.push(command);
    }
  }
  return commands.toSorted((left, right) => left.name().localeCompare(right.name()));
}

/** A factory gets a stand-in for its output or its parts: building a command uses neither. */
function madeBy(value: unknown, depth = 0): Command | undefined {
  if (value instanceof Command) return value;
  if (typeof value !== "function" || depth === 3) return undefined;
  return madeBy(Reflect.apply(value, undefined, [{}]), depth + 1);
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function* describeCommand(command: Command, parents: string): Generator<string> {
  const name = `${parents} ${command.name()}`;
  if (command.commands.length > 0) {
    for (const child of command.commands) yield* describeCommand(child, name);
    return;
  }
  const usage = [name, ...command.registeredArguments.map(argumentText), "[options]"].join(" ");
  yield `## ${name}\n\n${command.description()}\n\n\`\`\`\n${usage}\n\`\`\``;
  const rows = [
    ...command.registeredArguments.map((argument) => [`\`${argument.name()}\``, argument.description]),
    ...command.options.map((option: Option) => [`\`${option.flags}\``, option.description]),
  ];
  yield table(["Argument or option", "Meaning"], rows);
}

async function cliPage(): Promise<string> {
  const parts = (await collectCommands()).flatMap((command) => [...describeCommand(command, "onarrival")]);
  return page(
    "Command line",
    "Exit codes: 0 done, 1 failed, 2 wrong use. Every command has `--help` and `--json`.",
    ...parts,
  );
}

// ---- RFCs ----

const CITATION = /RFC (\d{3,5})((?:(?:,? and|,)? ?§[\d.]+\d|(?:,? and|,)? ?§\d)*)/g;

function rfcPage(): string {
  const found = new Map<string, Set<string>>();
  for (const file of globSync(["src/**/*.ts", "runtime/**/*.ts"])
    .map((name) => name.replaceAll("\\", "/"))
    .toSorted()) {
    for (const comment of readFileSync(file, "utf8").matchAll(/(?:\/\/|\/?\*)[^\n]*/g)) {
      for (const [, rfc = "", sections = ""] of comment[0].matchAll(CITATION)) {
        for (const section of sections.match(/§[\d.]*\d/g) ?? [""]) {
          const key = `${rfc.padStart(5, "0")} ${section}`;
          found.set(key, (found.get(key) ?? new Set()).add(file));
        }
      }
    }
  }
  const order = new Intl.Collator("en", { numeric: true });
  const rows = [...found]
    .toSorted(([left], [right]) => order.compare(left, right))
    .map(([key, files]) => {
      const [rfc = "", section = ""] = key.split(" ");
      const number = Number(rfc);
      const anchor = section === "" ? "" : `#section-${section.slice(1)}`;
      return [
        `[RFC ${number}](https://www.rfc-editor.org/rfc/rfc${number}${anchor})`,
        section,
        [...files].map((file) => `\`${file}\``).join(", "),
      ];
    });
  return page(
    "RFCs in the code",
    "Which sections the code refers to, and where.",
    table(["RFC", "Section", "Files"], rows),
    "## Commands and extensions that are not served",
    table(["Name", "Of", "Why, and what does its work"], NOT_SERVED),
  );
}

/** What people who know the field look for in vain. */
const NOT_SERVED = [
  [
    "TURN",
    "RFC 821, RFC 5321 App. F.1",
    "Answered 502. Deprecated: whoever names a domain in EHLO would get its mail, as nothing proves the name. The original offered it. ETRN sends the mail to where DNS or `domains.remote` says, whoever asks.",
  ],
  [
    "ATRN",
    "RFC 2645",
    "Answered 502. On-demand relay for hosts without an address of their own: a service apart, on port 366, whose sessions change sides after AUTH. Such hosts are rare today. ETRN (RFC 1985) does it for those that have a name; for others `domains.remote[].smartHost` names the end of a tunnel.",
  ],
  [
    "EXPN",
    "RFC 5321 §3.5.3",
    "Answered 502: lists tell their members to senders of spam. A sink of `OnInboundCommand` may answer it. VRFY is answered 252 for every name.",
  ],
  [
    "SEND, SOML, SAML",
    "RFC 821, RFC 5321 App. F.6",
    "Answered 502: they put mail on the terminal of a user who is logged in. Clients should not use them, servers need not have them; a verb that is known and not served is answered 502, not 500 (RFC 5321 §4.2.4). A sink of `OnInboundCommand` may answer them.",
  ],
] as const;

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [file, text] of await generateDocs()) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    console.log(file);
  }
}
