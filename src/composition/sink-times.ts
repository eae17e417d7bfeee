// Time and faults of sinks by binding, from the runs that the effect log is made of: counted also while that is switched off.
import { type EffectRecorder, EffectRun, type RunEnd } from "../events/effects.ts";
import type { BoundSink } from "../events/sink.ts";
import type { Labels, Sample, TimedSample } from "../observe/metrics.ts";
import { TimeCounts } from "../observe/time-counts.ts";
import type { ScriptTarget } from "../sandbox/script-sink.ts";

interface Counted {
  readonly labels: Labels;
  readonly script: string;
  readonly times: TimeCounts;
  readonly faults: Map<string, number>;
}

/** Bindings come and go with edits of the configuration and of scripts: later ones share an entry. */
const MAX_BINDINGS = 1000;
const OTHERS = "others";

export class SinkTimes {
  readonly #byBinding = new Map<string, Counted>();
  readonly #bySink = new WeakMap<BoundSink<ScriptTarget>, Counted>();
  /** Runs that only we look at. */
  readonly #unrecorded = new WeakSet<EffectRun<ScriptTarget>>();

  /** Counts what goes to the recorder. */
  watch(recorder: EffectRecorder<ScriptTarget>): EffectRecorder<ScriptTarget> {
    return {
      begin: (id, envelope, content, chain, from) => {
        const run = recorder.begin(id, envelope, content, chain, from);
        if (run !== undefined || chain.sinks.length === 0) return run;
        const own = new EffectRun(id, envelope, content, chain, from);
        this.#unrecorded.add(own);
        return own;
      },
      end: (run: EffectRun<ScriptTarget>, end: RunEnd, forks: readonly string[]) => {
        for (const call of run.calls) {
          const sink = run.chain.sinks[call.position];
          if (sink === undefined) continue;
          const counted = this.#of(sink);
          const { micros, fault } = "effect" in call ? call.effect : call;
          counted.times.add(micros);
          if (fault !== undefined) counted.faults.set(fault.kind, (counted.faults.get(fault.kind) ?? 0) + 1);
        }
        if (!this.#unrecorded.has(run)) recorder.end(run, end, forks);
      },
      categorized: (effect) => recorder.categorized(effect),
    };
  }

  *times(): Generator<TimedSample> {
    for (const { labels, times } of this.#byBinding.values()) yield { labels, times };
  }

  *faults(): Generator<Sample> {
    for (const { labels, script, faults } of this.#byBinding.values())
      for (const [fault, value] of faults)
        yield { labels: { binding: labels["binding"] ?? "", script, fault }, value };
  }

  #of(sink: BoundSink<ScriptTarget>): Counted {
    const known = this.#bySink.get(sink);
    if (known !== undefined) return known;
    const isFull = this.#byBinding.size >= MAX_BINDINGS;
    const binding = isFull ? OTHERS : sink.binding.displayName;
    const script = sink.kind === "script" && !isFull ? sink.script.scriptName : "";
    // By its labels: two samples with the same ones make a scrape invalid.
    const key = `${sink.kind} ${binding}`;
    const counted = this.#byBinding.get(key) ?? {
      labels: { binding, kind: sink.kind },
      script,
      times: new TimeCounts(),
      faults: new Map<string, number>(),
    };
    this.#byBinding.set(key, counted);
    this.#bySink.set(sink, counted);
    return counted;
  }
}
