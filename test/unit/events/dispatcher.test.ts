import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { messageStatus, sinkResult } from "../../../src/core/status.ts";
import { type Binding, createBinding } from "../../../src/events/binding.ts";
import { SinkChain, createDispatcher } from "../../../src/events/dispatcher.ts";
import type { RunScripts } from "../../../src/events/script-run.ts";
import {
  type NativeBound,
  type NativeSink,
  type ScriptBound,
  compileRule,
  createPropertyBag,
} from "../../../src/events/sink.ts";
import { Content } from "../../../src/message/content.ts";
import { MailMsg } from "../../../src/message/mail-msg.ts";
import { allocPropertyIds } from "../../support/property-ids.ts";

const NOW = Date.parse("2026-01-02T03:04:05Z");
const clock: Clock = { now: () => NOW, after: () => () => undefined };
const noScripts: RunScripts<string> = () => Promise.reject(new Error("no script expected"));

type OnEvent = NativeSink<"OnTransportSubmission">["onEvent"];

function native(name: string, onEvent: OnEvent, more: Partial<Binding> = {}): NativeBound {
  const binding = createBinding({
    displayName: name,
    event: "OnTransportSubmission",
    sinkClass: `./${name}.ts`,
    ...more,
  });
  return {
    kind: "native",
    binding,
    rule: compileRule(binding, silentLogger),
    sink: { event: "OnTransportSubmission", onEvent },
    context: {
      properties: createPropertyBag({}),
      log: silentLogger,
      binding,
      nextMessageId: () => "FORK",
      allocPropertyIds,
    },
  };
}

function script(name: string, more: Partial<Binding> = {}): ScriptBound<string> {
  const binding = createBinding({
    displayName: name,
    event: "OnTransportSubmission",
    sinkClass: "CDO.SS_SMTPOnArrivalSink",
    ...more,
  });
  return { kind: "script", binding, rule: compileRule(binding, silentLogger), script: name };
}

function message(to: string[] = ["b@example.com"]): MailMsg {
  const envelope = { sender: "a@example.com", recipients: to.map((address) => ({ address })) };
  const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\nbody\r\n"));
  return new MailMsg(
    "ID",
    { via: "smtp", arrivalTime: NOW, server: "default", heloDomain: "h" },
    envelope,
    content,
  );
}

const dispatcher = (runScripts: RunScripts<string> = noScripts) =>
  createDispatcher<string>({ runScripts, clock, log: silentLogger });

describe("the chain of native sinks", () => {
  test("lower numbers run first, equal priorities in the order given", () => {
    const order: string[] = [];
    const note =
      (name: string): OnEvent =>
      () =>
        void order.push(name);
    const chain = new SinkChain<string>([
      native("late", note("late"), { priority: 30_000 }),
      native("default 1", note("default 1")),
      native("default 2", note("default 2")),
      native("first", note("first"), { priority: 0 }),
    ]);
    expect(dispatcher().dispatch(chain, message())).toEqual({ kind: "passed" });
    expect(order).toEqual(["first", "default 1", "default 2", "late"]);
  });

  test("S_FALSE skips every later sink, also of equal priority", () => {
    let called = false;
    const chain = new SinkChain<string>([
      native("stop", () => sinkResult.skipRemaining, { priority: 100 }),
      native("later", () => void (called = true), { priority: 100 }),
    ]);
    expect(dispatcher().dispatch(chain, message())).toEqual({ kind: "passed" });
    expect(called).toBe(false);
  });

  test.each([1, 2, 3] as const)("status %i ends the chain after the sink that set it", (status) => {
    let called = false;
    const chain = new SinkChain<string>([
      native("sets", (msg) => void (msg.status = status), { priority: 1 }),
      native("later", () => void (called = true)),
    ]);
    expect(dispatcher().dispatch(chain, message())).toMatchObject({
      kind: "status",
      status,
      binding: { displayName: "sets" },
    });
    expect(called).toBe(false);
  });

  test("without a promise the answer is there at once; with one only this message waits", async () => {
    const chain = new SinkChain<string>([
      native("slow", async () => await Promise.resolve(sinkResult.runNext)),
    ]);
    const answer = dispatcher().dispatch(chain, message());
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toEqual({ kind: "passed" });
  });

  test("rules are evaluated against the envelope as it is before each sink", () => {
    const seen: string[] = [];
    const chain = new SinkChain<string>([
      native("adds", (msg) => void msg.recipients.add("new@list.example"), { priority: 1 }),
      native("list", () => void seen.push("list"), { rule: "rcpt to=*@list.example" }),
      native("other", () => void seen.push("other"), { rule: "rcpt to=*@other.example" }),
    ]);
    void dispatcher().dispatch(chain, message());
    expect(seen).toEqual(["list"]);
  });

  test("a binding of one virtual server sees the messages of that server only", () => {
    const seen: string[] = [];
    const note =
      (name: string): OnEvent =>
      () =>
        void seen.push(name);
    const chain = new SinkChain<string>([
      native("of all", note("of all")),
      native("of here", note("of here"), { server: message().origin.server, rule: "mail from=*" }),
      native("of there", note("of there"), { server: "there" }),
    ]);
    void dispatcher().dispatch(chain, message());
    expect(seen).toEqual(["of all", "of here"]);
  });

  test("disabled, expired and used-up bindings are not called", () => {
    let fired = 0;
    const count: OnEvent = () => void (fired += 1);
    const chain = new SinkChain<string>([
      native("disabled", count, { enabled: false }),
      native("expired", count, { expiration: NOW - 1 }),
      native("once", count, { maxFirings: 1 }),
      native("unlimited", count, { maxFirings: -1 }),
    ]);
    const one = dispatcher();
    void one.dispatch(chain, message());
    expect(fired).toBe(2);
    void one.dispatch(chain, message());
    expect(fired).toBe(3);
  });
});

