// argv: puts the commands together and turns what they answer into the exit code.
import { readFileSync } from "node:fs";
import { bindingsCommand } from "./cli/bindings.ts";
import { checkCommand } from "./cli/check.ts";
import { passwordCommand } from "./cli/password.ts";
import { createProgram, runProgram } from "./cli/program.ts";
import { queueCommand } from "./cli/queue.ts";
import { runCommand } from "./cli/run.ts";
import { serveCommand } from "./cli/serve.ts";
import { checkScripts } from "./composition/scripts.ts";

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const program = createProgram(
  [
    serveCommand(),
    runCommand(),
    checkCommand(checkScripts),
    bindingsCommand,
    queueCommand,
    passwordCommand(),
  ],
  { version },
);
process.exitCode = await runProgram(program, process.argv.slice(2));
