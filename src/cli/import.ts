// `onarrival import FILE`: brings the metabase of an old server into onarrival.yaml.
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import { isBuiltIn } from "../composition/bindings/native-sinks.ts";
import { BindingEditor } from "../config/edit.ts";
import { readEnumListing } from "../config/import/enum-listing.ts";
import { type ImportLine, type ImportReport, importMetabase } from "../config/import/import-plan.ts";
import { readMetabaseXml } from "../config/import/metabase-xml.ts";
import type { OldMetabase } from "../config/import/old-metabase.ts";
import { DEFAULT_CONFIG_FILE } from "../config/load.ts";
import { OnArrivalError, describeError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { type Output, printResult } from "./output.ts";
import type { CommandFactory } from "./program.ts";

interface Options {
  readonly config?: string;
  readonly dryRun?: boolean;
  readonly overwrite?: boolean;
  readonly json?: boolean;
}

/** A MetaBase.xml of a server with hundreds of sites has some megabytes. */
const MAX_BYTES = 32 * 1024 * 1024;

export const importCommand: CommandFactory = (output) =>
  new Command("import")
    .description("bring bindings and settings of an old server into the configuration file")
    .argument("<file>", "MetaBase.xml, or what smtpreg.vbs /enum printed")
    .option("-c, --config <file>", `configuration file (default: ${DEFAULT_CONFIG_FILE})`)
    .option("--dry-run", "write nothing, print the file as it would be")
    .option("--overwrite", "replace settings and bindings that the configuration file has already")
    .option("--json", "answer as JSON")
    .action((file: string, options: Options) => importFile(output, file, options));

async function importFile(output: Output, file: string, options: Options): Promise<void> {
  const old = await readOld(file);
  const config = path.resolve(options.config ?? DEFAULT_CONFIG_FILE);
  const isDry = options.dryRun === true;
  await using editor = await (isDry ? BindingEditor.open(config) : BindingEditor.lock(config));
  const scripts = editor.scriptsFolder();
  const report = importMetabase(editor, old, {
    overwrite: options.overwrite === true,
    isBuiltIn,
    hasScript: (name) => existsSync(path.join(scripts, name)),
  });
  const written = !isDry && report.taken.length > 0;
  if (written) await editor.save();
  const would = isDry ? { file: editor.text() } : {};
  const text = [
    reportText(report, path.basename(config)),
    ...(would.file === undefined ? [] : ["the file would be:", "", would.file.trimEnd()]),
    ...(written ? [`written to ${config}; next: onarrival check --config ${config}`] : []),
  ];
  printResult(output, options.json, { written, ...report, ...would }, text.join("\n"));
}

async function readOld(file: string): Promise<OldMetabase> {
  const bytes = await readBounded(file);
  try {
    const text = decode(bytes);
    return text.trimStart().startsWith("<") ? readMetabaseXml(text.trimStart()) : readEnumListing(text);
  } catch (thrown) {
    if (!(thrown instanceof OnArrivalError)) throw thrown;
    throw new OnArrivalError(thrown.code, `${file}: ${thrown.message}`, { cause: thrown });
  }
}

async function readBounded(file: string): Promise<Buffer> {
  try {
    await using handle = await open(file);
    const found = await handle.stat();
    // Of a device or a pipe nobody knows the size.
    if (found.isFile() && found.size <= MAX_BYTES) return await handle.readFile();
  } catch (thrown) {
    throw new OnArrivalError("IMPORT_INVALID", `${file} cannot be read: ${describeError(thrown)}`, {
      cause: thrown,
    });
  }
  throw new OnArrivalError("IMPORT_INVALID", `${file} is no file of at most ${MAX_BYTES} bytes`);
}

/**
 * UTF-8, or UTF-16 as Windows writes what a console printed, with its mark or as `cscript //U` without: the first character
 * is ASCII. Of the code pages of a console nobody knows which it was, and a name or a rule must not change on its way.
 */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new OnArrivalError(
      "IMPORT_INVALID",
      "it is neither UTF-8 nor UTF-16: save it as UTF-8, or print the listing with cscript //U",
      { cause: thrown },
    );
  }
}

function encodingOf([first, second]: Buffer): string {
  if ((first === 0xff && second === 0xfe) || second === 0) return "utf-16le";
  return (first === 0xfe && second === 0xff) || first === 0 ? "utf-16be" : "utf-8";
}

function reportText(report: ImportReport, name: string): string {
  const parts: [string, readonly ImportLine[]][] = [
    ["taken over:", report.taken],
    [`kept as ${name} has it (--overwrite replaces it):`, report.kept],
    ["not taken over, because:", report.left],
    ["to do:", report.notes],
  ];
  const lines = parts.flatMap(([title, entries]) =>
    entries.length === 0
      ? []
      : [title, ...entries.map(({ what, text }) => `  ${printable(what)}: ${printable(text)}`)],
  );
  return lines.length === 0 ? "nothing to take over" : lines.join("\n");
}
