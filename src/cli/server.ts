// `onarrival server …`: the virtual servers of the running service, one by one.
import { Command } from "commander";
import type { ServerStatus } from "../composition/observation/service-status.ts";
import { OnArrivalError } from "../core/errors.ts";
import { formatTable, printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { callService, type ServicePlace, withPlace } from "./running-service.ts";

interface Options extends ServicePlace {
  readonly json?: boolean;
}

const VERBS = [
  ["start", "start it: with the settings of the file as it was last loaded"],
  ["stop", "finish what is in hand and stop it; what waits stays in its mailroot"],
  ["pause", "turn new clients away with 421; what was accepted is delivered"],
  ["continue", "take new clients again"],
] as const;

/** Ending the sessions and deliveries in hand may take its time. */
const TIMEOUT_MS = 60_000;

export const serverCommand: CommandFactory = (output) => {
  const server = new Command("server").description("the virtual servers of the running service");
  server.addCommand(
    withOptions(new Command("list"))
      .description("list the virtual servers and what they do")
      .action(async (options: Options) =>
        print(output, options, await callService(options, "server.list", {}, TIMEOUT_MS)),
      ),
  );
  for (const [verb, description] of VERBS) {
    server.addCommand(
      withOptions(new Command(verb))
        .description(description)
        .argument("<name>", "name of the virtual server")
        .action(async (name: string, options: Options) =>
          print(output, options, await callService(options, `server.${verb}`, { name }, TIMEOUT_MS)),
        ),
    );
  }
  return server;
};

const withOptions = (command: Command): Command => withPlace(command).option("--json", "answer as JSON");

function print(output: Output, options: Options, answer: unknown): void {
  if (!Array.isArray(answer) || !answer.every(isServer))
    throw new OnArrivalError("INTERNAL", "the service answered no list of virtual servers");
  const rows = answer.map(({ name, state, connections, queues, addresses, mailroot }) => [
    name,
    state,
    String(connections),
    queues === undefined ? "-" : String(queues.messages),
    addresses.length === 0 ? "-" : addresses.join(", "),
    mailroot,
  ]);
  const head = ["SERVER", "STATE", "CLIENTS", "MESSAGES", "ADDRESSES", "MAILROOT"];
  printResult(output, options.json, answer, formatTable(head, rows));
}

const isServer = (value: unknown): value is ServerStatus =>
  typeof value === "object" && value !== null && "state" in value && "addresses" in value;
