// Memory outside of the heap: what a script may take of it, what it may leave, and how that is measured.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_WORKER_SETTINGS } from "../../../src/sandbox/worker/settings.ts";
import { MESSAGE, outcomesOf, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

/** So many buffers of 1 MB, written to. */
const keep = (megabytes: number): string =>
  `globalThis.kept ??= []; for (let i = 0; i < ${megabytes}; i++) kept.push(new Uint8Array(1 << 20).fill(1));`;
const TIME = { timeoutMs: 20_000, cpuMs: 20_000 };

describe("X07 a script that takes nothing but buffers", () => {
  test("is ended when there is no more room, as a fault of memory with its line", async () => {
    const source = "function onArrival() {\n  for (const a = [];;)\n    a.push(new ArrayBuffer(1 << 20));\n}";
    const { outcome } = await worker.run(source, { limits: { ...TIME, memoryMb: 32 } });
    expect(outcome.fault).toMatchObject({
      kind: "memory",
      message: "the script needed more than its 32 MB of memory: there was no room for another buffer",
      line: 3,
    });
  });

  test("is ended by externalMb when it keeps more than that, and starts anew with the next message", async () => {
    const limits = { ...TIME, memoryMb: 64, externalMb: 16 };
    const source = script(
      `if (msg.Subject === "greedy") { ${keep(24)} } return globalThis.kept === undefined ? 1 : 0`,
    );
    const { outcome } = await worker.run(source, { limits, message: "Subject: greedy\r\n\r\n" });
    expect(outcome.fault).toMatchObject({
      kind: "memory",
      message: expect.stringMatching(/^the script kept 2[4-6] MB in buffers .* may keep 16 \(externalMb\)$/),
    });
    expect((await worker.run(source, { limits })).outcome).toMatchObject({ verdict: 1 });
  });

  test("may keep as much as memoryMb when externalMb is not set, and less is no fault", async () => {
    expect((await worker.run(script(keep(24)), { limits: TIME })).outcome.fault).toBeUndefined();
    const limits = { ...TIME, externalMb: 32 };
    expect((await worker.run(script(keep(24)), { limits })).outcome.fault).toBeUndefined();
  });

  test("is not blamed for its garbage", async () => {
    const wasteful = script("for (let i = 0; i < 30; i++) new Uint8Array(1 << 20).fill(1)");
    const { outcome } = await worker.run(wasteful, { limits: { ...TIME, externalMb: 4 } });
    expect(outcome.fault).toBeUndefined();
  });

  test("is ended while it waits for an answer, too", async () => {
    const source = `export default async function onArrival() { ${keep(24)} await kv.get("k"); }`;
    const calls = await worker.calls([source], {
      limits: { ...TIME, externalMb: 16 },
      call: { allow: { kv: true } },
    });
    const turn = await worker.start(Buffer.from(MESSAGE), calls);
    expect(outcomesOf(turn)[0]?.fault).toMatchObject({ kind: "memory" });
  });
});

test("the heap is told after a long run, also when nobody asked for it", async () => {
  const busy = script(
    `const end = Date.now() + ${Math.ceil(DEFAULT_WORKER_SETTINGS.measureAfterMs) + 2}; while (Date.now() < end);`,
  );
  expect((await worker.run(busy)).outcome.heapBytes).toBeGreaterThan(100_000);
});
