// Time and faults of sinks by binding. Those of the mail events from the runs that the effect log is made of, counted also while that is
// switched off; those of other events as they are called.
import type { Binding } from "../../events/binding.ts";
import { type EffectRecorder, EffectRun, type RunEnd } from "../../events/effects.ts";
import type { BoundSink } from "../../events/sink.ts";
import type { Labels, Sample, TimedSample } from "../../observe/metrics.ts";
import { TimeCounts } from "../../observe/time-counts.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";
import type { OnEvent } from "../bindings/bindings.ts";

interface Counted {
  readonly labels: Labels;
  readonly times: TimeCounts;
  /** By script and kind: several bindings may have this name, and a binding may change its script. */
  readonly faults: Map<string, Faults>;
}

interface Faults {
  readonly script: string;
  readonly fault: string;
  value: number;
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
          if (fault !== undefined) countFault(counted, scriptOf(sink), fault.kind);
        }
        if (!this.#unrecorded.has(run)) recorder.end(run, end, forks);
      },
      categorized: (effect) => recorder.categorized(effect),
    };
  }

  /** A promise counts when it is settled: for as long as the sink took, however long it was waited for. */
  readonly timed = <Subject>({ displayName }: Binding, onEvent: OnEvent<Subject>): OnEvent<Subject> => {
    const counted = this.#counted("native", displayName);
    return (subject, context) => {
      const since = performance.now();
      const ended = (isFault: boolean): void => {
        counted.times.add((performance.now() - since) * 1000);
        if (isFault) countFault(counted, "", "throw");
      };
      let answer: unknown;
      try {
        answer = onEvent(subject, context);
      } catch (thrown) {
        ended(true);
        throw thrown;
      }
      if (answer instanceof Promise)
        answer.then(
          () => ended(false),
          () => ended(true),
        );
      else ended(false);
      return answer;
    };
  };

  *times(): Generator<TimedSample> {
    for (const { labels, times } of this.#byBinding.values()) yield { labels, times };
  }

  *faults(): Generator<Sample> {
    for (const { labels, faults } of this.#byBinding.values())
      for (const { script, fault, value } of faults.values())
        yield { labels: { binding: labels["binding"] ?? "", script, fault }, value };
  }

  #of(sink: BoundSink<ScriptTarget>): Counted {
    const known = this.#bySink.get(sink);
    if (known !== undefined) return known;
    const counted = this.#counted(sink.kind, sink.binding.displayName);
    this.#bySink.set(sink, counted);
    return counted;
  }

  #counted(kind: BoundSink["kind"], displayName: string): Counted {
    // One entry per pair of labels: two samples with the same labels make a scrape invalid.
    const known = this.#byBinding.get(`${kind} ${displayName}`);
    if (known !== undefined) return known;
    const isFull = this.#byBinding.size >= MAX_BINDINGS;
    const binding = isFull ? OTHERS : displayName;
    const counted = this.#byBinding.get(`${kind} ${binding}`) ?? {
      labels: { binding, kind },
      times: new TimeCounts(),
      faults: new Map<string, Faults>(),
    };
    this.#byBinding.set(`${kind} ${binding}`, counted);
    return counted;
  }
}

const scriptOf = (sink: BoundSink<ScriptTarget>): string =>
  sink.kind === "script" ? sink.script.scriptName : "";

function countFault({ labels, faults }: Counted, script: string, fault: string): void {
  const isShared = labels["binding"] === OTHERS || faults.size >= MAX_BINDINGS;
  const named = isShared ? "" : script;
  const key = `${named} ${fault}`;
  const known = faults.get(key);
  if (known === undefined) faults.set(key, { script: named, fault, value: 1 });
  else known.value += 1;
}
