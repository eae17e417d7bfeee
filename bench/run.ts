// `npm run bench -- [--only REGEX] [--sizes 4k,50k] [--secs 1] [--starts 2] [--runs 4] [--conn] [--sessions 20] [--pipelining]`.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { summary, type Burst, type RunOptions } from "./burst.ts";
import { heatsOf, ratiosOf, runHeat, type Heat, type Round } from "./heat.ts";
import { MESSAGE_SIZES, type MessageSize } from "./messages.ts";
import { measureReload } from "./reload-latency.ts";
import { ratioLines, reloadLine, rowLine, writeResults, type RatioOfSize, type Row } from "./report.ts";
import { measureScriptCalls } from "./script-call.ts";
import { type Peer, SCENARIOS, type Scenario } from "./scenarios.ts";
import type { Subject } from "./subject.ts";

const RELOAD_SAVES = 50;

interface Choices {
  readonly only: RegExp;
  readonly sizes: readonly MessageSize[];
  readonly seconds: number;
  /** Of every program in a heat: two processes of the same code differ by a tenth, for as long as they live. */
  readonly starts: number;
  /** Rounds after each start. */
  readonly runs: number;
  readonly sessions: number;
  readonly conn: boolean;
  readonly pipelining: boolean;
  readonly write: boolean;
}

function readChoices(): Choices {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "." },
      sizes: { type: "string", default: "4k,50k" },
      secs: { type: "string", default: "1" },
      starts: { type: "string", default: "2" },
      runs: { type: "string", default: "4" },
      sessions: { type: "string", default: "20" },
      conn: { type: "boolean", default: false },
      pipelining: { type: "boolean", default: false },
      "no-write": { type: "boolean", default: false },
    },
  });
  const wanted = values.sizes.split(",");
  return {
    only: new RegExp(values.only),
    sizes: MESSAGE_SIZES.filter((size) => wanted.includes(size)),
    seconds: Number(values.secs),
    starts: Number(values.starts),
    runs: Number(values.runs),
    sessions: Number(values.sessions),
    conn: values.conn,
    pipelining: values.pipelining,
    write: !values["no-write"],
  };
}

/** Every heat of one size of message: the rows of the table, each of all runs of its scenario, and the ratios of the heats. */
async function measure(
  heats: readonly Heat[],
  size: MessageSize,
  choices: Choices,
  running: Set<Subject>,
  say: Say,
): Promise<{ rows: Row[]; ratios: RatioOfSize[] }> {
  const runs = new Map<Scenario, Burst[]>();
  const ratios: RatioOfSize[] = [];
  const optionsFor = (scenario: Scenario): RunOptions => ({
    size,
    sessions: choices.sessions,
    persistent: !choices.conn && scenario.oneMessagePerConnection !== true,
    pipelining: choices.pipelining || scenario.pipelining === true,
    seconds: choices.seconds,
  });
  for (const heat of heats) {
    console.log(`${size}: ${heat.map(({ name }) => name).join(", ")}`);
    const rounds: Round[] = [];
    for (let start = 1; start <= choices.starts; start += 1) {
      const more = await runHeat(heat, choices.runs, optionsFor, running, (name, work) =>
        attempt(`${name}/${size}`, say, work),
      );
      rounds.push(...more);
    }
    for (const round of rounds)
      for (const [scenario, run] of round) runs.set(scenario, [...(runs.get(scenario) ?? []), run]);
    for (const ratio of ratiosOf(heat[0], rounds)) ratios.push({ ...ratio, size });
  }
  const rows = [...runs].map(([scenario, all]) => ({ scenario, size, measured: summary(all) }));
  return { rows, ratios };
}

/** Ends what we started when the run is interrupted. */
function stopOnSignal(running: ReadonlySet<Subject>): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      void Promise.allSettled([...running].map((subject) => subject.stop())).then(() => process.exit(1));
    });
  }
}

type Say = (note: string) => void;

/** A scenario that fails is a note, the others go on. */
async function attempt<T>(name: string, say: Say, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    say(`${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function chooseScenarios(only: RegExp, say: Say): Scenario[] {
  const told = new Set<Peer>();
  return SCENARIOS.filter(({ name, needs }) => {
    if (!only.test(name)) return false;
    const missing = needs?.missing();
    if (needs === undefined || missing === undefined) return true;
    if (!told.has(needs)) say(`no comparison with ${needs.name}: ${missing}`);
    told.add(needs);
    return false;
  });
}

async function main(): Promise<void> {
  const choices = readChoices();
  const running = new Set<Subject>();
  stopOnSignal(running);
  const rows: Row[] = [];
  const ratios: RatioOfSize[] = [];
  const notes: string[] = [];
  const say: Say = (note) => {
    notes.push(note);
    console.log(note);
  };
  const heats = heatsOf(chooseScenarios(choices.only, say));
  for (const size of choices.sizes) {
    const measured = await measure(heats, size, choices, running, say);
    for (const row of measured.rows) console.log(rowLine(row));
    rows.push(...measured.rows);
    ratios.push(...measured.ratios);
  }
  const reload = choices.only.test("reload")
    ? await attempt("reload", say, () => measureReload(RELOAD_SAVES))
    : undefined;
  if (reload !== undefined) console.log(reloadLine(reload));
  if (choices.only.test("script-call")) {
    const lines = await attempt("script-call", say, () => measureScriptCalls());
    for (const line of lines ?? []) say(line);
  }
  for (const line of ratioLines(ratios)) console.log(line);
  if (!choices.write) return;
  const command = ["npm run bench --", ...process.argv.slice(2)].join(" ");
  writeResults(fileURLToPath(new URL("RESULTS.md", import.meta.url)), {
    command,
    rows,
    ratios,
    reload,
    notes,
  });
}

await main();
