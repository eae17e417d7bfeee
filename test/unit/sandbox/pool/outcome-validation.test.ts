// What a sandbox process answers, frame by frame: all that a process which belongs to an enemy could try, and what a good one may do.
import { describe, expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS, type ScriptCall, type ScriptLimits } from "../../../../runtime/contract.ts";
import { Content } from "../../../../src/message/content.ts";
import { checkDone, checkLoaded, frameHead } from "../../../../src/sandbox/pool/outcome-validation.ts";
import {
  type AskedSoFar,
  answerRoom,
  checkWaiting,
} from "../../../../src/sandbox/pool/request-validation.ts";
import type { CheckedOutcome, JobTask } from "../../../../src/sandbox/pool/tasks.ts";
import { NO_ENVELOPE } from "../../../support/no-envelope.ts";

const LIMITS: ScriptLimits = {
  ...DEFAULT_SCRIPT_LIMITS,
  logLines: 2,
  logBytes: 10,
  growthBytes: 8,
  recipientsAdded: 2,
  requests: 2,
  requestBytes: 10,
};
const VIOLATION = /malformed frame/;

/** A message of 8 bytes with one recipient. */
const taskOf = (...calls: Partial<ScriptCall>[]): JobTask => ({
  kind: "job",
  messageId: "m",
  content: Content.fromBuffer(Buffer.from("A: b\r\n\r\n")),
  envelope: { ...NO_ENVELOPE, sender: "odd one", recipients: ["odd two"] },
  calls: calls.map((call) => ({
    version: "v",
    bindingName: "b",
    sinkProperties: "{}",
    limits: LIMITS,
    allow: {},
    cacheable: true,
    continueOnFault: false,
    ...call,
  })),
  bundles: [],
});

const GOOD = { verdict: 0, logs: [], logsDropped: 0, micros: 1, readBody: false };
const FAULT = { kind: "throw", message: "x" };
const done = (outcomes: unknown, bytes = "", task = taskOf({})): CheckedOutcome[] =>
  checkDone({ outcomes }, Buffer.from(bytes), task, { pid: 1, job: 1 });
const line = (text: string): object => ({ level: "info", text });
const splice = (start: number, end: number, length: number): object => ({ start, end, length });

