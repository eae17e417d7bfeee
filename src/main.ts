// argv: puts the commands together and turns what they answer into the exit code.
import { readFileSync } from "node:fs";
import { endWithoutReader, leave, whenOutputFails } from "./cli/output.ts";
import { type CommandFactory, createProgram, runProgram } from "./cli/program.ts";
import { collectAsForMail } from "./core/collection-flags.ts";

// Files are written by this many threads; with the default of 4, Drop would make the store's barrier wait. Read by libuv
// when the first of them is needed.
process.env["UV_THREADPOOL_SIZE"] ??= "12";

collectAsForMail();

/** Each command's modules are loaded when it is asked for: a look at the queues needs nothing of the relay. */
const COMMANDS: Readonly<Record<string, () => Promise<CommandFactory>>> = {
  serve: async () => (await import("./cli/serve.ts")).serveCommand(),
  dev: async () => (await import("./cli/dev.ts")).devCommand(),
  new: async () => (await import("./cli/new.ts")).newCommand(),
  run: async () => (await import("./cli/run.ts")).runCommand(),
  check: async () => {
    const [{ checkCommand }, { checkScripts }] = await Promise.all([
      import("./cli/check.ts"),
      import("./composition/scripts/scripts.ts"),
    ]);
    return checkCommand(checkScripts);
  },
  bindings: async () => (await import("./cli/bindings.ts")).bindingsCommand,
  smtpreg: async () => (await import("./cli/smtpreg.ts")).smtpregCommand,
  import: async () => (await import("./cli/import.ts")).importCommand,
  server: async () => (await import("./cli/server.ts")).serverCommand,
  status: async () => (await import("./cli/status.ts")).statusCommand,
  queue: async () => (await import("./cli/queue.ts")).queueCommand,
  scripts: async () => (await import("./cli/scripts.ts")).scriptsCommand,
  directory: async () => (await import("./cli/directory.ts")).directoryCommand,
  explain: async () => (await import("./cli/explain.ts")).explainCommand,
  password: async () => (await import("./cli/password.ts")).passwordCommand(),
  types: async () => (await import("./cli/types.ts")).typesCommand(),
};

/** What a command does when nobody reads on; the others end. */
const WITHOUT_READER: Readonly<Record<string, () => void>> = {
  // Mail does not wait for a reader.
  serve: () => undefined,
  dev: () => void process.kill(process.pid, "SIGTERM"),
};

const args = process.argv.slice(2);
const [first = ""] = args;
// While its modules are loaded there is nothing to read again yet.
if (first === "serve") process.on("SIGHUP", () => undefined);
const withoutReader = Object.hasOwn(WITHOUT_READER, first) ? WITHOUT_READER[first] : undefined;
whenOutputFails(withoutReader ?? endWithoutReader);
const wanted = Object.hasOwn(COMMANDS, first) ? [COMMANDS[first]] : Object.values(COMMANDS);
const packageFile = readFileSync(new URL("../package.json", import.meta.url), "utf8");
const { version }: { version: string } = JSON.parse(packageFile);
const commands = await Promise.all(wanted.flatMap((load) => load?.() ?? []));
const exitCode = await runProgram(createProgram(commands, { version }), args);
// What could not be written is a failure already.
process.exitCode ||= exitCode;
// A pipe may not have taken all yet, and what failed is told a turn later.
process.stdout.write("", () => process.stderr.write("", () => setImmediate(leave)));
