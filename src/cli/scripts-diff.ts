// `onarrival scripts diff NAME`: what a shadow script would have done, compared with the live one on the same messages.
import path from "node:path";
import { Command } from "commander";
import { OnArrivalError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { EFFECTS_FOLDER } from "../observe/effect-log.ts";
import { leftOutShadows, shadowLines } from "../observe/effect-search.ts";
import { type ShadowSummary, type SideSummary, addShadow, emptySummary } from "./shadow-summary.ts";
import { formatTable, printResult, type Output } from "./output.ts";
import type { CommandFactory } from "./program.ts";
import { meantMailroot } from "./running-service.ts";

interface Options {
  readonly config?: string;
  readonly mailroot?: string;
  readonly version?: string;
  readonly json?: boolean;
}

export const scriptsDiffCommand: CommandFactory = (output) =>
  new Command("diff")
    .description("what a shadow script would have done, against the live one on the same messages")
    .argument("<name>", "display name or file name of the shadow binding, or name of the live one")
    .option("--version <hash>", "version of the shadow script (default: the last one that ran)")
    .option("-c, --config <file>", "configuration file, which names the mailroot")
    .option("--mailroot <dir>", "mailroot of the service")
    .option("--json", "answer as JSON")
    .action((name: string, options: Options) => diff(output, name, options));

async function diff(output: Output, name: string, options: Options): Promise<void> {
  const folder = path.join((await meantMailroot(options)).mailroot, EFFECTS_FOLDER);
  const summaries = new Map<string, ShadowSummary>();
  for await (const line of shadowLines(folder)) {
    const { shadow, live } = line;
    if (![shadow.name, shadow.script, live?.name].includes(name)) continue;
    const key = `${shadow.name}\n${shadow.version ?? ""}`;
    const summary = summaries.get(key) ?? emptySummary(line);
    // Back to the end of the map: the last version that ran is the last entry.
    summaries.delete(key);
    summaries.set(key, summary);
    addShadow(summary, line);
  }
  const all = [...summaries.values()];
  const chosen = options.version === undefined ? all.at(-1) : findVersion(all, options.version);
  if (chosen === undefined) {
    const which = options.version === undefined ? "" : ` in version ${options.version}`;
    throw new OnArrivalError("EFFECTS_NOT_FOUND", `there is no record of a shadow run of ${name}${which}`);
  }
  let leftOut = 0;
  for await (const binding of leftOutShadows(folder)) if (binding.name === chosen.name) leftOut += 1;
  const others = all.filter((one) => one !== chosen).map(({ version }) => version);
  printResult(
    output,
    options.json,
    { ...chosen, leftOut, otherVersions: others },
    describe(chosen, leftOut, others)
      .map((line) => line.trimEnd())
      .join("\n"),
  );
}

const findVersion = (all: readonly ShadowSummary[], version: string): ShadowSummary | undefined =>
  all.find((one) => one.version.startsWith(version));

function describe(summary: ShadowSummary, leftOut: number, others: readonly string[]): string[] {
  const { messages, compared, different, live } = summary;
  const percent = compared === 0 ? "" : ` (${((different / compared) * 100).toFixed(1)} %)`;
  const lines = [
    ["shadow", `${summary.name}, version ${summary.version}`],
    [
      "live",
      live === undefined
        ? "never called on these messages behind the shadow"
        : `${live}, version ${summary.liveVersions.join(", ")}`,
    ],
    ["messages", `${messages} from ${timeOf(summary.since)} to ${timeOf(summary.until)}`],
    ["left out", `${leftOut} because of sandbox.shadowRuns, over all versions`],
    ["different", `${different} of ${compared} compared${percent}`],
  ];
  for (const [what, times] of Object.entries(summary.differs)) lines.push([`  ${what}`, String(times)]);
  for (const [why, times] of Object.entries(summary.notCompared))
    lines.push(["not compared", `${times}: ${why}`]);
  const text = lines.map(([name = "", value = ""]) => `${name.padEnd(16)}${printable(value)}`);
  text.push("", formatTable(["", "SHADOW", "LIVE"], rowsOf(summary)));
  if (summary.samples.length > 0)
    text.push(
      "",
      "messages that differ (see `onarrival explain ID`):",
      ...summary.samples.map((id) => `  ${id}`),
    );
  if (others.length > 0) text.push("", `other versions with records: ${others.join(", ")}`);
  return text;
}

function rowsOf({ shadow, liveSide }: ShadowSummary): string[][] {
  const rows: string[][] = [];
  const add = (title: string, pick: (side: SideSummary) => Record<string, number>): void => {
    for (const key of new Set([...Object.keys(pick(shadow)), ...Object.keys(pick(liveSide))]))
      rows.push([`${title} ${key}`, String(pick(shadow)[key] ?? 0), String(pick(liveSide)[key] ?? 0)]);
  };
  add("verdict", (side) => side.verdicts);
  add("status", (side) => side.statuses);
  add("fault", (side) => side.faults);
  add("changes:", (side) => side.changes);
  rows.push(["mean time, µs", meanOf(shadow), meanOf(liveSide)]);
  rows.push(["longest time, µs", String(shadow.mostMicros), String(liveSide.mostMicros)]);
  return rows;
}

function meanOf({ micros, verdicts, faults }: SideSummary): string {
  const calls = [...Object.values(verdicts), ...Object.values(faults)].reduce((sum, times) => sum + times, 0);
  return calls === 0 ? "-" : String(Math.round(micros / calls));
}

const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
