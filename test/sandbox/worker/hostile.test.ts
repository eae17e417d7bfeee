// Scripts that attack their sandbox and are contained by the worker itself; the others are in test/sandbox/wall.
import { afterAll, beforeAll, expect, test } from "vitest";
import { script, WorkerUnderTest } from "./support.ts";

const limits = { timeoutMs: 200, memoryMb: 32 };

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

test.each([
  ["a 128 MB message", "throw new Error('x'.repeat(2 ** 27))", "throw|memory|timeout"],
  [
    "a looping stack getter",
    "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e",
    "timeout",
  ],
  ["a frozen object", "throw Object.freeze({})", "throw"],
  ["undefined", "throw undefined", "throw"],
  ["a value whose text throws", "throw { get name() { throw 1 } }", "throw"],
])("%s thrown is bounded", async (_name, body, kind) => {
  const { outcome } = await worker.run(script(body), { limits: { timeoutMs: 500 } });
  expect(outcome.fault?.kind).toMatch(new RegExp(`^(?:${kind})$`));
  expect(outcome.fault?.message.length ?? 0).toBeLessThanOrEqual(1000);
});

test.each([
  "Object.prototype.then = 1; Promise.prototype.then = null; Function.prototype.call = null; Function.prototype.apply = null",
  "JSON.stringify = JSON.parse = Reflect.apply = eval = String = null",
  "Object.defineProperty(Array.prototype, 0, { set() { for (;;); }, configurable: true })",
  "String.prototype.slice = () => 'x'.repeat(1e8); Array.prototype.join = Array.prototype.map = String.prototype.slice",
  "Error.prepareStackTrace = () => { for (;;); }; Error.stackTraceLimit = 1e9",
])("poisoned built-ins stay the script's own problem: %s", async (poison) => {
  const source = script(`if (msg.Subject === "poison") { ${poison} } throw new Error("told")`);
  const first = await worker.run(source, { message: "Subject: poison\r\n\r\n", limits });
  expect(first.outcome.fault).toBeDefined();
  expect(first.outcome.fault?.message.length).toBeLessThanOrEqual(1000);
  expect(
    (await worker.run(script("console.log([1, 2].map(String).join()); return 1"))).outcome,
  ).toMatchObject({ verdict: 1, logs: [{ text: "1,2" }] });
});

test.each([
  "this.constructor.constructor('return typeof process')()",
  "msg.constructor.constructor('return typeof process')()",
  "msg.Fields.Item.constructor('return typeof process')()",
  "(() => { try { null.x } catch (e) { return e.constructor.constructor('return typeof process')() } })()",
  "(() => { try { msg.SentOn = 1 } catch (e) { return e.constructor.constructor('return typeof process')() } })()",
])("%s finds no process", async (code) => {
  expect((await worker.run(script(`console.log(${code})`))).outcome.logs[0]?.text).toBe("undefined");
});
