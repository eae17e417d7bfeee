// The running service, as commands reach it: by its mailroot, which the configuration file names unless the command does.
import type { Command } from "commander";
import { callControl } from "../admin/control-client.ts";
import { findConfigFile, likelyMailroot, loadConfig } from "../config/load.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";

/** The options of withPlace. */
export interface ServicePlace {
  readonly config?: string;
  readonly mailroot?: string;
}

export const withPlace = (command: Command): Command =>
  command
    .option("-c, --config <file>", "configuration file, which names the mailroot")
    .option("--mailroot <dir>", "mailroot of the running service");

/** The mailroot of a file that may have problems: a service that runs goes on with what it said before, and what is kept there stays. */
interface FoundMailroot {
  readonly mailroot: string;
  /** Why the file cannot be used. */
  readonly problem?: OnArrivalError;
}

/** The file is read only when it has to tell. */
export async function findMailroot({ config, mailroot }: ServicePlace): Promise<FoundMailroot> {
  if (mailroot !== undefined) return { mailroot };
  const file = findConfigFile(config);
  try {
    return { mailroot: (await loadConfig(file)).mailroot };
  } catch (thrown) {
    if (file === undefined || !(thrown instanceof OnArrivalError)) throw thrown;
    return { mailroot: await likelyMailroot(file), problem: thrown };
  }
}

/** As findMailroot, for what needs the file to be there: without it nobody knows which service is meant. */
export async function meantMailroot(place: ServicePlace): Promise<FoundMailroot> {
  const found = await findMailroot(place);
  if (found.problem?.code === "CONFIG_UNREADABLE") throw found.problem;
  return found;
}

/** Works with a broken file as well: the service that runs need not wait for its correction. */
export async function callService(
  place: ServicePlace,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  timeoutMs?: number,
): Promise<unknown> {
  const { mailroot, problem } = await meantMailroot(place);
  return callControl(mailroot, method, params, timeoutMs).catch((thrown: unknown) => {
    throw withProblem(problem, thrown);
  });
}

/** No service where the file seems to say: both may be the reason. */
export function withProblem(problem: OnArrivalError | undefined, thrown: unknown): unknown {
  if (problem === undefined || !(thrown instanceof OnArrivalError) || thrown.code !== "CONTROL_UNREACHABLE")
    return thrown;
  return new OnArrivalError(problem.code, `${problem.message}\n${describeError(thrown)}`, { cause: thrown });
}
