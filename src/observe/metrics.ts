// The text of GET /metrics. The only door to prom-client: nothing is told to it while mail moves, it asks when somebody scrapes.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type MetricName } from "./metric-names.ts";
import { BUCKETS, type TimeCounts } from "./time-counts.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

export interface TimedSample {
  readonly times: TimeCounts;
  readonly labels: Labels;
}

/** What each metric is now, asked at every scrape. */
export type MetricReaders = {
  readonly [Name in MetricName]: (typeof METRICS)[Name]["kind"] extends "histogram"
    ? () => Iterable<TimedSample>
    : () => Iterable<Sample>;
};

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export function createMetrics(readers: MetricReaders): Metrics {
  const registry = new Registry();
  for (const name of metricNames()) register(registry, name, readers);
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of METRICS are its names
export const metricNames = (): MetricName[] => Object.keys(METRICS) as MetricName[];

function register(registry: Registry, name: MetricName, readers: MetricReaders): void {
  const { kind, help, labels } = METRICS[name];
  const common = { name, help, labelNames: [...labels], registers: [registry] };
  switch (kind) {
    case "counter": {
      const read = readers[name];
      const counter: Counter = new Counter({
        ...common,
        collect() {
          counter.reset();
          for (const sample of read()) if (isPlain(sample)) counter.inc({ ...sample.labels }, sample.value);
        },
      });
      break;
    }
    case "gauge": {
      const read = readers[name];
      const gauge: Gauge = new Gauge({
        ...common,
        collect() {
          gauge.reset();
          for (const sample of read()) if (isPlain(sample)) gauge.set({ ...sample.labels }, sample.value);
        },
      });
      break;
    }
    case "histogram":
      registry.registerMetric(new ReadHistogram({ ...common, buckets: [...BUCKETS] }, readers[name]));
      break;
  }
}

const isPlain = (sample: Sample | TimedSample): sample is Sample => "value" in sample;

type Configuration = ConstructorParameters<typeof Histogram>[0];
type Exposed = Awaited<ReturnType<Histogram["get"]>>;

/** A histogram whose buckets are counted elsewhere. */
class ReadHistogram extends Histogram {
  readonly #about: { readonly name: string; readonly help: string };
  readonly #read: () => Iterable<Sample | TimedSample>;

  constructor(
    { registers: _none, ...configuration }: Configuration,
    read: () => Iterable<Sample | TimedSample>,
  ) {
    super({ ...configuration, registers: [] });
    this.#about = configuration;
    this.#read = read;
  }

  override get(): Promise<Exposed> {
    const values = [...this.#read()].flatMap((sample) => (isPlain(sample) ? [] : this.#valuesOf(sample)));
    const { name, help } = this.#about;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the library says "histogram" by an enum that is no value
    return Promise.resolve({
      name,
      help,
      type: "histogram",
      aggregator: "sum",
      values,
    } as unknown as Exposed);
  }

  /** What the registry asks, when it is there: the same in the library's shorter form. */
  getForPromString(): Promise<Exposed> {
    return this.get();
  }

  #valuesOf({ times, labels }: TimedSample): unknown[] {
    const { name } = this.#about;
    let sum = 0;
    const buckets = times.counts.map((count, index) => {
      sum += count;
      const le = BUCKETS[index] ?? "+Inf";
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: sum };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: times.micros / 1e6 },
      { metricName: `${name}_count`, labels, value: sum },
    ];
  }
}
