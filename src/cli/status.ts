// `onarrival status`: whether the running service does its work, and how full its queues are.
import { Command } from "commander";
import { callControl } from "../admin/control-client.ts";
import type { ServerStatus, ServiceStatus } from "../composition/observation/service-status.ts";
import { STRAY_ADVICE } from "../composition/servers/stray-mailroots.ts";
import { OnArrivalError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import type { QueueDepths } from "../transport/queues/queue-view.ts";
import { CommandFailed, type Output, printResult } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { type ServicePlace, findMailroot, withPlace, withProblem } from "./running-service.ts";

interface Options extends ServicePlace {
  readonly json?: boolean;
}

export const statusCommand: CommandFactory = (output) =>
  withPlace(new Command("status"))
    .description(
      "whether the running service is healthy, and how full its queues are; exit code 1 when it is not, the configuration file has problems, or the last reload was refused",
    )
    .option("--json", "answer as JSON")
    .action((options: Options) => show(output, options));

async function show(output: Output, options: Options): Promise<void> {
  const { mailroot, problem } = await findMailroot(options);
  const answer = await callControl(mailroot, "status").catch((thrown: unknown) => {
    throw withProblem(problem, thrown);
  });
  if (!isStatus(answer)) throw new OnArrivalError("INTERNAL", "the service answered no status");
  printResult(output, options.json, { ...answer, ...problemOf(problem) }, describe(answer));
  if (problem !== undefined && options.json !== true) throw problem;
  if (problem !== undefined || answer.refusedReload !== undefined || !answer.health.healthy)
    throw new CommandFailed();
}

const problemOf = (problem: OnArrivalError | undefined): object =>
  problem === undefined
    ? {}
    : { configuration: { code: problem.code, message: problem.message, remedy: problem.remedy } };

function describe(status: ServiceStatus): string {
  const { queues, health, suspendedScripts, servers, strayMailroots, unservedBindings, refusedReload } =
    status;
  const [first] = servers;
  const lines = [
    ["health", health.healthy ? "healthy" : health.reasons.join("; ")],
    ["pid", String(status.pid)],
    ["admin", status.admin ?? "-"],
    ...(refusedReload === undefined
      ? []
      : [["reload", `refused, the configuration stays as it was: ${refusedReload}`]]),
    ["suspended", suspendedScripts.length === 0 ? "no script" : suspendedScripts.join(", ")],
    ...unservedBindings.map(({ binding, problem, advice }) => [
      "no script",
      `binding ${JSON.stringify(binding)}: ${problem}; what to do: ${advice}`,
    ]),
    ...strayMailroots.map((mailroot) => ["stray", `${mailroot}: ${STRAY_ADVICE}`]),
    ...(servers.length === 1 && first !== undefined
      ? describeServer(first)
      : [
          ["connections", String(status.connections)],
          ...(queues === undefined ? [] : describeQueues(queues)),
          ...servers.flatMap((server) => [["", ""], ["server", server.name], ...describeServer(server)]),
        ]),
  ];
  return lines.map(([name = "", value = ""]) => printable(`${name.padEnd(14)}${value}`).trimEnd()).join("\n");
}

const describeServer = ({ state, addresses, connections, queues }: ServerStatus): string[][] => [
  ["state", state],
  ["addresses", addresses.join(", ")],
  ["connections", String(connections)],
  ...(queues === undefined ? [] : describeQueues(queues)),
];

function describeQueues({
  messages,
  kinds,
  held,
  destinations,
  otherDestinations,
  oldestAgeMs,
}: QueueDepths): string[][] {
  const oldest = `, the oldest since ${Math.round(oldestAgeMs / 1000)} s`;
  return [
    ["messages", `${messages}${messages === 0 ? "" : oldest}`],
    ["queues", counted(kinds)],
    ["held", counted(held)],
    ...destinations.map(({ queue, messages: count }) => ["next hop", `${queue}: ${count}`]),
    ...(otherDestinations > 0 ? [["next hop", `others: ${otherDestinations}`]] : []),
  ];
}

/** "local 3, remote 1": those that are not 0. */
function counted(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0 ? "0" : some.map(([name, count]) => `${name} ${count}`).join(", ");
}

const isStatus = (value: unknown): value is ServiceStatus =>
  typeof value === "object" && value !== null && "health" in value && "addresses" in value;
