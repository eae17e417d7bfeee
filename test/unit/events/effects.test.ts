// What the dispatcher takes down of a run, and when it starts shadow bindings.
import { describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { sinkResult } from "../../../src/core/status.ts";
import { type Binding, createBinding } from "../../../src/events/binding.ts";
import {
  type ChainOutcome,
  type DispatcherParts,
  SinkChain,
  createDispatcher,
} from "../../../src/events/dispatcher.ts";
import { EffectRun } from "../../../src/events/effects.ts";
import type { LiveCall } from "../../../src/events/shadow.ts";
import {
  type BoundSink,
  type NativeSink,
  type ScriptBound,
  compileRule,
  createPropertyBag,
} from "../../../src/events/sink.ts";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { allocPropertyIds } from "../../support/property-ids.ts";

const clock = new ManualClock();

function binding(displayName: string, more: Partial<Binding>): Binding {
  return createBinding({
    id: displayName,
    displayName,
    event: "OnTransportSubmission",
    sinkClass: "x",
    ...more,
  });
}

function native(
  name: string,
  onEvent: NativeSink<"OnTransportSubmission">["onEvent"],
  more: Partial<Binding> = {},
): BoundSink<string> {
  const bound = binding(name, more);
  return {
    kind: "native",
    binding: bound,
    rule: compileRule(bound, silentLogger),
    sink: { event: "OnTransportSubmission", onEvent },
    context: {
      properties: createPropertyBag({}),
      log: silentLogger,
      binding: bound,
      nextMessageId: () => "FORK",
      allocPropertyIds,
    },
  };
}

function script(name: string, more: Partial<Binding> = {}, shadowOf?: string): ScriptBound<string> {
  const bound = binding(name, more);
  return {
    kind: "script",
    binding: bound,
    rule: compileRule(bound, silentLogger),
    script: name,
    shadowOf: shadowOf === undefined ? undefined : { bindingId: shadowOf },
  };
}

function message(): MailMsg {
  const envelope = { sender: "a@example.com", recipients: [{ address: "b@example.com" }] };
  const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\nbody\r\n"));
  return new MailMsg("ID", { via: "smtp", arrivalTime: 0, server: "default" }, envelope, content);
}

/** Scripts of this test append their name to the subject; `stop` skips, `redirects` changes the recipients. */
const runScripts: DispatcherParts<string>["runScripts"] = async (msg, run, watch) => {
  await Promise.resolve();
  for (const [index, sink] of run.entries()) {
    watch?.calling(index);
    msg.headers.add("X-Seen", sink.script);
    const redirects = sink.script === "redirects";
    if (redirects) msg.recipients.add("c@example.com");
    const verdict = sink.script === "stop" ? sinkResult.skipRemaining : sinkResult.runNext;
    watch?.called(index, { verdict, micros: 7 }, []);
    if (redirects || verdict === sinkResult.skipRemaining) return { called: index + 1, result: verdict };
  }
  return { called: run.length, result: sinkResult.runNext };
};

interface Shadowed {
  readonly name: string;
  /** What was in the header when it was started. */
  readonly saw: string;
  live: LiveCall<string> | undefined | "never told";
}

async function dispatch(
  sinks: readonly BoundSink<string>[],
  more: Partial<DispatcherParts<string>> = {},
): Promise<{ run: EffectRun<string>; shadows: Shadowed[]; outcome: ChainOutcome; msg: MailMsg }> {
  const shadows: Shadowed[] = [];
  const dispatcher = createDispatcher<string>({
    runScripts,
    shadows: {
      start(sink, msg) {
        const seen: Shadowed = { name: sink.script, saw: namesIn(msg), live: "never told" };
        shadows.push(seen);
        return { compareWith: (live) => void (seen.live = live) };
      },
    },
    clock,
    log: silentLogger,
    ...more,
  });
  const chain = new SinkChain<string>(sinks);
  const msg = message();
  const run = new EffectRun("ID", msg.envelope, msg.content, chain, 0);
  const outcome = await dispatcher.dispatch(chain, msg, 0, run);
  return { run, shadows, outcome, msg };
}

const namesIn = (msg: MailMsg): string =>
  [...msg.content.header.toString("latin1").matchAll(/X-Seen: (.*)\r/g)].map(([, name]) => name).join(" ");

describe("a run is taken down", () => {
  test("with what each native sink changed, and nothing of one that failed", async () => {
    const { run } = await dispatch([
      native("none", () => undefined, { priority: 1 }),
      native("header", (msg) => msg.headers.add("X-A", "1"), { priority: 2 }),
      native(
        "breaks",
        (msg) => {
          msg.sender = "other@example.com";
          throw new Error("no");
        },
        { priority: 3, onError: "continue" },
      ),
      native("addresses", async (msg) => {
        await Promise.resolve();
        msg.sender = "other@example.com";
        msg.recipients.add("c@example.com");
      }),
    ]);
    expect(run.calls).toMatchObject([
      { position: 0, header: false, content: false, sender: false, recipients: false },
      { position: 1, header: true, content: true },
      { position: 2, sender: false, fault: { kind: "throw", message: "no" } },
      { position: 3, sender: true, recipients: true, content: false, fault: undefined },
    ]);
    expect(run.reached).toBe(4);
  });

  test("with the bindings that matched and were passed over, and where it ended", async () => {
    const { run } = await dispatch([
      script("expired", { priority: 1, expiration: clock.now() }),
      script("other", { priority: 2, rule: "RCPT TO=x@other.example" }),
      script("used up", { priority: 3, maxFirings: 0 }),
      script("stop", { priority: 4 }),
      script("late", { priority: 5 }),
    ]);
    expect(run.passedOver).toEqual([
      [0, "expired"],
      [2, "used up"],
    ]);
    expect(run.calls).toMatchObject([{ position: 3, effect: { verdict: 1, micros: 7 } }]);
    expect(run.reached).toBe(4);
  });
});

describe("a shadow binding", () => {
  test("is started at its place inside a run of scripts, and told what its live binding did", async () => {
    const { shadows, run, msg } = await dispatch([
      script("one", { priority: 1 }),
      script("shadow", { priority: 2 }, "two"),
      script("two", { priority: 3 }),
      script("last", { priority: 4 }, "two"),
    ]);
    expect(namesIn(msg)).toBe("one two");
    expect(shadows).toMatchObject([
      { name: "shadow", saw: "one", live: { sink: { script: "two" }, sent: 0 } },
      { name: "last", saw: "one two", live: undefined },
    ]);
    const live = shadows[0]?.live;
    expect(typeof live === "object" && live.after.content.size - live.before.content.size).toBe(
      "X-Seen: two\r\n".length,
    );
    expect(run.shadows).toEqual([1, 3]);
    expect(run.calls.map(({ position }) => position)).toEqual([0, 2]);
  });

  test("whose rule no longer matches after a change of recipients is not started, and not behind a skip either", async () => {
    const { shadows } = await dispatch([
      script("redirects", { priority: 1 }),
      script("new", { priority: 2, rule: "RCPT TO=c@example.com" }, "x"),
      script("none", { priority: 2, rule: "RCPT TO=d@example.com" }, "x"),
      script("stop", { priority: 3 }),
      script("behind", { priority: 4 }, "x"),
    ]);
    expect(shadows).toMatchObject([{ name: "new", saw: "redirects", live: undefined }]);
  });

  test("among native sinks only keeps the chain synchronous, and is left out when it may not start", async () => {
    const { run, outcome } = await dispatch(
      [script("shadow", { priority: 1 }, "x"), native("next", () => undefined)],
      { shadows: { start: () => undefined } },
    );
    expect(outcome).toEqual({ kind: "passed" });
    expect(run.passedOver).toEqual([[0, "busy"]]);
    expect(run.calls).toHaveLength(1);
  });

  test("counts its maxFirings only when it runs", async () => {
    const fired = new Map<string, number>();
    const sinks = [script("stop", { priority: 1 }), script("shadow", { priority: 2, maxFirings: 1 }, "stop")];
    await dispatch(sinks, { firings: fired });
    expect(fired.get("shadow")).toBeUndefined();
    await dispatch([script("shadow", { priority: 2, maxFirings: 1 }, "x")], { firings: fired });
    const again = await dispatch([script("shadow", { priority: 2, maxFirings: 1 }, "x")], { firings: fired });
    expect(fired.get("shadow")).toBe(1);
    expect(again.run.passedOver).toEqual([[0, "used up"]]);
  });
});
