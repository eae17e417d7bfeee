// A version that is evaluated when it is loaded, so that its first message finds it ready.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

const evaluated = { evaluate: true } as const;
/** Longer than the process waits before it makes a spare isolate. */
const SPARE_IS_MADE_MS = 200;

const born = (note: string): string => `const born = String(Math.random()); // ${note}
export const binding = { displayName: born };
globalThis.left = (globalThis.left ?? "") + "${note}";
export default function onArrival() { console.log(born, globalThis.left); }`;

test("its context is that of the first message, and nothing of another script is in it", async () => {
  for (const note of ["one", "two", "three"]) {
    const { binding } = await worker.load(born(note), evaluated);
    const { outcome } = await worker.run(born(note));
    expect(outcome.logs[0]?.text).toBe(`${(binding as { displayName: string }).displayName} ${note}`);
    await sleep(SPARE_IS_MADE_MS);
  }
});

test("what it read of its secrets at load is read again by a call that has others", async () => {
  const source = `import { secret } from "cdo"; const token = secret("TOKEN");
    export default function onArrival() { console.log("token", token); }`;
  expect(await worker.load(source, evaluated)).toMatchObject({ needs: ["secret TOKEN"] });
  const { outcome } = await worker.run(source, {
    call: { allow: { secrets: ["TOKEN"] }, secrets: { TOKEN: "s3cret" } },
  });
  expect(outcome.logs[0]?.text).toBe("token s3cret");
});

test("R03: one that fails is told, and the next one is looked at as ever", async () => {
  const { fault } = await worker.load('throw new Error("no");', evaluated);
  expect(fault).toMatchObject({ kind: "load", message: expect.stringContaining("no") });
  expect(await worker.load(born("after"), evaluated)).toMatchObject({ entryPoint: "default" });
});
