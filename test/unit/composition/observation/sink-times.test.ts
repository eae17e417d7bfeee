import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ConfiguredBinding } from "../../../../src/composition/bindings/bindings.ts";
import { SinkTimes } from "../../../../src/composition/observation/sink-times.ts";
import { buildSystemChain } from "../../../../src/composition/bindings/transport-chains.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { messageStatus, sinkResult } from "../../../../src/core/status.ts";
import { createBinding } from "../../../../src/events/binding.ts";
import { SinkChain } from "../../../../src/events/dispatcher.ts";
import { type EffectRecorder, EffectRun } from "../../../../src/events/effects.ts";
import {
  type BoundSink,
  type NativeBound,
  type NativeSink,
  createPropertyBag,
} from "../../../../src/events/sink.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import { Content } from "../../../../src/message/content.ts";
import type { ScriptTarget } from "../../../../src/sandbox/script-sink.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../../../runtime/contract.ts";
import { allocPropertyIds } from "../../../support/property-ids.ts";

const ENVELOPE = { sender: "a@x.test", recipients: [{ address: "b@y.test" }] };
const CONTENT = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n"));

function native(displayName: string, id: string): NativeBound {
  const binding = createBinding({ id, displayName, event: "OnTransportSubmission", sinkClass: "./sink.ts" });
  const properties = createPropertyBag({});
  return {
    kind: "native",
    binding,
    rule: undefined,
    sink: { event: "OnTransportSubmission", onEvent: () => undefined },
    context: { properties, log: silentLogger, binding, nextMessageId: () => "", allocPropertyIds },
  };
}

function scripted(displayName: string, scriptName: string): BoundSink<ScriptTarget> {
  const { binding, rule } = native(displayName, "{1}");
  const limits = DEFAULT_SCRIPT_LIMITS;
  const script = { scriptName, script: undefined, limits, allow: {}, cacheable: true };
  return { kind: "script", binding, rule, script };
}

/** Runs the sink once, for `micros`. */
function call(
  recorder: EffectRecorder<ScriptTarget>,
  sink: BoundSink<ScriptTarget>,
  micros: number,
  fault?: string,
): void {
  const run = recorder.begin("m1", ENVELOPE, CONTENT, new SinkChain<ScriptTarget>([sink]), 0);
  const nothing = { sender: false, recipients: false, header: false, content: false };
  const verdict = { verdict: sinkResult.runNext, status: messageStatus.success };
  run?.calls.push({
    position: 0,
    micros,
    ...verdict,
    ...nothing,
    ...(fault !== undefined && { fault: { kind: fault, message: "" } }),
  });
  if (run !== undefined) recorder.end(run, { kind: "submitted" }, []);
}

/** The effect log, switched off or on. */
class Recorder implements EffectRecorder<ScriptTarget> {
  readonly isOn: boolean;
  ended = 0;

  constructor(isOn: boolean) {
    this.isOn = isOn;
  }

  begin(...run: ConstructorParameters<typeof EffectRun<ScriptTarget>>): EffectRun<ScriptTarget> | undefined {
    return this.isOn ? new EffectRun(...run) : undefined;
  }

  categorized(): void {
    this.ended += 1;
  }

  end(): void {
    this.ended += 1;
  }
}

test.each([true, false])("calls are counted while the effect log is on: %s", (isOn) => {
  const recorder = new Recorder(isOn);
  const times = new SinkTimes();
  const watched = times.watch(recorder);
  const sink = native("Disclaimer", "{1}");
  call(watched, sink, 5);
  call(watched, sink, 2000, "throw");
  const [counted, ...more] = times.times();
  expect(more).toEqual([]);
  expect(counted?.labels).toEqual({ binding: "Disclaimer", kind: "native" });
  expect(counted?.times.micros).toBe(2005);
  expect([...times.faults()]).toEqual([
    { labels: { binding: "Disclaimer", script: "", fault: "throw" }, value: 1 },
  ]);
  expect(recorder.ended).toBe(isOn ? 2 : 0);
});

test("sinks of all other events are counted as they are called, promises when they are settled", async () => {
  const times = new SinkTimes();
  const promised = Promise.withResolvers<undefined>();
  const answers: readonly NativeSink<"MsgTrackLog">["onEvent"][] = [
    () => undefined,
    () => {
      throw new Error("broken");
    },
    () => promised.promise,
  ];
  const configured = answers.map((onEvent, index): ConfiguredBinding => ({
    settings: { id: `{${index}}`, displayName: `sink ${index}`, event: "MsgTrackLog", sinkClass: "./x.ts" },
    sink: { event: "MsgTrackLog", onEvent },
  }));
  const parts = { configured, log: silentLogger, nextMessageId: () => "", timed: times.timed };
  const chain = buildSystemChain(parts, "MsgTrackLog");
  const sinks = new SystemSinks({ clock: systemClock, log: silentLogger, sinkDeadlineMs: 1000 });
  const counts = (): number[] =>
    [...times.times()].map(({ times: { counts: buckets } }) =>
      buckets.reduce((sum, count) => sum + count, 0),
    );
  const record = {
    time: 1,
    event: 1019,
    step: "submitted",
    id: "ID1",
    server: "default",
    from: "",
    to: [],
    more: {},
    isWritten: true,
  };
  for (let round = 0; round < 2; round += 1)
    void sinks.run(chain, { subject: record, server: "default", onFault: "next-sink", promises: "left" });
  expect(counts()).toEqual([2, 2, 0]);
  promised.resolve(undefined);
  await setImmediate();
  expect(counts()).toEqual([2, 2, 2]);
  expect([...times.faults()]).toEqual([
    { labels: { binding: "sink 1", script: "", fault: "throw" }, value: 2 },
  ]);
});

test("bindings of one name share their samples: two alike would make a scrape invalid", () => {
  const times = new SinkTimes();
  const watched = times.watch(new Recorder(false));
  call(watched, native("Twice", "{1}"), 1);
  call(watched, native("Twice", "{2}"), 1);
  expect([...times.times()]).toHaveLength(1);
});

test("faults are those of the script that a binding had at that time", () => {
  const times = new SinkTimes();
  const watched = times.watch(new Recorder(false));
  for (const script of ["old.js", "new.js", "new.js"]) call(watched, scripted("Tag", script), 1, "throw");
  expect([...times.faults()]).toEqual([
    { labels: { binding: "Tag", script: "old.js", fault: "throw" }, value: 1 },
    { labels: { binding: "Tag", script: "new.js", fault: "throw" }, value: 2 },
  ]);
});

test("names without end fill no memory", () => {
  const times = new SinkTimes();
  const watched = times.watch(new Recorder(false));
  for (let index = 0; index < 1200; index += 1) call(watched, native(`binding ${index}`, `{${index}}`), 1);
  const all = [...times.times()];
  expect(all).toHaveLength(1001);
  expect(all.at(-1)?.labels).toEqual({ binding: "others", kind: "native" });
});