describe("an outcome", () => {
  test.each<[string, object, string?]>([
    ["that skips the rest", { verdict: 1 }],
    ["with a status", { status: 3 }],
    ["with a fault", { fault: { ...FAULT, stack: "at a\nat b", line: 1, column: 0 } }],
    ["with the longest fault", { fault: { ...FAULT, message: "x".repeat(1000), stack: "x".repeat(4000) } }],
    ["with its heap", { heapBytes: 0 }],
    ["with lines of the runtime beside its own", { logs: Array.from({ length: 34 }, () => line("")) }],
    ["with as much text", { logs: [line("x".repeat(16 * 1024)), line("x".repeat(10))] }],
    ["that keeps an odd sender and recipient", { sender: "odd one", recipients: ["odd two"] }],
    ["with the null sender", { sender: "" }],
    ["with others", { sender: "a@x.example", recipients: ["odd two", "b@x.example", "c@x.example"] }],
    ["with splices", { splices: [splice(0, 2, 1), splice(2, 2, 1), splice(8, 8, 2)] }, "abcd"],
    ["that grows to its limit", { splices: [splice(0, 1, 9)] }, "123456789"],
  ])("%s is taken", (_what, more, bytes) => {
    expect(done([{ ...GOOD, ...more }], bytes)).toHaveLength(1);
  });

  test.each<[string, unknown, string?]>([
    ["that is none", null],
    ["that is a list", []],
    ["with another verdict", { ...GOOD, verdict: 2 }],
    ["that does not say whether it read the body", { ...GOOD, readBody: 1 }],
    ["of negative time", { ...GOOD, micros: -1 }],
    ["of time in fractions", { ...GOOD, micros: 0.5 }],
    ["of time without end", { ...GOOD, micros: 1e300 }],
    ["with lost lines in words", { ...GOOD, logsDropped: "0" }],
    ["with a status of native sinks", { ...GOOD, status: 4 }],
    ["with a fault of another kind", { ...GOOD, fault: { ...FAULT, kind: "crash" } }],
    ["with a list for a fault", { ...GOOD, fault: [] }],
    ["with a long fault", { ...GOOD, fault: { ...FAULT, message: "x".repeat(1001) } }],
    ["with a fault in two lines", { ...GOOD, fault: { ...FAULT, message: "a\nb" } }],
    ["with a long stack", { ...GOOD, fault: { ...FAULT, stack: "x".repeat(4001) } }],
    ["with a stack that clears the screen", { ...GOOD, fault: { ...FAULT, stack: "a\n\u001b[2J" } }],
    ["with a fault before the file", { ...GOOD, fault: { ...FAULT, line: -1 } }],
    ["with a fault between columns", { ...GOOD, fault: { ...FAULT, column: 0.5 } }],
    ["with a heap below nothing", { ...GOOD, heapBytes: -1 }],
    ["without lines", { ...GOOD, logs: undefined }],
    ["with too many lines", { ...GOOD, logs: Array.from({ length: 35 }, () => line("")) }],
    ["with a line of another level", { ...GOOD, logs: [{ level: "fatal", text: "x" }] }],
    ["with a line that clears the screen", { ...GOOD, logs: [line("\u001b[2J")] }],
    ["with a line that is none", { ...GOOD, logs: [null] }],
    ["with too much text", { ...GOOD, logs: [line("x".repeat(16 * 1024)), line("x".repeat(11))] }],
    ["from what is no address", { ...GOOD, sender: "a b" }],
    ["from a number", { ...GOOD, sender: 7 }],
    ["to no list", { ...GOOD, recipients: "b@x.example" }],
    ["to a number", { ...GOOD, recipients: [7] }],
    ["to what is no address", { ...GOOD, recipients: ["b@x.example> NOTIFY=NEVER"] }],
    ["to too many", { ...GOOD, recipients: ["a@x.example", "b@x.example", "c@x.example", "d@x.example"] }],
    ["with splices that are no list", { ...GOOD, splices: splice(0, 0, 0) }],
    ["with a splice that is none", { ...GOOD, splices: [null] }],
    ["with a splice before the message", { ...GOOD, splices: [splice(-1, 0, 0)] }],
    ["with a splice beyond the message", { ...GOOD, splices: [splice(8, 9, 0)] }],
    ["with a splice that ends before it starts", { ...GOOD, splices: [splice(2, 1, 0)] }],
    ["with splices in wrong order", { ...GOOD, splices: [splice(2, 3, 0), splice(0, 1, 0)] }],
    ["with a splice of a negative length", { ...GOOD, splices: [splice(0, 0, -1)] }],
    ["with a splice that has no bytes", { ...GOOD, splices: [splice(0, 0, 3)] }, "ab"],
    ["with bytes of no splice", { ...GOOD, splices: [splice(0, 0, 1)] }, "ab"],
    ["with bytes and no splices", GOOD, "a"],
    ["that grows beyond its limit", { ...GOOD, splices: [splice(0, 1, 10)] }, "0123456789"],
  ])("%s is a violation", (_what, outcome, bytes) => {
    expect(() => done([outcome], bytes)).toThrow(VIOLATION);
  });
});

