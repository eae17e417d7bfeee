// The line of the script in faults that the script did not throw: time, memory and other limits.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WorkerUnderTest, outcomesOf } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start({ loadTimeoutMs: 100 });
});
afterAll(() => worker.stop());

const limits = { timeoutMs: 100, cpuMs: 100 };
const MEMORY = { memoryMb: 16, timeoutMs: 5000, cpuMs: 5000 };
const HUNGRY = "globalThis.a = []; for (let i = 0; i < 200; i++) a.push(new Array(100000).fill(i))";

describe("a fault names the line where", () => {
  test("X01 a loop was when its time was over", async () => {
    const source = "function wait() {\n  for (;;);\n}\nfunction onArrival() {\n  wait();\n}";
    const { outcome } = await worker.run(source, { limits });
    expect(outcome.fault).toMatchObject({ kind: "timeout", line: 2 });
    expect(outcome.fault?.stack).toContain(":5:");
  });

  test("X02 a loop behind an await was", async () => {
    const source = "async function onArrival() {\n  await 0;\n  for (;;);\n}";
    const { outcome } = await worker.run(source, { limits });
    expect(outcome.fault).toMatchObject({ kind: "timeout", line: 3 });
  });

  test("X02 the last edit was, in a loop of microtasks, and says so", async () => {
    const source = "async function onArrival(msg) {\n  msg.Subject = 'x';\n  for (;;)\n    await 0;\n}";
    const { outcome } = await worker.run(source, { limits });
    const { kind, line, message, stack } = outcome.fault ?? {};
    expect(kind).toBe("timeout");
    // Mostly it ends between two microtasks. When it ends in one, its own place is known, be it the head of the function.
    if (stack === undefined) {
      expect(line).toBe(2);
      expect(message).toContain("; the line is that of its last edit or request");
    } else expect([1, 3, 4]).toContain(line);
  });

  test("a loop at the top level was, before the script had loaded", async () => {
    const { outcome } = await worker.run("\nfor (;;);\nfunction onArrival() {}");
    expect(outcome.fault).toMatchObject({ kind: "timeout", line: 2 });
  });

  test.each([
    ["hostCalls", { hostCalls: 10 }, "msg.Organization"],
    ["growthBytes", { growthBytes: 1000 }, "msg.TextBody = 'x'.repeat(1001)"],
    ["headerBytes", {}, "msg.Subject = 'ü'.repeat(8e6)"],
    ["headerBytes", {}, "msg.To = 'ü'.repeat(8e6)"],
    [
      "headerBytes",
      {},
      "{ msg.Fields('urn:schemas:mailheader:content-disposition').Value = 'a; filename=' + 'ü'.repeat(4e6); msg.Fields.Update() }",
    ],
  ])("a script went beyond %s, also when it catches what is thrown at it", async (name, limit, statement) => {
    const caught = `function onArrival(msg) {\n  try {\n    for (;;)\n      ${statement};\n  } catch {}\n}`;
    const { outcome } = await worker.run(caught, { limits: limit });
    expect(outcome.fault).toMatchObject({
      kind: "limit",
      message: expect.stringContaining(name),
      line: 4,
    });
  });

  test("its time was over in calls of the host", async () => {
    const source = "function onArrival(msg) {\n  for (;;)\n    try { msg.Organization } catch {}\n}";
    const { outcome } = await worker.run(source, { limits: { ...limits, hostCalls: 1e9 } });
    expect(outcome.fault).toMatchObject({ kind: "timeout", line: 3 });
  });

  test("the script made its last edit, when its memory was used up", async () => {
    const source = `function onArrival(msg) {\n  msg.Subject = 'x';\n  ${HUNGRY}\n}`;
    const { outcome } = await worker.run(source, { limits: MEMORY });
    expect(outcome.fault).toMatchObject({
      kind: "memory",
      line: 2,
      message: expect.stringContaining("the line is that of its last edit or request"),
    });
  });
});

test.each([
  ["an error", 'throw new TypeError("no such user")', "TypeError: no such user"],
  [
    "an error that speaks of time",
    'throw new Error("the upstream timed out")',
    "Error: the upstream timed out",
  ],
  ["an error that speaks of memory", 'throw new Error("no memory of it")', "Error: no memory of it"],
])("a rejection that nobody handles is told with its place: %s", async (_what, statement, reason) => {
  const source = `async function look() {\n  ${statement};\n}\nfunction onArrival() {\n  look();\n}`;
  // Frames of our own files are not taken for those of a script of that name.
  await worker.load(source, { name: "main.ts" });
  const { outcome } = await worker.run(source);
  const message = `a promise was rejected and nobody handled it: ${reason}`;
  expect(outcome.fault).toMatchObject({ kind: "throw", line: 2, message });
  expect(outcome.fault?.stack).toMatch(/:5:/);
  expect(outcome.fault?.stack).not.toContain("file:");
});

test("a text that a promise was rejected with is told", async () => {
  const { outcome } = await worker.run('function onArrival() {\n  Promise.reject("not today");\n}');
  expect(outcome.fault?.message).toBe("a promise was rejected and nobody handled it: not today");
});

test("a place that nobody knows is not made up", async () => {
  const { outcome } = await worker.run(`function onArrival() {\n  ${HUNGRY}\n}`, { limits: MEMORY });
  expect(outcome.fault).toMatchObject({ kind: "memory" });
  expect(outcome.fault?.line).toBeUndefined();
  expect(outcome.fault?.message).not.toContain("line");
});

test("a request that is waited for too long names its own line", async () => {
  const source = `async function onArrival() {\n  const first = kv.get("a");\n  await kv.get("b");\n}`;
  const turn = await worker.start(
    Buffer.from("Subject: s\r\n\r\n"),
    await worker.calls([source], { call: { allow: { kv: true } } }),
  );
  const [outcome] = outcomesOf(await worker.abandon(turn.head.job));
  expect(outcome?.fault).toMatchObject({ kind: "timeout", line: 2, message: expect.stringContaining("kv") });
});
