// The running service, as commands reach it: by its mailroot, which the configuration file names unless the command does.
import type { Command } from "commander";
import { callControl } from "../admin/control-client.ts";
import { findConfigFile, loadConfig } from "../config/load.ts";

/** The options of withPlace. */
export interface ServicePlace {
  readonly config?: string;
  readonly mailroot?: string;
}

export const withPlace = (command: Command): Command =>
  command
    .option("-c, --config <file>", "configuration file, which names the mailroot")
    .option("--mailroot <dir>", "mailroot of the running service");

/** The file is read only when it has to tell. */
export const mailrootOf = async ({ config, mailroot }: ServicePlace): Promise<string> =>
  mailroot ?? (await loadConfig(findConfigFile(config))).mailroot;

export async function callService(
  place: ServicePlace,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  timeoutMs?: number,
): Promise<unknown> {
  return callControl(await mailrootOf(place), method, params, timeoutMs);
}
