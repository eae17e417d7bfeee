// Many scripts at once: slow ones beside quick ones, and a thousand on one event (FAULTS X32, X33).
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Wall } from "../sandbox/wall/wall.ts";

const TIMEOUT_MS = 1000;
const SLOW = 20;
const SCRIPTS = 1000;
const QUICK = `msg.Fields.Item("urn:schemas:mailheader:x-seen").Value = "yes"; msg.Fields.Update(); msg.DataSource.Save();`;
/** Legal, also on a machine that is busy with other things. */
const DAWDLING = `const end = Date.now() + ${TIMEOUT_MS * 0.6}; while (Date.now() < end); msg.Subject = "slow"; msg.DataSource.Save();`;

test("X32 scripts that use most of their time all get it, and messages of a quick script pass between them", async () => {
  const slow = Object.fromEntries(
    Array.from({ length: SLOW }, (_, index) => [`slow${index}`, `${DAWDLING} // ${index}`]),
  );
  const wall = await Wall.start(
    { ...slow, quick: QUICK },
    { timeoutMs: TIMEOUT_MS, cpuMs: TIMEOUT_MS },
    { processes: 2 },
  );
  await using _ = { [Symbol.asyncDispose]: () => wall.stop() };
  for (const name of ["quick", ...Object.keys(slow)]) expect((await wall.run(name)).fault).toBeUndefined();

  const slowOnes = { left: 2 * SLOW };
  const all = Promise.all(
    Array.from({ length: slowOnes.left }, async (_unused, index) => {
      const outcome = await wall.run(`slow${index % SLOW}`);
      slowOnes.left -= 1;
      return outcome;
    }),
  );
  let passed = 0;
  while (slowOnes.left > 0) {
    expect((await wall.run("quick")).fault).toBeUndefined();
    passed += 1;
    await sleep(20);
  }
  expect((await all).filter(({ fault }) => fault !== undefined)).toEqual([]);
  // In one line behind all of them it would have been its turn once.
  expect(passed).toBeGreaterThan(2);
  console.log(`${passed} messages of the quick script passed while ${2 * SLOW} slow ones were served`);
});

test("X33 a thousand scripts on one message run in their order, each on what the one before left", async () => {
  const names = Array.from({ length: SCRIPTS }, (_, index) => `s${String(index).padStart(4, "0")}`);
  const body = (index: number): string =>
    `const n = Number(/\\d+$/.exec(msg.Subject)?.[0] ?? -1); if (n !== ${index - 1}) throw new Error("found " + msg.Subject); msg.Subject = "after ${index}"; msg.DataSource.Save();`;
  const wall = await Wall.start(
    Object.fromEntries(names.map((name, index) => [name, body(index)])),
    {},
    { processes: 1, processMemoryMb: 4096 },
  );
  await using _ = { [Symbol.asyncDispose]: () => wall.stop() };
  const { outcomes } = await wall.runAll(names);
  expect(outcomes.map(({ fault }) => fault?.message).filter((fault) => fault !== undefined)).toEqual([]);
  expect(outcomes).toHaveLength(SCRIPTS);
});
