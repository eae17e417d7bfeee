// limits.memoryMb is of the binding: the same version of a script may run for several, or for one that was changed.
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_SCRIPT_LIMITS } from "../../../runtime/contract.ts";
import { MESSAGE, outcomesOf, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

/** Needs some 24 MB, and says how many messages its isolate has had. */
const NEEDS_ROOM = script(
  "const kept = []; for (let i = 0; i < 1e6; i++) kept.push({ i }); console.log((globalThis.calls = (globalThis.calls ?? 0) + 1));",
);

test("each call has the memory of its own binding, whichever was first", async () => {
  const [call] = await worker.calls([NEEDS_ROOM]);
  if (call === undefined) throw new Error("no call");
  const faults: unknown[] = [];
  const logs: unknown[] = [];
  for (const memoryMb of [8, 128, 8, 256, 128, 256]) {
    const limits = { ...DEFAULT_SCRIPT_LIMITS, timeoutMs: 20_000, cpuMs: 20_000, memoryMb };
    const [outcome] = outcomesOf(await worker.start(Buffer.from(MESSAGE), [{ ...call, limits }]));
    faults.push(outcome?.fault?.message.replace(/^.*needed/, "needed"));
    logs.push(outcome?.logs[0]?.text);
  }
  const tooMuch = "needed more than its 8 MB of memory";
  expect(faults).toEqual([tooMuch, undefined, tooMuch, undefined, undefined, undefined]);
  expect(logs).toEqual([undefined, "1", undefined, "1", "2", "2"]);
});
