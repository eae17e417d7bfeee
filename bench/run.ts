// `npm run bench -- [--only REGEX] [--sizes 4k,50k] [--secs 1] [--runs 7] [--conn] [--sessions 20] [--pipelining]`.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Measurement } from "./burst.ts";
import { MESSAGE_SIZES, type MessageSize } from "./messages.ts";
import { measureReload } from "./reload-latency.ts";
import { ratioLines, reloadLine, rowLine, writeResults, type Row } from "./report.ts";
import { measureScriptCalls } from "./script-call.ts";
import { type Peer, SCENARIOS, type Scenario } from "./scenarios.ts";
import type { Subject } from "./subject.ts";

const RELOAD_SAVES = 50;

interface Choices {
  readonly only: RegExp;
  readonly sizes: readonly MessageSize[];
  readonly seconds: number;
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
      runs: { type: "string", default: "7" },
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
    runs: Number(values.runs),
    sessions: Number(values.sessions),
    conn: values.conn,
    pipelining: values.pipelining,
    write: !values["no-write"],
  };
}

interface Entrant {
  readonly scenario: Scenario;
  readonly measurement: Measurement;
}

/**
 * All scenarios in turns, round after round: how fast the machine is changes from minute to minute, and a ratio must not be one of a
 * slow minute to a fast one.
 */
async function measureInTurns(
  scenarios: readonly Scenario[],
  size: MessageSize,
  choices: Choices,
  running: Set<Subject>,
  say: Say,
): Promise<Row[]> {
  let entrants: Entrant[] = [];
  for (const scenario of scenarios) {
    const measurement = await attempt(`${scenario.name}/${size}`, say, async () => {
      const subject = await scenario.start();
      running.add(subject);
      return Measurement.warmUp(subject, {
        size,
        sessions: choices.sessions,
        persistent: !choices.conn && scenario.oneMessagePerConnection !== true,
        pipelining: choices.pipelining || scenario.pipelining === true,
        seconds: choices.seconds,
      });
    });
    if (measurement !== undefined) entrants.push({ scenario, measurement });
  }
  for (let round = 1; round <= choices.runs; round += 1) {
    console.log(`${size}: round ${round} of ${choices.runs}`);
    for (const entrant of entrants) {
      const done = await attempt(`${entrant.scenario.name}/${size}`, say, () => entrant.measurement.run());
      if (done === undefined) entrants = entrants.filter((other) => other !== entrant);
    }
  }
  for (const subject of running) await subject.stop();
  running.clear();
  return entrants.map(({ scenario, measurement }) => ({ scenario, size, measured: measurement.measured }));
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
  const notes: string[] = [];
  const say: Say = (note) => {
    notes.push(note);
    console.log(note);
  };
  const scenarios = chooseScenarios(choices.only, say);
  for (const size of choices.sizes) {
    const measured = await measureInTurns(scenarios, size, choices, running, say);
    for (const row of measured) console.log(rowLine(row));
    rows.push(...measured);
  }
  const reload = choices.only.test("reload")
    ? await attempt("reload", say, () => measureReload(RELOAD_SAVES))
    : undefined;
  if (reload !== undefined) console.log(reloadLine(reload));
  if (choices.only.test("script-call")) {
    const lines = await attempt("script-call", say, () => measureScriptCalls());
    for (const line of lines ?? []) say(line);
  }
  for (const line of ratioLines(rows)) console.log(line);
  if (!choices.write) return;
  const command = ["npm run bench --", ...process.argv.slice(2)].join(" ");
  writeResults(fileURLToPath(new URL("RESULTS.md", import.meta.url)), { command, rows, reload, notes });
}

await main();
