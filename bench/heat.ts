// Scenarios that are compared with each other: measured in turns, with nothing else running beside them.
import { median, Measurement, type Burst, type RunOptions } from "./burst.ts";
import type { Comparison, Scenario } from "./scenarios.ts";
import type { Subject } from "./subject.ts";

/** The first is compared with the others; one that is compared with none is alone. */
export type Heat = readonly [Scenario, ...Scenario[]];

/** How fast the machine is changes from minute to minute: each comparison has its own runs, and a scenario may be in several. */
export function heatsOf(scenarios: readonly Scenario[]): Heat[] {
  const compared = new Set<string>();
  const heats: Heat[] = [];
  for (const scenario of scenarios) {
    const names = (scenario.comparedWith ?? []).map(({ name }) => name);
    const others = scenarios.filter(({ name }) => names.includes(name));
    if (others.length === 0) continue;
    heats.push([scenario, ...others]);
    for (const { name } of [scenario, ...others]) compared.add(name);
  }
  const alone = scenarios.filter(({ name }) => !compared.has(name));
  return [...alone.map((scenario): Heat => [scenario]), ...heats];
}

interface Entrant {
  readonly scenario: Scenario;
  readonly measurement: Measurement;
}

export interface HeatRuns {
  readonly scenario: Scenario;
  readonly runs: readonly Burst[];
}

export interface Ratio {
  readonly scenario: Scenario;
  readonly comparison: Comparison;
  /** Of the rates, and of the CPU time per message: medians of those of the rounds. */
  readonly rate: number;
  readonly cpu: number;
}

/** What a measurement that fails is told to; the others go on. */
export type Attempt = <T>(name: string, work: () => Promise<T>) => Promise<T | undefined>;

export async function runHeat(
  heat: Heat,
  rounds: number,
  optionsFor: (scenario: Scenario) => RunOptions,
  running: Set<Subject>,
  attempt: Attempt,
): Promise<HeatRuns[]> {
  let entrants: Entrant[] = [];
  for (const scenario of heat) {
    const measurement = await attempt(scenario.name, async () => {
      const subject = await scenario.start();
      running.add(subject);
      return Measurement.warmUp(subject, optionsFor(scenario));
    });
    if (measurement !== undefined) entrants.push({ scenario, measurement });
  }
  for (let round = 1; round <= rounds; round += 1) {
    // Whoever comes first in one round comes last in the next.
    for (const entrant of round % 2 === 1 ? entrants : entrants.toReversed()) {
      const done = await attempt(entrant.scenario.name, () => entrant.measurement.run());
      if (done === undefined) entrants = entrants.filter((other) => other !== entrant);
    }
  }
  for (const subject of running) await subject.stop();
  running.clear();
  return entrants.map(({ scenario, measurement }) => ({ scenario, runs: measurement.runs }));
}

/** Two runs of a round follow each other, so they met the same machine. */
function medianRatio(ours: readonly Burst[], theirs: readonly Burst[], of: (run: Burst) => number): number {
  return median(
    ours.flatMap((run, round) => {
      const other = theirs[round];
      return other === undefined ? [] : [of(run) / of(other)];
    }),
  );
}

export function ratiosOf(first: Scenario, results: readonly HeatRuns[]): Ratio[] {
  const runsOf = (wanted: string): readonly Burst[] | undefined =>
    results.find(({ scenario }) => scenario.name === wanted)?.runs;
  const ours = runsOf(first.name);
  return (first.comparedWith ?? []).flatMap((comparison) => {
    const theirs = runsOf(comparison.name);
    if (ours === undefined || theirs === undefined) return [];
    const ratio = {
      rate: medianRatio(ours, theirs, (run) => run.rate),
      cpu: medianRatio(ours, theirs, (run) => run.cpuPerThousand),
    };
    return [{ scenario: first, comparison, ...ratio }];
  });
}