describe("a sink that fails", () => {
  const breaks: OnEvent = (msg) => {
    msg.headers.add("X-Half", "done");
    msg.recipients.add("half@example.com");
    msg.sender = "other@example.com";
    msg.properties.set("half", true);
    throw new Error("boom");
  };

  test.each(["hold", "badmail"] as const)(
    "ends the chain with its policy %s, and its changes are taken back as a whole",
    async (onError) => {
      const msg = message();
      const before = msg.content;
      const outcome = await dispatcher().dispatch(
        new SinkChain<string>([native("breaks", breaks, { onError })]),
        msg,
      );
      expect(outcome).toMatchObject({
        kind: "fault",
        policy: onError,
        fault: { kind: "throw", message: "boom" },
      });
      expect(msg.content).toBe(before);
      expect(msg.envelope).toMatchObject({
        sender: "a@example.com",
        recipients: [{ address: "b@example.com" }],
      });
      expect(msg.properties.size).toBe(0);
    },
  );

  test("with continue the next sink runs on the message as it was before", async () => {
    const msg = message();
    let recipients = 0;
    const chain = new SinkChain<string>([
      native("breaks", breaks, { priority: 1, onError: "continue" }),
      native("counts", (later) => void (recipients = later.recipients.count)),
    ]);
    expect(await dispatcher().dispatch(chain, msg)).toEqual({ kind: "passed" });
    expect(recipients).toBe(1);
  });

  test("a rejected promise and an answer that is none are faults as well", async () => {
    const rejects = new SinkChain<string>([native("rejects", () => Promise.reject(new Error("late")))]);
    expect(await dispatcher().dispatch(rejects, message())).toMatchObject({
      kind: "fault",
      fault: { message: "late" },
    });
    const wrong = new SinkChain<string>([native("wrong", (() => 7) as unknown as OnEvent)]);
    expect(dispatcher().dispatch(wrong, message())).toMatchObject({
      kind: "fault",
      fault: { kind: "invalid" },
    });
    const status = new SinkChain<string>([native("status", (msg) => void (msg.status = 9 as never))]);
    expect(dispatcher().dispatch(status, message())).toMatchObject({
      kind: "fault",
      fault: { kind: "invalid" },
    });
  });
});

