// `onarrival directory find`: what the categorizer's directory knows of addresses, asked as the service would ask.
import { Command } from "commander";
import { Categorizers } from "../composition/servers/categorizer.ts";
import { findConfigFile, loadConfig } from "../config/load.ts";
import type { Config, VirtualServerSettings } from "../config/schema.ts";
import { systemClock } from "../core/clock.ts";
import { OnArrivalError } from "../core/errors.ts";
import type { LogFields, Logger } from "../core/logger.ts";
import { printable } from "../core/printable.ts";
import type {
  DirectoryAnswer,
  DirectoryEntry,
  DirectoryQuery,
  EntryLimits,
  SenderList,
} from "../events/contexts/directory-entries.ts";
import type { Directory } from "../transport/categorizer/directory.ts";
import { CommandFailed, type Output, printResult } from "./output.ts";
import type { CommandFactory } from "./program.ts";

interface Options {
  readonly config?: string;
  readonly server?: string;
  readonly members?: boolean;
  readonly json?: boolean;
}

interface Found {
  readonly address: string;
  readonly answer: DirectoryAnswer;
  readonly members: readonly DirectoryQuery[] | undefined;
}

export const directoryCommand: CommandFactory = (output) =>
  new Command("directory").description("look into the directory of the categorizer").addCommand(
    new Command("find")
      .description("show what the directory says of addresses; exit code 1 when it does not know one of them")
      .argument("<address...>", "mail addresses")
      .option("-c, --config <file>", "configuration file (default: onarrival.yaml when it is there)")
      .option(
        "--server <name>",
        "virtual server whose categorizer is asked (default: the first that has one)",
      )
      .option("--members", "name the direct members of groups as well")
      .option("--json", "answer as JSON")
      .action((addresses: readonly string[], options: Options) => find(output, addresses, options)),
  );

async function find(output: Output, addresses: readonly string[], options: Options): Promise<void> {
  const directory = await openDirectory(output, options);
  try {
    const queries = addresses.map((value): DirectoryQuery => ({ by: "address", value }));
    const answers = await directory.resolve(queries, []);
    const found: Found[] = [];
    for (const [index, address] of addresses.entries()) {
      const answer = answers[index] ?? { kind: "not-mine" };
      // oxlint-disable-next-line no-await-in-loop -- one group after the other
      const members = options.members === true ? await membersOf(answer) : undefined;
      found.push({ address, answer, members });
    }
    const text = found.map((one) => textOf(one)).join("\n");
    printResult(
      output,
      options.json,
      found.map((one) => plainOf(one)),
      text,
    );
    if (answers.some(({ kind }) => kind === "unknown" || kind === "ambiguous")) throw new CommandFailed();
  } finally {
    await directory.close();
  }
}

async function openDirectory(output: Output, options: Options): Promise<Directory> {
  const config = await loadConfig(findConfigFile(options.config));
  const live = new Categorizers(systemClock, stderrLog(output)).of(config, serverOf(config, options.server));
  if (live === undefined)
    throw new OnArrivalError(
      "WRONG_USE",
      "the virtual server has no `categorizer.file` and no `categorizer.ldap`, and so no directory",
    );
  return live.directory;
}

function serverOf({ virtualServers }: Config, name: string | undefined): VirtualServerSettings {
  const server =
    name === undefined
      ? (virtualServers.find(({ categorizer }) => categorizer !== undefined) ?? virtualServers[0])
      : virtualServers.find((one) => one.name === name);
  if (server === undefined) throw new OnArrivalError("WRONG_USE", `no virtual server is called ${name}`);
  return server;
}

async function membersOf(answer: DirectoryAnswer): Promise<readonly DirectoryQuery[] | undefined> {
  if (answer.kind !== "found" || answer.entry.members === undefined) return undefined;
  const members: DirectoryQuery[] = [];
  for await (const page of answer.entry.members()) members.push(...page);
  return members;
}

const VERDICTS = {
  unknown: "unknown: the directory has no such entry",
  "not-mine": "not a domain of the directory",
};

function textOf({ address, answer, members }: Found): string {
  if (answer.kind === "ambiguous") return `${address}: ${answer.text}`;
  if (answer.kind !== "found") return `${address}: ${VERDICTS[answer.kind]}`;
  const rows = rowsOf(answer.entry, members).map(([name, value]) => `  ${name}: ${value}`);
  return [`${address}: ${answer.entry.kind}`, ...rows].map((line) => printable(line)).join("\n");
}

function rowsOf(
  entry: DirectoryEntry,
  members: readonly DirectoryQuery[] | undefined,
): (readonly [string, string])[] {
  const { key, address, displayName, owner, reportTo, forwardTo, deliverAndForward, limits } = entry;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["entry", key],
    ["address", address],
    ["name", displayName],
    [deliverAndForward === true ? "forwards a copy to" : "forwards to", listOf(forwardTo)],
    ["owner", owner?.value],
    ["reports on members to", reportTo],
    ...limitRows(limits ?? {}),
    ...(members ?? []).map(({ value }) => ["member", value] as const),
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

const limitRows = (limits: EntryLimits): (readonly [string, string | undefined])[] => [
  ["largest message it gets", sizeOf(limits.maxIncomingBytes)],
  ["largest message it sends", sizeOf(limits.maxOutgoingBytes)],
  ["most recipients", limits.maxRecipients?.toString()],
  ["only from", sendersOf(limits.acceptOnlyFrom)],
  ["not from", sendersOf(limits.rejectFrom)],
  ["from authenticated senders only", limits.requireAuthenticatedSender === true ? "yes" : undefined],
];

const sizeOf = (bytes: number | undefined): string | undefined =>
  bytes === undefined ? undefined : `${bytes} bytes`;

const listOf = (queries: readonly DirectoryQuery[] | undefined): string | undefined =>
  queries === undefined || queries.length === 0 ? undefined : queries.map(({ value }) => value).join("; ");

const sendersOf = (list: SenderList | undefined): string | undefined =>
  list &&
  [...list.senders, ...list.membersOf.map(({ value }) => ({ value: `members of ${value}` }))]
    .map(({ value }) => value)
    .join("; ");

function plainOf({ address, answer, members }: Found): Record<string, unknown> {
  if (answer.kind !== "found") return { address, ...answer };
  const { attributes, ...entry } = answer.entry;
  return {
    address,
    kind: answer.kind,
    entry: { ...entry, attributes: Object.fromEntries(attributes ?? []), members },
  };
}

/** What the service would write into its log is for the eyes of whoever asks. */
function stderrLog(output: Output): Logger {
  const write = (fields: LogFields, message: string): void =>
    output.err(`${printable(`${message} ${JSON.stringify(fields)}`)}\n`);
  const log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: write,
    error: write,
    child: () => log,
  };
  return log;
}
