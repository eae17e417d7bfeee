// What the context of one script shares with others and with the runtime: nothing.
import { afterAll, beforeAll, expect, test } from "vitest";
import { logged, script, WorkerUnderTest } from "./support.ts";

let worker: WorkerUnderTest;
beforeAll(async () => {
  worker = await WorkerUnderTest.start();
});
afterAll(() => worker.stop());

test("X20 a script gets no function of the runtime as its caller", async () => {
  const callers =
    "console.log(String(onArrival.caller), String((function () { return arguments.callee.caller.caller; })()));";
  expect(await logged(worker, callers)).toEqual(["null null"]);
});

test("X20 what one script makes of the language and of the runtime is in no isolate of another", async () => {
  const spoil = `String.prototype.trim = () => "spoilt"; Object.prototype.spoilt = 1; console.log = 1; CDO = undefined;
    Math.random = () => 4; globalThis.spoilt = 1; function onArrival() {}`;
  expect((await worker.run(spoil)).outcome.fault).toBeUndefined();
  expect(
    await logged(
      worker,
      `console.log(" a ".trim(), {}.spoilt, typeof spoilt, typeof CDO, Math.random() < 1)`,
    ),
  ).toEqual(["a undefined undefined object true"]);
});

test("an error of the runtime is told with the place in the script", async () => {
  const { outcome } = await worker.run(script("\n  msg.Fields.Item('no such name').Value = 1;"));
  expect(outcome.fault).toMatchObject({ kind: "throw", line: 3 });
});

test("beyond maxIsolates the one that was not used for longest goes, and its script begins anew", async () => {
  const few = await WorkerUnderTest.start({ maxIsolates: 2 });
  try {
    const counting = (name: string): string =>
      `let ${name} = 0; function onArrival() { ${name} += 1; console.log(${name}); }`;
    const seen: unknown[] = [];
    for (const name of ["a", "b", "a", "c", "a", "b"]) {
      // oxlint-disable-next-line no-await-in-loop -- one message after the other
      const { outcome } = await few.run(counting(name));
      seen.push(`${name}${outcome.logs[0]?.text}`);
    }
    expect(seen).toEqual(["a1", "b1", "a2", "c1", "a3", "b1"]);
  } finally {
    await few.stop();
  }
});
