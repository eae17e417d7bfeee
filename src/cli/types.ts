// `onarrival types`: places the types of scripts into the scripts folder, so that editors complete and check them.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { findConfigFile, loadConfig } from "../config/load.ts";
import { printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";

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
      .action((options: Options) => placeTypes(output, options));
}

async function placeTypes(output: Output, options: Options): Promise<void> {
  const folder = options.scripts ?? (await loadConfig(findConfigFile(options.config))).scripts.folder;
  const types = path.join(folder, TYPES);
  const tsconfig = path.join(folder, TSCONFIG);
  await mkdir(path.dirname(types), { recursive: true });
  const placed = [types];
  await writeFile(types, await readFile(new URL(TYPES, OWN_SCRIPTS)));
  if (await writeNew(tsconfig, await readFile(new URL(TSCONFIG, OWN_SCRIPTS)))) placed.push(tsconfig);
  printResult(output, options.json, { placed }, placed.map((file) => `placed ${file}`).join("\n"));
}

/** A tsconfig.json that is there belongs to its author. */
async function writeNew(file: string, bytes: Buffer): Promise<boolean> {
  try {
    await writeFile(file, bytes, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
