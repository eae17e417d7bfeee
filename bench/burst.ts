// One measured run of load against a subject, and the median over several.
import { makeLoad } from "./generator-process.ts";
import type { MessageSize } from "./messages.ts";
import { machineUse, treeUse } from "./process-tree.ts";
import { sleep, type Subject } from "./subject.ts";

const SAMPLE_MS = 100;

export interface BurstOptions {
  readonly size: MessageSize;
  readonly count: number;
  readonly sessions: number;
  readonly persistent: boolean;
  readonly pipelining: boolean;
  readonly limitMs: number;
}

export interface Burst {
  readonly count: number;
  readonly complete: boolean;
  /** Messages per second until the generator had its last 250. */
  readonly acceptRate: number;
  /** Messages per second until the sink had the last message; the accept rate when there is no sink. */
  readonly rate: number;
  readonly seconds: number;
  readonly cpuPerThousand: number;
  readonly generatorCpuPerThousand: number;
  readonly peakRssMb: number;
  /** Processors kept busy by others. */
  readonly otherCpus: number;
}

export async function burst(subject: Subject, options: BurstOptions): Promise<Burst> {
  const already = (await subject.sink?.count()) ?? 0;
  const before = treeUse(subject.pids);
  const sinkBefore = subject.sink === undefined ? 0 : treeUse([subject.sink.pid]).cpuSeconds;
  const machineBefore = machineUse();
  const ownBefore = process.cpuUsage();
  const wallFrom = performance.now();
  let peak = before.rssBytes;
  const sampler = setInterval(() => {
    peak = Math.max(peak, treeUse(subject.pids).rssBytes);
  }, SAMPLE_MS);
  try {
    const arrival = subject.sink?.until(already + options.count, options.limitMs);
    const { limitMs, ...order } = options;
    const load = await makeLoad({ ...order, port: subject.port }, limitMs);
    const arrivedAt = await arrival;
    const endedAt = arrivedAt ?? load.endedAt;
    // The processors' clock ticks are 10 ms wide and lag a little.
    await sleep(50);
    const used = treeUse(subject.pids).cpuSeconds - before.cpuSeconds;
    const sinkUsed = subject.sink === undefined ? 0 : treeUse([subject.sink.pid]).cpuSeconds - sinkBefore;
    const own = process.cpuUsage(ownBefore);
    const known = used + sinkUsed + load.cpuSeconds + (own.user + own.system) / 1e6;
    const seconds = (endedAt - load.startedAt) / 1000;
    const wall = (performance.now() - wallFrom) / 1000;
    const thousands = options.count / 1000;
    return {
      count: options.count,
      complete: load.accepted === options.count && (subject.sink === undefined || arrivedAt !== undefined),
      acceptRate: load.rate,
      rate: options.count / seconds,
      seconds,
      cpuPerThousand: used / thousands,
      generatorCpuPerThousand: load.cpuSeconds / thousands,
      peakRssMb: peak / 2 ** 20,
      otherCpus: Math.max(0, (machineUse().busySeconds - machineBefore.busySeconds - known) / wall),
    };
  } finally {
    clearInterval(sampler);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Measured {
  readonly runs: readonly Burst[];
  readonly rate: number;
  readonly acceptRate: number;
  readonly cpuPerThousand: number;
  readonly peakRssMb: number;
  readonly otherCpus: number;
  readonly complete: boolean;
}

export function summary(runs: readonly Burst[]): Measured {
  const over = (pick: (run: Burst) => number): number => median(runs.map(pick));
  return {
    runs,
    rate: over((run) => run.rate),
    acceptRate: over((run) => run.acceptRate),
    cpuPerThousand: over((run) => run.cpuPerThousand),
    peakRssMb: Math.max(...runs.map((run) => run.peakRssMb)),
    otherCpus: over((run) => run.otherCpus),
    complete: runs.every((run) => run.complete),
  };
}

export interface RunOptions extends Omit<BurstOptions, "count" | "limitMs"> {
  readonly seconds: number;
}

const WARM_UP = 400;
const WARM_UP_SECONDS = 8;
const MAX_COUNT = 100_000;
const REST_MS = 200;
/** A subject that still uses more of a processor than this works off what it has accepted. */
const QUIET_CPU_SHARE = 0.1;
const LONGEST_REST_MS = 5000;

/** Whoever is measured next has the machine to itself. */
async function untilQuiet({ pids }: Subject): Promise<void> {
  const until = performance.now() + LONGEST_REST_MS;
  for (let before = treeUse(pids).cpuSeconds; performance.now() < until;) {
    await sleep(REST_MS);
    const now = treeUse(pids).cpuSeconds;
    if (now - before < (QUIET_CPU_SHARE * REST_MS) / 1000) return;
    before = now;
  }
}

/** A subject and how many messages it takes in about `seconds`. */
export class Measurement {
  readonly #subject: Subject;
  readonly #options: BurstOptions;

  private constructor(subject: Subject, options: BurstOptions) {
    this.#subject = subject;
    this.#options = options;
  }

  /** Warms up until a run takes long enough to tell the rate, and then until V8 has compiled what is used. */
  static async warmUp(subject: Subject, options: RunOptions): Promise<Measurement> {
    const limitMs = Math.max(30_000, options.seconds * 10_000);
    let count = WARM_UP;
    let warm = await burst(subject, { ...options, count, limitMs });
    for (let i = 0; i < 2 && warm.seconds < 1; i += 1) {
      count = Math.min(MAX_COUNT, Math.ceil(warm.rate * 1.2));
      warm = await burst(subject, { ...options, count, limitMs });
    }
    const countFor = (rate: number, seconds: number): number =>
      Math.max(200, Math.min(MAX_COUNT, Math.round((rate * seconds) / 20) * 20));
    warm = await burst(subject, { ...options, count: countFor(warm.rate, WARM_UP_SECONDS), limitMs });
    return new Measurement(subject, { ...options, count: countFor(warm.rate, options.seconds), limitMs });
  }

  async run(): Promise<Burst> {
    const run = await burst(this.#subject, this.#options);
    await untilQuiet(this.#subject);
    return run;
  }
}
