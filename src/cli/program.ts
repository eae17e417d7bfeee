// Joins the commands to one program. Whatever goes wrong ends as an exit code: 1 failed, 2 wrong use.
import { Command } from "commander";
import { EXIT, processOutput, reportError, type Output } from "./output.ts";

/** What every command file exports: makes its command, which writes to `output`. */
export type CommandFactory = (output: Output) => Command;

export interface ProgramOptions {
  readonly version?: string;
  readonly output?: Output;
}

export function createProgram(commands: readonly CommandFactory[], options: ProgramOptions = {}): Command {
  const output = options.output ?? processOutput;
  const program = new Command("onarrival")
    .description("SMTP service whose mail flow is programmable at every step")
    .version(options.version ?? "0.0.0", "-V, --version", "print the version")
    .showSuggestionAfterError()
    .showHelpAfterError("(see --help)");
  for (const create of commands) program.addCommand(create(output));
  overrideExit(program, output);
  return program;
}

/** commander ends the process by itself, with 1 for wrong use: here it throws, and `runProgram` decides. */
function overrideExit(command: Command, output: Output): void {
  command
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.err(text) });
  for (const child of command.commands) overrideExit(child, output);
}

/** Reads an option that may be repeated. */
export const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [
  ...earlier,
  value,
];

/** Answers the exit code. `args` are those after `node main.ts`. */
export async function runProgram(
  program: Command,
  args: readonly string[],
  output: Output = processOutput,
): Promise<number> {
  try {
    await program.parseAsync([...args], { from: "user" });
    return EXIT.done;
  } catch (error) {
    return reportError(output, error, args.includes("--json"));
  }
}
