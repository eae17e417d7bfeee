// Entry points, verdicts and limits of scripts, in a real sandbox process.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isPrintable } from "../../../src/core/printable.ts";
import { script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const verdict = async (body: string): Promise<unknown> => {
  const { outcome } = await worker.run(script(body));
  return outcome.fault?.kind ?? outcome.verdict;
};

describe("verdicts", () => {
  test("nothing, 0 and 1 are answers; EventStatus counts when nothing is answered", async () => {
    expect(await verdict("")).toBe(0);
    expect(await verdict("return null")).toBe(0);
    expect(await verdict("return 1")).toBe(1);
    expect(await verdict("status.Value = cdoSkipRemainingSinks")).toBe(1);
    expect(await verdict("status.Value = 1; return 0")).toBe(0);
  });

  test.each([
    "return 2",
    "return '0'",
    "return NaN",
    "return true",
    "return {}",
    "return { then() {} }",
    "return () => 1",
    "return Symbol()",
    "return 1n",
    "status.Value = 7",
  ])("%s is no verdict", async (body) => {
    expect(await verdict(body)).toBe("invalid");
  });

  test("a promise that settles counts as its value, a rejected one as a throw", async () => {
    expect(await verdict("return Promise.resolve(1)")).toBe(1);
    expect(await verdict("return (async () => { await null; await 0; status.Value = 1 })()")).toBe(1);
    expect(await verdict("return (async () => { await null; throw new Error('x') })()")).toBe("throw");
    expect(await verdict("return Promise.resolve(5)")).toBe("invalid");
  });

  test("changes after an await belong to the call", async () => {
    const { message } = await worker.run(
      script(`return (async () => { await null; msg.Subject = "late"; msg.DataSource.Save() })()`),
    );
    expect(message).toContain("Subject: late\r\n");
  });

  test("a promise that can never settle is refused and says so", async () => {
    const { outcome } = await worker.run(script("return new Promise(() => {})"));
    expect(outcome.fault).toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("never settle"),
    });
  });

  test("a fault tells the position in the bundle and no path of the host", async () => {
    const { outcome } = await worker.run(
      "function inner() {\n  throw new TypeError('bad');\n}\nfunction onArrival() { inner(); }",
    );
    expect(outcome.fault).toMatchObject({ kind: "throw", message: "TypeError: bad", line: 2, column: 9 });
    expect(outcome.fault?.stack).toBe("at inner (test.ts:2:9)\nat onArrival (test.ts:4:24)");
  });

  test("H08 neither a fault nor a log line turns round the text that people read it in", async () => {
    const evil = String.raw`const f = { "\u202e\u2066g"() { console.log("\u202e log"); throw new Error("\u202e evil"); } };
      f["\u202e\u2066g"]();`;
    const { outcome } = await worker.run(script(evil));
    expect(outcome.fault?.message).toBe("Error:   evil");
    expect(outcome.logs[0]?.text).toBe("  log");
    expect(outcome.fault?.stack).toContain("test.ts:2:");
    expect(outcome.fault?.stack?.split("\n").every(isPrintable)).toBe(true);
  });
});

describe("loading", () => {
  test.each([
    ["export default", "export default function () { return 1 }"],
    ["a named export", "export const onArrival = () => 1;"],
    ["a global function", "function onArrival() { return 1 }"],
    ["the original's names", "function ISMTPOnArrival_OnArrival(msg, status) { status.Value = 1 }"],
    ["another of them", "export function IEventSink_OnArrival() { return 1 }"],
    ["a strict plain script", "'use strict';\nconst onArrival = async () => 1;"],
  ])("the entry point may be %s", async (_name, source) => {
    expect((await worker.run(source)).outcome).toMatchObject({ verdict: 1 });
  });

  test("a module may import the constants and types of cdo", async () => {
    const source = `import { cdoSkipRemainingSinks, type Message } from "cdo"; export default (msg: Message) => cdoSkipRemainingSinks;`;
    expect((await worker.run(source)).outcome.verdict).toBe(1);
  });

  test("an inspection tells entry point and binding", async () => {
    const source = `export const binding = { rule: "RCPT TO=*", priority: 5 }; export default function () {}`;
    expect(await worker.load(source, { inspectOnly: true })).toMatchObject({
      entryPoint: "default",
      binding: { rule: "RCPT TO=*", priority: 5 },
    });
  });

  test.each([
    ["no entry point", "const x = 1;", /no entry point/],
    ["a syntax error", "function onArrival( {", /test\.ts:\d+:\d+/],
    ["a throw at the top", "throw new Error('top')", /top/],
    ["a loop at the top", "for (;;);", /loading/],
    [
      "a binding that cannot be written down",
      "export const binding = () => {}; export default () => 0",
      /binding/,
    ],
  ])("an inspection refuses %s", async (_name, source, message) => {
    const { fault } = await worker.load(source, { inspectOnly: true });
    expect(fault?.message).toMatch(message);
  });

  test("an unloaded version is a fault, not a crash", async () => {
    const source = script("return 1");
    await worker.run(source);
    worker.unload(source);
    expect((await worker.run(source)).outcome.fault?.kind).toBe("load");
  });

  test("a script sees its binding and its sinkProperties", async () => {
    const { outcome } = await worker.run(
      script("console.log(event.bindingName, event.properties.list, Object.isFrozen(event))"),
      {
        call: { sinkProperties: JSON.stringify({ list: "x" }) },
      },
    );
    expect(outcome.logs[0]?.text).toBe("test binding x true");
  });
});

