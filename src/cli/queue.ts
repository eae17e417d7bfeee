// `onarrival queue …`: what waits in the running service, and what to do with it.
import { Command } from "commander";
import type { ShownEntry } from "../admin/queue-methods.ts";
import { OnArrivalError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { whyKeptBack } from "./frozen-advice.ts";
import { formatTable, formatTime, printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { adviceLines } from "./queue-advice.ts";
import { callService, type ServicePlace, withPlace } from "./running-service.ts";
import {
  STEERING,
  type Steered,
  type Steering,
  meantQueues,
  printSteered,
  printSummary,
} from "./queue-steering.ts";

interface Options extends ServicePlace {
  readonly server?: string;
  readonly json?: boolean;
  readonly all?: boolean;
  readonly limit?: string;
}

const VERBS = [
  ["retry", "try messages now"],
  ["hold", "keep messages without attempts until released"],
  ["release", "release held messages"],
  ["remove", "delete messages without a report to the sender"],
] as const;

export const queueCommand: CommandFactory = (output) => {
  const queue = new Command("queue").description("the queues of the running service");
  queue.addCommand(
    withOptions(new Command("list"))
      .description("list the messages in the queues")
      .option("--limit <n>", "so many messages at most", "1000")
      .action((options: Options) => list(output, options)),
  );
  queue.addCommand(
    withOptions(new Command("show"))
      .description("show one message with its recipients")
      .argument("<id>", "id of the message, or its beginning (6 characters or more)")
      .action((id: string, options: Options) => show(output, id, options)),
  );
  queue.addCommand(
    withOptions(new Command("summary"))
      .description("list the queues with the numbers of their messages")
      .action(async (options: Options) =>
        printSummary(output, options.json, await call(options, "queue.summary")),
      ),
  );
  for (const [verb, description] of STEERING) {
    queue.addCommand(
      withOptions(new Command(verb))
        .description(description)
        .argument("<queue>", "as `summary` names it: a next hop, local, or pre-submission and the like")
        .action((name: string, options: Options) => steer(output, verb, name, options)),
    );
  }
  for (const [verb, description] of VERBS) {
    queue.addCommand(
      withOptions(new Command(verb))
        .description(description)
        .argument("[ids...]", "ids of messages, or their beginnings (6 characters or more)")
        .option("--all", "all messages of the queues")
        .action((ids: string[], options: Options) => change(output, verb, ids, options)),
    );
  }
  return queue;
};

function withOptions(command: Command): Command {
  return withPlace(command)
    .option("--server <name>", "only the queues of this virtual server")
    .option("--json", "answer as JSON");
}

async function call(
  options: Options,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
): Promise<unknown> {
  const { server } = options;
  return callService(options, method, server === undefined ? params : { ...params, server });
}

async function list(output: Output, options: Options): Promise<void> {
  const limit = Number(options.limit);
  const answer = await call(options, "queue.list", { limit });
  if (!Array.isArray(answer) || !answer.every(isEntry))
    throw new OnArrivalError("INTERNAL", "the service answered no list of messages");
  const isOfMany = new Set(answer.map(({ server }) => server)).size > 1;
  const rows = answer.map((entry) => [
    entry.id,
    ...(isOfMany ? [entry.server] : []),
    entry.queue,
    entry.state,
    String(entry.attempts),
    entry.nextAttempt === undefined ? "-" : formatTime(entry.nextAttempt),
    `<${entry.sender}>`,
    String(entry.recipients.length),
    String(entry.size),
    entry.reason ?? "",
  ]);
  const head = [
    "ID",
    ...(isOfMany ? ["SERVER"] : []),
    "QUEUE",
    "STATE",
    "TRIES",
    "NEXT",
    "SENDER",
    "RCPTS",
    "BYTES",
    "REASON",
  ];
  printResult(
    output,
    options.json,
    answer,
    rows.length === 0 ? "the queues are empty" : [formatTable(head, rows), ...adviceLines(answer)].join("\n"),
  );
}

async function show(output: Output, id: string, options: Options): Promise<void> {
  const entry = await call(options, "queue.show", { id });
  if (!isEntry(entry)) throw new OnArrivalError("INTERNAL", "the service answered no message");
  const lines = [
    ["id", entry.id],
    ["server", entry.server],
    ["queue", entry.queue],
    ["state", entry.state],
    ["reason", entry.reason ?? "-"],
    ...(entry.advice === undefined ? [] : [["what to do", entry.advice]]),
    ["sender", `<${entry.sender}>`],
    ["size", `${entry.size} bytes`],
    ["arrived", formatTime(entry.arrivalTime)],
    ["attempts", String(entry.attempts)],
    ["next attempt", entry.nextAttempt === undefined ? "-" : formatTime(entry.nextAttempt)],
    ...entry.recipients.map((to) => [
      "recipient",
      `<${to.address}> ${to.state}${to.lastReply === undefined ? "" : `: ${to.lastReply}`}`,
    ]),
  ];
  printResult(
    output,
    options.json,
    entry,
    lines.map(([name = "", value = ""]) => `${name.padEnd(14)}${printable(value)}`).join("\n"),
  );
}

/** Any next hop can be frozen before it has mail: so a name that is misspelt is only told. */
async function steer(output: Output, verb: Steering, name: string, options: Options): Promise<void> {
  const meant = meantQueues(await call(options, "queue.summary"), verb, name);
  const steered: Steered[] = [];
  // oxlint-disable-next-line no-await-in-loop -- a few, and each is a connection
  for (const queue of meant.names)
    steered.push({ queue, answer: await call(options, `queue.${verb}`, { queue }) });
  printSteered(output, options.json, verb, steered, meant);
}

async function change(output: Output, verb: string, ids: readonly string[], options: Options): Promise<void> {
  const all = options.all === true;
  if (all === ids.length > 0) throw new OnArrivalError("WRONG_USE", "give message ids, or --all");
  const answer = await call(options, `queue.${verb}`, all ? { all } : { ids });
  const changed = countIn(answer, "changed");
  const keptBack = countIn(answer, "keptBack");
  const text = `${verb}: ${changed} message${changed === 1 ? "" : "s"}`;
  if (keptBack === 0) {
    // Ids that are not there any more: said, so that a script of the operator notices.
    if (!all && changed === 0)
      throw new OnArrivalError("MESSAGE_NOT_FOUND", `no message to ${verb} among ${ids.join(", ")}`);
    printResult(output, options.json, { changed }, text);
  } else {
    const why = whyKeptBack(answer);
    // What was held is held no more, while a retry of nothing but frozen messages tries none.
    if (verb === "retry" && keptBack >= changed) throw new OnArrivalError("QUEUE_FROZEN", why);
    const stay = `${keptBack} of them ${keptBack === 1 ? "is" : "are"} not tried`;
    printResult(output, options.json, answer, `${text}; ${stay}\n${why}`);
  }
}

/** Absent: 0. */
function countIn(answer: unknown, name: "changed" | "keptBack"): number {
  const counts: Readonly<Partial<Record<typeof name, unknown>>> =
    typeof answer === "object" && answer !== null ? answer : {};
  return Number(counts[name] ?? 0);
}

function isEntry(value: unknown): value is ShownEntry {
  return (
    typeof value === "object" &&
    value !== null &&
    "id" in value &&
    "server" in value &&
    "recipients" in value &&
    Array.isArray(value.recipients)
  );
}
