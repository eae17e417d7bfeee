// Commands run in this process, as main.ts runs them: their exit code and what they wrote.
import { explainCommand } from "../../src/cli/explain.ts";
import { type CommandFactory, createProgram, runProgram } from "../../src/cli/program.ts";
import { queueCommand } from "../../src/cli/queue.ts";
import { scriptsCommand } from "../../src/cli/scripts.ts";
import type { CommandResult, Service } from "./service.ts";

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

/** A command that asks a running service, without a process for it. */
export async function ask(
  service: Service,
  command: "explain" | "queue" | "scripts",
  ...args: readonly string[]
): Promise<CommandResult> {
  const place = ["--mailroot", service.mailroot];
  const all = [explainCommand, queueCommand, scriptsCommand];
  const { code, out, err } = await runInProcess(all, [command, ...args, ...place]);
  return { code, stdout: out, stderr: err };
}
