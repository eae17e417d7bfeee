// argv: puts the commands together and turns what they answer into the exit code.
import { readFileSync } from "node:fs";
import { bindingsCommand } from "./cli/bindings.ts";
import { checkCommand } from "./cli/check.ts";
import { explainCommand } from "./cli/explain.ts";
import { devCommand } from "./cli/dev.ts";
import { importCommand } from "./cli/import.ts";
import { newCommand } from "./cli/new.ts";
import { passwordCommand } from "./cli/password.ts";
import { createProgram, runProgram } from "./cli/program.ts";
import { queueCommand } from "./cli/queue.ts";
import { runCommand } from "./cli/run.ts";
import { scriptsCommand } from "./cli/scripts.ts";
import { serveCommand } from "./cli/serve.ts";
import { smtpregCommand } from "./cli/smtpreg.ts";
import { statusCommand } from "./cli/status.ts";
import { typesCommand } from "./cli/types.ts";
import { checkScripts } from "./composition/scripts.ts";

// Files are written by this many threads; with the default of 4, Drop would make the store's barrier wait. Read by libuv
// when the first of them is needed.
process.env["UV_THREADPOOL_SIZE"] ??= "12";

const packageFile = readFileSync(new URL("../package.json", import.meta.url), "utf8");
const { version }: { version: string } = JSON.parse(packageFile);
const program = createProgram(
  [
    serveCommand(),
    devCommand(),
    newCommand(),
    runCommand(),
    checkCommand(checkScripts),
    bindingsCommand,
    smtpregCommand,
    importCommand,
    statusCommand,
    queueCommand,
    scriptsCommand,
    explainCommand,
    passwordCommand(),
    typesCommand(),
  ],
  { version },
);
process.exitCode = await runProgram(program, process.argv.slice(2));