describe("the outcomes of several calls", () => {
  const two = taskOf({ continueOnFault: true }, {});

  test.each<[string, unknown[], boolean]>([
    ["one for each", [GOOD, GOOD], true],
    ["more than calls", [GOOD, GOOD, GOOD], false],
    ["none", [], false],
    ["one, without a reason to stop", [GOOD], false],
    ["one that skips the rest", [{ ...GOOD, verdict: 1 }], true],
    ["more behind one that skips them", [{ ...GOOD, verdict: 1 }, GOOD], false],
    ["one with a status", [{ ...GOOD, status: 2 }], true],
    ["one with the status of success", [{ ...GOOD, status: 0 }], false],
    ["one with another sender", [{ ...GOOD, sender: "" }], true],
    ["one with other recipients", [{ ...GOOD, recipients: [] }], true],
    ["more behind a fault that the binding goes on after", [{ ...GOOD, fault: FAULT }, GOOD], true],
    ["one with such a fault", [{ ...GOOD, fault: FAULT }], false],
    ["one with such a fault and a status", [{ ...GOOD, fault: FAULT, status: 2 }], false],
  ])("%s: %s", (_what, outcomes, isGood) => {
    if (isGood) expect(done(outcomes, "", two)).toHaveLength(outcomes.length);
    else expect(() => done(outcomes, "", two)).toThrow(VIOLATION);
  });

  test("end at a fault, and only there", () => {
    const task = taskOf({}, {});
    expect(done([{ ...GOOD, fault: FAULT }], "", task)).toHaveLength(1);
    expect(() => done([{ ...GOOD, fault: FAULT }, GOOD], "", task)).toThrow(VIOLATION);
    expect(() => done({ length: 2 }, "", task)).toThrow(VIOLATION);
  });

  test("may have grown the message, and its recipients, by what all of them may", () => {
    const recipients = Array.from({ length: 5 }, (_, index) => `u${index}@x.example`);
    const second = { ...GOOD, splices: [splice(0, 0, 16)], recipients };
    expect(done([GOOD, second], "x".repeat(16), two)).toHaveLength(2);
    expect(() => done([second, GOOD], "x".repeat(16), two)).toThrow(VIOLATION);
    expect(() => done([{ ...GOOD, recipients }, GOOD], "", two)).toThrow(VIOLATION);
  });

  test("have their bytes behind one another", () => {
    const outcomes = [
      { ...GOOD, splices: [splice(0, 0, 2)] },
      { ...GOOD, splices: [splice(0, 0, 1), splice(1, 1, 1)] },
    ];
    const texts = done(outcomes, "abcd", two).map(({ splices }) =>
      splices?.map(({ bytes }) => String(bytes)),
    );
    expect(texts).toEqual([["ab"], ["c", "d"]]);
  });
});

describe("a message that a call sends", () => {
  const SENT = { sender: "a@x.example", recipients: ["b@x.example"], notify: 15, length: 2 };
  const send = (allow: ScriptCall["allow"], ...sent: unknown[]): CheckedOutcome[] =>
    done([{ ...GOOD, sent }], "abcd".slice(0, sent.length * 2), taskOf({ allow }));

  test("goes where the binding grants it", () => {
    expect(send({ send: true }, SENT, SENT)[0]?.sent).toMatchObject([
      { bytes: Buffer.from("ab") },
      { bytes: Buffer.from("cd") },
    ]);
    expect(
      send({ smtp: ["Hub.example:25"] }, { ...SENT, sender: "", nextHop: "hub.example:25" }),
    ).toHaveLength(1);
  });

  test.each<[string, ScriptCall["allow"], unknown]>([
    [
      "through another server",
      { send: true, smtp: ["hub.example:25"] },
      { ...SENT, nextHop: "hub.example:26" },
    ],
    ["through the service, where only a server is granted", { smtp: ["hub.example:25"] }, SENT],
    ["with an empty list of servers", { smtp: [] }, { ...SENT, nextHop: "hub.example:25" }],
    ["that is none", { send: true }, null],
    ["from a number", { send: true }, { ...SENT, sender: 7 }],
    ["to no list", { send: true }, { ...SENT, recipients: "b@x.example" }],
    ["to a number", { send: true }, { ...SENT, recipients: [7] }],
    ["to too many", { send: true }, { ...SENT, recipients: ["a@x.example", "b@x.example", "c@x.example"] }],
    ["with reports below none", { send: true }, { ...SENT, notify: -1 }],
    ["of a negative length", { send: true }, { ...SENT, length: -2 }],
  ])("is a violation %s", (_what, allow, sent) => {
    expect(() => send(allow, sent)).toThrow(VIOLATION);
  });
});

