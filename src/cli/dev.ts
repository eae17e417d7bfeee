// `onarrival dev`: the service with a live console for authors of scripts.
import { copyFile, mkdir, rename } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import type { Config } from "../config/schema.ts";
import { serverFolders } from "../config/server-folders.ts";
import { systemClock } from "../core/clock.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { type ServiceLogger, createServiceLogger } from "../observe/log.ts";
import { DevConsole } from "./dev-console.ts";
import type { Output } from "./output.ts";
import { createPaint } from "./paint.ts";
import { type CommandFactory, collect } from "./program.ts";
import { type ServiceOptions, runService, withServiceOptions } from "./serve.ts";

interface Options extends ServiceOptions {
  readonly send?: readonly string[];
  readonly color: boolean;
}

export function devCommand(): CommandFactory {
  return (output) =>
    withServiceOptions(new Command("dev"))
      .description("run the service and show what each script does to each message")
      .option("--send <file>", "message to put into Pickup at the start, may be repeated", collect)
      .option("--no-color", "no colours (also: NO_COLOR in the environment, or output to a file)")
      .option("--json", "one JSON object per line")
      .action((options: Options) => dev(output, options));
}

async function dev(output: Output, options: Options): Promise<void> {
  const folder = { scripts: "" };
  const shown = new DevConsole({
    output,
    paint: createPaint(options.color),
    json: options.json === true,
    now: () => systemClock.now(),
    scriptsFolder: () => folder.scripts,
  });
  await runService(options, {
    openLog: (config) => {
      folder.scripts = config.scripts.folder;
      return besideConsole(createServiceLogger({ level: "warn", format: "pretty" }, 2));
    },
    audience: shown,
    ready: async ({ addresses }, config) => {
      const { scripts } = config;
      await shown.flush();
      output.out(
        options.json === true
          ? `${JSON.stringify({ event: "ready", addresses, scripts: scripts.folder })}\n`
          : `onarrival ready on ${addresses.join(", ")}; scripts in ${scripts.folder}; Ctrl-C ends\n`,
      );
      for (const file of options.send ?? []) await pickUp(file, pickupOf(config));
    },
  });
  await shown.flush();
}

/** The Pickup folder of the first virtual server. */
function pickupOf(config: Config): string {
  const [first] = config.virtualServers;
  return first === undefined ? path.join(config.mailroot, "Pickup") : serverFolders(config, first).pickup;
}

/** What the log says of scripts stands in the console already. */
function besideConsole(log: ServiceLogger): ServiceLogger {
  return { ...withoutScripts(log), flush: () => log.flush(), close: () => log.close() };
}

const isShown = (message: string): boolean => message === "script" || message.startsWith("script ");

function withoutScripts(log: Logger): Logger {
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => (isShown(message) ? undefined : log.warn(fields, message)),
    error: (fields, message) => (isShown(message) ? undefined : log.error(fields, message)),
    child: (fields) => withoutScripts(log.child(fields)),
  };
}

/** The leading dot hides it until it is whole. */
async function pickUp(file: string, pickup: string): Promise<void> {
  const name = `${process.pid}-${path.basename(file)}`;
  try {
    await mkdir(pickup, { recursive: true });
    await copyFile(file, path.join(pickup, `.${name}`));
    await rename(path.join(pickup, `.${name}`), path.join(pickup, name));
  } catch (thrown) {
    throw new OnArrivalError("WRONG_USE", `${file} cannot be sent: ${describeError(thrown)}`, {
      cause: thrown,
    });
  }
}