describe("scripts in the chain", () => {
  test("consecutive scripts are one run; a native sink between them ends it", async () => {
    const runs: string[][] = [];
    const chain = new SinkChain<string>([
      script("one", { priority: 1 }),
      script("two", { priority: 2 }),
      native("between", () => undefined, { priority: 3 }),
      script("three", { priority: 4 }),
      script("elsewhere", { priority: 5, rule: "rcpt to=*@elsewhere.example" }),
    ]);
    const outcome = await dispatcher((_msg, run) => {
      runs.push(run.map((sink) => sink.script));
      return Promise.resolve({ called: run.length, result: sinkResult.runNext });
    }).dispatch(chain, message());
    expect(outcome).toEqual({ kind: "passed" });
    expect(runs).toEqual([["one", "two"], ["three"]]);
  });

  test("a run that ended early goes on with the first script that was not called, if its rule still matches", async () => {
    const runs: string[][] = [];
    const chain = new SinkChain<string>([
      script("adds", { priority: 1 }),
      script("second", { priority: 2, maxFirings: 1 }),
      script("list", { priority: 3, rule: "rcpt to=*@list.example" }),
    ]);
    await dispatcher((msg, run) => {
      runs.push(run.map((sink) => sink.script));
      if (run[0]?.script === "adds") msg.recipients.add("x@list.example");
      return Promise.resolve({ called: 1, result: sinkResult.runNext });
    }).dispatch(chain, message());
    expect(runs).toEqual([["adds", "second"], ["second", "list"], ["list"]]);
  });

  test("a used-up binding between scripts costs the next one neither its call nor its count", async () => {
    const runs: string[][] = [];
    const chain = new SinkChain<string>([
      script("first", { priority: 1 }),
      script("used up", { priority: 2, maxFirings: 0 }),
      script("once", { priority: 3, maxFirings: 1 }),
    ]);
    const one = dispatcher((_msg, run) => {
      runs.push(run.map((sink) => sink.script));
      return Promise.resolve({ called: run.length, result: sinkResult.runNext });
    });
    await one.dispatch(chain, message());
    expect(runs.flat()).toEqual(["first", "once"]);
    await one.dispatch(chain, message());
    expect(runs.flat()).toEqual(["first", "once", "first"]);
  });

  test.each([
    ["goes on", false, 1],
    ["comes back to the sinks", true, 2],
  ] as const)(
    "of a message that %s, calls count towards maxFirings unless it comes back",
    async (_what, comesBack, calls) => {
      let natives = 0;
      const runs: string[][] = [];
      const chain = new SinkChain<string>([
        native("native", () => void (natives += 1), { priority: 1, maxFirings: 1 }),
        script("one", { priority: 2, maxFirings: 1 }),
        script("ends", { priority: 3, maxFirings: 2 }),
        script("never", { priority: 4, maxFirings: 1 }),
      ]);
      const one = dispatcher((_msg, run) => {
        runs.push(run.map((sink) => sink.script));
        const called = run.findIndex((sink) => sink.script === "ends") + 1;
        return Promise.resolve({ called, result: sinkResult.skipRemaining });
      });
      for (let time = 0; time < 2; time += 1) {
        await one.dispatch(chain, message());
        one.settleCalls(message().id, comesBack);
      }
      expect(natives).toBe(calls);
      expect(runs.flat().filter((name) => name === "one")).toHaveLength(calls);
      expect(runs.flat().filter((name) => name === "never")).toHaveLength(2);
    },
  );

  test("a failed script ends the chain by the policy of its own binding", async () => {
    const chain = new SinkChain<string>([
      script("good", { priority: 1, onError: "badmail" }),
      script("bad", { priority: 2 }),
    ]);
    const outcome = await dispatcher(() =>
      Promise.resolve({
        called: 2,
        result: sinkResult.runNext,
        fault: { kind: "timeout", message: "too long" },
      }),
    ).dispatch(chain, message());
    expect(outcome).toMatchObject({
      kind: "fault",
      policy: "hold",
      binding: { displayName: "bad" },
      fault: { kind: "timeout" },
    });
  });

  test("a status committed by a script ends the chain", async () => {
    const chain = new SinkChain<string>([script("aborts")]);
    const outcome = await dispatcher((msg) => {
      msg.status = messageStatus.abortDelivery;
      return Promise.resolve({ called: 1, result: sinkResult.skipRemaining });
    }).dispatch(chain, message());
    expect(outcome).toMatchObject({ kind: "status", status: 2 });
  });
});

describe("a fork", () => {
  test("takes its recipients along and goes on with the sinks that are left", () => {
    const msg = message(["b@example.com", "c@other.example"]);
    const chain = new SinkChain<string>([
      native(
        "forks",
        (original) =>
          void original.forkForRecipients("FORK00000000000001", ({ address }) =>
            address.endsWith("other.example"),
          ),
        { priority: 1 },
      ),
      native("later", (any) => any.headers.add("X-Later", any.id)),
    ]);
    const one = dispatcher();
    void one.dispatch(chain, msg);
    const fork = msg.forks[0];
    expect(msg.envelope.recipients).toEqual([{ address: "b@example.com" }]);
    expect(fork?.envelope.recipients).toEqual([{ address: "c@other.example" }]);
    if (fork !== undefined) void one.dispatch(chain, fork, fork.resumeAt);
    expect(msg.headers.get("X-Later")).toBe("ID");
    expect(fork?.headers.get("X-Later")).toBe("FORK00000000000001");
  });
});