describe("what a process says of a script it loaded", () => {
  test.each<[string, object, boolean]>([
    ["nothing", {}, true],
    ["all", { fault: FAULT, entryPoint: "onArrival", needs: ["kv"], binding: { priority: 1 } }, true],
    ["of another version", { version: "w" }, false],
    ["a fault that is none", { fault: "x" }, false],
    ["a long entry point", { entryPoint: "x".repeat(101) }, false],
    ["an entry point that is no text", { entryPoint: 7 }, false],
    ["needs that are no list", { needs: "kv" }, false],
    ["many needs", { needs: Array.from({ length: 101 }, () => "kv") }, false],
    ["a need that is no text", { needs: [7] }, false],
    ["a long need", { needs: ["kv", "x".repeat(201)] }, false],
    ["a large binding", { binding: "x".repeat(64 * 1024) }, false],
  ])("%s: %s", (_what, more, isGood) => {
    const head = { type: "loaded", version: "v", ...more };
    if (isGood) expect(checkLoaded(head, "v")).toEqual(head);
    else expect(() => checkLoaded(head, "v")).toThrow(VIOLATION);
  });

  test.each([null, [], "ready", {}, { type: "constructor" }])("%j is the head of no frame", (head) => {
    expect(() => frameHead({ head, bytes: Buffer.alloc(0) })).toThrow(VIOLATION);
  });
});

describe("what a process asks for", () => {
  const KV = { kind: "kv", operation: "get", key: "k" };
  const task = taskOf({}, {});
  const begun = (more: Partial<AskedSoFar> = {}): AskedSoFar => ({
    call: -1,
    request: 0,
    requests: 0,
    bytes: 0,
    ...more,
  });
  const one = (request: number, length = 0): object => ({ request, body: KV, length });

  test("has its bytes behind one another, and counts for its call", () => {
    const asked = begun();
    const checked = checkWaiting(
      { call: 0, requests: [one(1, 2), one(4, 1)] },
      Buffer.from("abc"),
      task,
      asked,
    );
    expect(checked.map(({ request, bytes }) => [request, String(bytes)])).toEqual([
      [1, "ab"],
      [4, "c"],
    ]);
    expect(asked).toEqual({ call: 0, request: 4, requests: 2, bytes: 3 });
    checkWaiting({ call: 0, requests: [] }, Buffer.alloc(0), task, asked);
    checkWaiting({ call: 1, requests: [one(5, 20)] }, Buffer.alloc(20), task, asked);
    expect(asked).toEqual({ call: 1, request: 5, requests: 1, bytes: 20 });
    const [call] = task.calls;
    if (call !== undefined)
      expect([answerRoom(call, begun({ bytes: 7 })), answerRoom(call, begun({ bytes: 21 }))]).toEqual([
        13, 0,
      ]);
  });

  test.each<[string, object, Partial<AskedSoFar>, number?]>([
    ["for a call before the present one", { call: 0, requests: [] }, { call: 1 }],
    ["for a call that is not there", { call: 2, requests: [] }, {}],
    ["for no call", { requests: [] }, {}],
    ["for a call in words", { call: "0", requests: [] }, {}],
    ["without a list", { call: 0 }, {}],
    ["for nothing", { call: 0, requests: [null] }, {}],
    ["under a number that was used", { call: 0, requests: [one(3)] }, { request: 3 }],
    ["twice under one number", { call: 0, requests: [one(1), one(1)] }, {}],
    ["under a number in words", { call: 0, requests: [{ ...one(1), request: "1" }] }, {}],
    ["with a negative length", { call: 0, requests: [one(1, -1)] }, {}],
    ["with bytes that did not come", { call: 0, requests: [one(1, 2), one(2, 2)] }, {}, 3],
    ["with lengths that only add up", { call: 0, requests: [one(1, 3), one(2, -1), one(3, 1)] }, {}, 3],
    ["and leaves bytes", { call: 0, requests: [one(1, 2)] }, {}, 3],
    ["for what no script can", { call: 0, requests: [{ ...one(1), body: { ...KV, key: 7 } }] }, {}],
    ["more often than it may, twice", { call: 0, requests: [one(1)] }, { call: 0, requests: 4 }],
    ["with more bytes than it may, twice", { call: 0, requests: [one(1, 1)] }, { call: 0, bytes: 20 }, 1],
  ])("%s, and is ended", (_what, head, asked, bytes = 0) => {
    expect(() => checkWaiting({ ...head }, Buffer.alloc(bytes), task, begun(asked))).toThrow(VIOLATION);
  });
});
