// Commands run in this process, as main.ts runs them: their exit code and what they wrote.
import { type CommandFactory, createProgram, runProgram } from "../../src/cli/program.ts";

export interface CommandRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function runInProcess(
  commands: readonly CommandFactory[],
  args: readonly string[],
): Promise<CommandRun> {
  const said = { out: "", err: "" };
  const output = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
  };
  const code = await runProgram(createProgram(commands, { output }), args, output);
  return { code, ...said };
}
