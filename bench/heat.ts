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

/** One run of each that takes part. */
export type Round = ReadonlyMap<Scenario, Burst>;

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
): Promise<Round[]> {
  let entrants: Entrant[] = [];
  for (const scenario of heat) {
    const measurement = await attempt(scenario.name, async () => {
      const subject = await scenario.start();
      running.add(subject);
      return Measurement.warmUp(subject, optionsFor(scenario));
    });
    if (measurement !== undefined) entrants.push({ scenario, measurement });
  }
  const done: Round[] = [];
  while (done.length < rounds) {
    const round = new Map<Scenario, Burst>();
    // Whoever comes first in one round comes last in the next.
    for (const { scenario, measurement } of done.length % 2 === 0 ? entrants : entrants.toReversed()) {
      const run = await attempt(scenario.name, () => measurement.run());
      if (run === undefined) entrants = entrants.filter((entrant) => entrant.scenario !== scenario);
      else round.set(scenario, run);
    }
    done.push(round);
  }
  for (const subject of running) await subject.stop();
  running.clear();
  return done;
}

/** Two runs of a round follow each other, so they met the same machine. */
function medianRatio(
  rounds: readonly Round[],
  [first, other]: readonly [Scenario, Scenario],
  of: (run: Burst) => number,
): number {
  return median(
    rounds.flatMap((round) => {
      const ours = round.get(first);
      const theirs = round.get(other);
      return ours === undefined || theirs === undefined ? [] : [of(ours) / of(theirs)];
    }),
  );
}

/** Of the first of a heat to each that it is compared with. */
export function ratiosOf(first: Scenario, rounds: readonly Round[]): Ratio[] {
  const all = new Set(rounds.flatMap((round) => [...round.keys()]));
  return [...all].flatMap((other) => {
    const comparison = first.comparedWith?.find(({ name }) => name === other.name);
    if (comparison === undefined) return [];
    const pair = [first, other] as const;
    const rate = medianRatio(rounds, pair, (run) => run.rate);
    const cpu = medianRatio(rounds, pair, (run) => run.cpuPerThousand);
    return [{ scenario: first, comparison, rate, cpu }];
  });
}
