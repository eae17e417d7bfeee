// `onarrival types`: places the types of scripts into the scripts folder, so that editors complete and check them.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { findConfigFile, loadConfig } from "../config/load.ts";
import { printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { systemCodeOf } from "../core/system-error.ts";

const OWN_SCRIPTS = new URL("../../scripts/", import.meta.url);
const TYPES = "types/cdo.d.ts";
const TSCONFIG = "tsconfig.json";

interface Options {
  readonly scripts?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function typesCommand(): CommandFactory {
  return (output) =>
    new Command("types")
      .description(
        "place the types of the object model, and a tsconfig.json when there is none, into the scripts folder",
      )
      .option("--scripts <folder>", "scripts folder (default: the one of the configuration)")
      .option("-c, --config <file>", "configuration file (default: onarrival.yaml when it is there)")
      .option("--json", "answer as JSON")
      .action((options: Options) => types(output, options));
}

async function types(output: Output, options: Options): Promise<void> {
  const folder = options.scripts ?? (await loadConfig(findConfigFile(options.config))).scripts.folder;
  const placed = await placeTypes(folder, true);
  printResult(output, options.json, { placed }, placed.map((file) => `placed ${file}`).join("\n"));
}

/** Answers the files that were written. Types that are there are replaced by those of this version if `renew` says so. */
export async function placeTypes(folder: string, renew: boolean): Promise<readonly string[]> {
  const placed: string[] = [];
  const place = async (name: string, replace: boolean): Promise<void> => {
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    const bytes = await readFile(new URL(name, OWN_SCRIPTS));
    if (await writeAs(replace ? "w" : "wx", file, bytes)) placed.push(file);
  };
  await place(TYPES, renew);
  await place(TSCONFIG, false);
  return placed;
}

/** Whether it was written: "wx" leaves a file that is there to its author. */
async function writeAs(flag: "w" | "wx", file: string, bytes: Buffer): Promise<boolean> {
  try {
    await writeFile(file, bytes, { flag });
    return true;
  } catch (error) {
    if (systemCodeOf(error) === "EEXIST") return false;
    throw error;
  }
}
