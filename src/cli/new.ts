// `onarrival new`: writes a script that works, its test and a message to try it on.
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { Command, Option } from "commander";
import { findConfigFile, loadConfig } from "../config/load.ts";
import { OnArrivalError } from "../core/errors.ts";
import { isSinkName } from "../sandbox/versions/script-file.ts";
import { printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { placeTypes } from "./types.ts";

const TEMPLATES = new URL("../../scripts/templates/", import.meta.url);
const TEMPLATE_NAMES = ["tag", "filter", "disclaimer", "route"] as const;
/** It becomes part of an address, too. */
const NAME = /^[a-z\d](?:[\w-]|\.(?=[\w-]))*$/i;

interface Options {
  readonly template: (typeof TEMPLATE_NAMES)[number];
  readonly js?: boolean;
  readonly folder?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function newCommand(): CommandFactory {
  return (output) =>
    new Command("new")
      .description(
        "write a script that works, its test and a message to try it on; live as soon as it is there",
      )
      .argument("<name>", "name of the script, without its ending")
      .addOption(
        new Option("--template <name>", "what it begins as").choices([...TEMPLATE_NAMES]).default("tag"),
      )
      .option("--js", "JavaScript instead of TypeScript")
      .option("--folder <dir>", "scripts folder (default: the one of the configuration)")
      .option("-c, --config <file>", "configuration file (default: onarrival.yaml when it is there)")
      .option("--json", "answer as JSON")
      .action((name: string, options: Options) => writeScript(output, name, options));
}

async function writeScript(output: Output, name: string, options: Options): Promise<void> {
  const ending = options.js === true || name.endsWith(".js") ? "js" : "ts";
  const stem = name.replace(/\.(?:js|ts)$/, "");
  if (!isSinkName(`${stem}.${ending}`) || !NAME.test(stem)) {
    throw new OnArrivalError(
      "WRONG_USE",
      `${name} is no name for a script: it begins with a letter or digit, then come letters, digits, "-", "_" and single dots`,
    );
  }
  const folder = options.folder ?? (await loadConfig(findConfigFile(options.config))).scripts.folder;
  const files = await filesOf(stem, ending, options.template);
  refuseExisting(folder, stem, files);
  const placed: string[] = [];
  // The script comes last: its first version is to find its test.
  for (const [file, text] of files.toReversed()) {
    const target = path.join(folder, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, text, { flag: "wx" });
    placed.push(target);
  }
  placed.push(...(await placeTypes(folder, false)));
  const script = path.join(folder, `${stem}.${ending}`);
  const sample = path.join(folder, "samples", `${stem}.eml`);
  const lines = [
    ...placed.map((file) => `placed ${shown(file)}`),
    `try it: npx onarrival run --watch ${shown(script)} ${shown(sample)}`,
  ];
  printResult(output, options.json, { script, sample, placed }, lines.join("\n"));
}

/** Name below the scripts folder and text, the script first. */
async function filesOf(
  stem: string,
  ending: "ts" | "js",
  template: Options["template"],
): Promise<[string, string][]> {
  const read = async (name: string): Promise<string> =>
    (await readFile(new URL(`${template}${name}`, TEMPLATES), "utf8")).replaceAll("template", stem);
  const typed = [await read(".ts"), await read(".test.ts")] as const;
  const [script, test] = ending === "ts" ? typed : typed.map(asJavaScript);
  return [
    [`${stem}.${ending}`, script ?? ""],
    [`${stem}.test.${ending}`, test ?? ""],
    [`samples/${stem}.eml`, await read(".eml")],
  ];
}

/** The types move into comments: editors check the script all the same. The templates are written to be read like this. */
function asJavaScript(text: string): string {
  return text
    .replace(/^import type .*\n/m, "")
    .trimStart()
    .replace(/^export const (\w+): ([\w[\]]+) =/m, '/** @type {import("cdo").$2} */\nexport const $1 =')
    .replace(
      /^export default function onArrival\(msg: Message\): \w+/m,
      '/** @param {import("cdo").Message} msg */\nexport default function onArrival(msg)',
    );
}

/** Nothing is written when one of the files is there, nor when the script is there in the other language. */
function refuseExisting(folder: string, stem: string, files: readonly (readonly [string, string])[]): void {
  const names = [...files.map(([file]) => file), ...["ts", "js", "mjs"].map((ending) => `${stem}.${ending}`)];
  const taken = names.map((file) => path.join(folder, file)).find((file) => existsSync(file));
  if (taken !== undefined) {
    throw new OnArrivalError("FILE_EXISTS", `${taken} is there already; nothing was written`);
  }
}

const shown = (file: string): string => {
  const local = path.relative(process.cwd(), file);
  return local.startsWith("..") ? file : local;
};