describe("limits", () => {
  test("console output is bounded in lines and bytes, and the rest is counted", async () => {
    const { outcome } = await worker.run(script("for (let i = 0; i < 200000; i++) console.log('line ' + i)"));
    expect(outcome.fault).toBeUndefined();
    expect(outcome.logs).toHaveLength(100);
    expect(outcome.logsDropped).toBe(199_900);
    const big = await worker.run(script("for (let i = 0; i < 100; i++) console.log('x'.repeat(1e6))"));
    expect(big.outcome.logs.reduce((sum, line) => sum + line.text.length, 0)).toBeLessThanOrEqual(16 * 1024);
  });

  test("a log line stays one line", async () => {
    const { outcome } = await worker.run(script("console.log('a\\r\\nERROR forged\\u001b[31m')"));
    expect(outcome.logs[0]?.text).toBe("a ERROR forged [31m");
  });

  test("the number of host calls is bounded, even when the script catches the refusal", async () => {
    const { outcome } = await worker.run(
      script("for (let i = 0; i < 2000; i++) try { msg.Organization } catch {}"),
      { limits: { hostCalls: 1000 } },
    );
    expect(outcome.fault).toMatchObject({ kind: "limit", message: expect.stringContaining("hostCalls") });
  });

  test("a call ends at its timeoutMs, however much running time it has left", async () => {
    const { outcome } = await worker.run(script("for (;;);"), {
      limits: { timeoutMs: 200, cpuMs: 60_000 },
    });
    expect(outcome.fault).toMatchObject({
      kind: "timeout",
      message: expect.stringContaining("did not end within 200 ms"),
    });
  });

  test("a header field may fill a header block, and no more", async () => {
    const within = "msg.To = 'someone@example.com, '.repeat(40_000); msg.Subject = 'ü'.repeat(150_000)";
    const { outcome } = await worker.run(script(`${within}; msg.DataSource.Save()`), {
      limits: { timeoutMs: 20_000, cpuMs: 20_000 },
    });
    expect(outcome.fault).toBeUndefined();
    const beyond = await worker.run(script("msg.Subject = 'x'.repeat(1024 * 1024 + 1)"));
    expect(beyond.outcome.fault).toMatchObject({
      kind: "limit",
      message: "the script exceeded its limit headerBytes (1048576)",
    });
  });

  test("a body may grow by growthBytes only", async () => {
    const limits = { growthBytes: 10_000 };
    const within = await worker.run(script("msg.TextBody = 'x'.repeat(5000); msg.DataSource.Save()"), {
      limits,
    });
    expect(within.outcome.fault).toBeUndefined();
    const beyond = await worker.run(
      script("try { msg.TextBody = 'x'.repeat(2e7) } catch {} msg.DataSource.Save()"),
      { limits },
    );
    expect(beyond.outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining("growthBytes"),
    });
    const many = await worker.run(
      script(
        "for (let i = 0; i < 20; i++) { msg.Fields(`urn:schemas:mailheader:x-${i}`).Value = 'x'.repeat(900) } msg.Fields.Update(); msg.DataSource.Save()",
      ),
      { limits },
    );
    expect(many.outcome.fault?.kind).toBe("limit");
    expect(many.outcome.splices).toBeUndefined();
  });

  test("recipients that a script adds are bounded", async () => {
    const body = `const r = msg.EnvelopeFields(cdoRecipientList); let list = r.Value; for (let i = 0; i < 1001; i++) list += "SMTP:u" + i + "@x.example;"; r.Value = list; msg.EnvelopeFields.Update()`;
    expect((await worker.run(script(body))).outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining("recipientsAdded"),
    });
  });

  test("time spent in the host counts", async () => {
    const { outcome } = await worker.run(script("for (;;) try { msg.Organization } catch {}"), {
      limits: { timeoutMs: 100, hostCalls: 1e9 },
    });
    expect(outcome.fault?.kind).toBe("timeout");
  });

  test("a script out of memory gets a new isolate for the next message", async () => {
    const hungry = script(
      "if (/big/.test(msg.Subject)) { globalThis.a = []; for (let i = 0; i < 200; i++) a.push(new Array(100000).fill(i)) } return 1",
    );
    const limits = { memoryMb: 16, timeoutMs: 5000 };
    const first = await worker.run(hungry, { limits, message: "Subject: big\r\n\r\n" });
    expect(first.outcome.fault?.kind).toBe("memory");
    expect((await worker.run(hungry, { limits })).outcome.verdict).toBe(1);
  });
});
