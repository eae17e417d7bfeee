// The table on the screen and bench/RESULTS.md.
import { readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import type { Measured } from "./burst.ts";
import type { Ratio } from "./heat.ts";
import type { MessageSize } from "./messages.ts";
import type { ReloadLatency } from "./reload-latency.ts";
import type { Scenario } from "./scenarios.ts";

export interface Row {
  readonly scenario: Scenario;
  readonly size: MessageSize;
  readonly measured: Measured;
}

export interface RatioOfSize extends Ratio {
  readonly size: MessageSize;
}

export interface Results {
  readonly command: string;
  readonly rows: readonly Row[];
  readonly ratios: readonly RatioOfSize[];
  readonly reload?: ReloadLatency | undefined;
  readonly notes: readonly string[];
}

const fixed = (value: number, digits = 0): string => (Number.isFinite(value) ? value.toFixed(digits) : "–");

export function rowLine(row: Row): string {
  const { measured } = row;
  const rates = measured.runs.map((run) => run.rate);
  return [
    `${row.scenario.name}/${row.size}`.padEnd(30),
    `${fixed(measured.rate).padStart(7)} msgs/s`,
    `(${fixed(Math.min(...rates))}–${fixed(Math.max(...rates))})`.padEnd(15),
    `${fixed(measured.cpuPerThousand, 3)} cpu-s/1000`,
    `accept ${fixed(measured.acceptRate)}/s`,
    `RSS ${fixed(measured.peakRssMb)} MB`,
    `others ${fixed(measured.otherCpus, 2)} cpu`,
    measured.complete ? "" : "INCOMPLETE",
  ].join("  ");
}

const wantedText = (bound: string, value: number | undefined): string =>
  value === undefined ? "" : ` (wanted: ${bound} ${value})`;

export function ratioLines(ratios: readonly RatioOfSize[]): string[] {
  return ratios.flatMap(({ scenario, comparison, size, rate, cpu }) => {
    const text = `${scenario.name} ÷ ${comparison.name}, ${size}`;
    const atLeast = comparison.atLeast?.[size];
    const cpuAtMost = comparison.cpuAtMost?.[size];
    const cpuLine = `${text}, CPU time: ${fixed(cpu, 3)}${wantedText("at most", cpuAtMost)}`;
    return [
      `${text}: ${fixed(rate, 2)}${wantedText("at least", atLeast)}`,
      ...(cpuAtMost === undefined ? [] : [cpuLine]),
    ];
  });
}

export function reloadLine(reload: ReloadLatency): string {
  const missed = reload.missed === 0 ? "" : `, ${reload.missed} NEVER SEEN`;
  return `saved script live after p50 ${fixed(reload.p50Ms)} ms, p99 ${fixed(reload.p99Ms)} ms, longest ${fixed(reload.maxMs)} ms, ${reload.saves} saves${missed} (wanted: p99 at most 100 ms)`;
}

function machine(): string {
  const processors = cpus();
  const model =
    /^model name\s*:\s*(.+)$/m.exec(cpuInfo())?.[1] ?? processors[0]?.model ?? "unknown processor";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} processors (${model.trim()}, ${arch()}), ${memory} GB of memory, ${type()} ${release()}, Node ${process.versions.node}`;
}

function cpuInfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}

function tableOf(rows: readonly Row[]): string[] {
  const lines = [
    "| Scenario | Message | msgs/s, median (min–max) | accepted/s | cpu-s per 1,000 | peak RSS MB | others' CPU |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const { scenario, size, measured } of rows) {
    const rates = measured.runs.map((run) => run.rate);
    const range = `${fixed(Math.min(...rates))}–${fixed(Math.max(...rates))}`;
    const flag = measured.complete ? "" : " **incomplete**";
    lines.push(
      `| ${scenario.what} (\`${scenario.name}\`) | ${size} | ${fixed(measured.rate)} (${range})${flag} | ${fixed(measured.acceptRate)} | ` +
        `${fixed(measured.cpuPerThousand, 3)} | ${fixed(measured.peakRssMb)} | ${fixed(measured.otherCpus, 2)} |`,
    );
  }
  return lines;
}

export function writeResults(path: string, results: Results): void {
  const lines = [
    "# Measured",
    "",
    `Machine: ${machine()}.`,
    `Command: \`${results.command}\`, ${new Date().toISOString().slice(0, 10)}.`,
    "",
    "Generator, service and sink share the processors; load goes over 127.0.0.1 only. 20 parallel sessions; each command waits",
    "for its reply unless the scenario says pipelining. Rates are end to end: from the first connection until the sink has",
    "counted the last message; `accepted/s` is what the client saw. CPU seconds are those of the service's whole process",
    "tree, from /proc. Where the last column is above 0.2, other programs were busy and the absolute figures are too low;",
    "the ratios still hold: those that are compared run in turns, with nothing else beside them, each started several times,",
    "and a ratio is the median of those of the rounds. A scenario that is compared with several has runs beside each; its row",
    "is the median of all.",
    "",
    ...tableOf(results.rows),
    "",
    ...ratioLines(results.ratios).map((line) => `- ${line}`),
    ...(results.reload === undefined ? [] : [`- ${reloadLine(results.reload)}`]),
    ...results.notes.map((note) => `- ${note}`),
    "",
  ];
  writeFileSync(path, lines.join("\n"));
}
