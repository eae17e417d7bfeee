// Lets somebody look on while a service runs: for `onarrival dev`. It stands beside the interfaces that are there already, so
// that a service without an audience runs the same code.
import { type EffectRecorder, EffectRun, type RunEnd } from "../../events/effects.ts";
import type { LiveScript, RunAnswer, RunRequest } from "../../sandbox/script-host.ts";
import type { ScriptRunner, ScriptTarget } from "../../sandbox/script-sink.ts";
import type { ShadowRecorder, ShadowResult } from "../../sandbox/shadow-runs.ts";

/** Its calls are on the path of mail: they must neither throw nor take long. */
export interface Audience {
  /** Consecutive scripts ran on a message; its content may be read until `ended` and may be gone afterwards. */
  ran(request: RunRequest, answer: RunAnswer): void;
  /** All sinks ran, and it is known what becomes of the message. */
  ended(run: EffectRun<ScriptTarget>, end: RunEnd): void;
  /** A script ran in shadow: before or after its message has ended. */
  ranInShadow(result: ShadowResult): void;
  scriptsChanged(scripts: ReadonlyMap<string, LiveScript>, broken: ReadonlyMap<string, string>): void;
}

export function watchedRunner(runner: ScriptRunner, audience: Audience | undefined): ScriptRunner {
  if (audience === undefined) return runner;
  return {
    async run(request) {
      const answer = await runner.run(request);
      audience.ran(request, answer);
      return answer;
    },
  };
}

export function watchedRecorder(
  recorder: EffectRecorder<ScriptTarget>,
  audience: Audience | undefined,
): EffectRecorder<ScriptTarget> {
  if (audience === undefined) return recorder;
  /** The recorder may be switched off while the audience still looks on. */
  const recorded = new WeakSet<EffectRun<ScriptTarget>>();
  return {
    begin(id, envelope, content, chain, from) {
      const run = recorder.begin(id, envelope, content, chain, from);
      if (run === undefined) return new EffectRun(id, envelope, content, chain, from);
      recorded.add(run);
      return run;
    },
    end(run, end, forks) {
      audience.ended(run, end);
      if (recorded.has(run)) recorder.end(run, end, forks);
    },
    categorized: (effect) => recorder.categorized(effect),
  };
}

export function watchedShadows(recorder: ShadowRecorder, audience: Audience | undefined): ShadowRecorder {
  if (audience === undefined) return recorder;
  return {
    recording: true,
    shadow(result) {
      audience.ranInShadow(result);
      if (recorder.recording) recorder.shadow(result);
    },
  };
}
