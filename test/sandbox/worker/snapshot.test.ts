// Isolates that begin with a snapshot of the runtime beside those that evaluate it: a script cannot tell one from the other.
import { afterAll, beforeAll, expect, test } from "vitest";
import { REFUSES_SNAPSHOT } from "../refuses-snapshot.ts";
import { logged, script, WorkerUnderTest } from "./support.ts";

let fromSnapshot: WorkerUnderTest;
let evaluated: WorkerUnderTest;
beforeAll(async () => {
  [fromSnapshot, evaluated] = await Promise.all([
    WorkerUnderTest.start({ isolatesBeforeSnapshot: 0 }),
    WorkerUnderTest.start({ isolatesBeforeSnapshot: 0, snapshot: false }),
  ]);
});
afterAll(() => Promise.all([fromSnapshot.stop(), evaluated.stop()]));

/** A line for each object in reach, and for each of its members: where it is, what it is, and who may change it. */
const WALK = `
  const seen = new Map(), queue = [], lines = [];
  const shown = (value, path) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null)
      return typeof value === "symbol" ? "symbol" : typeof value + " " + String(value).slice(0, 60);
    if (!seen.has(value)) { seen.set(value, path); queue.push(value); }
    return typeof value + " " + seen.get(value);
  };
  for (const [name, value] of Object.entries({ globalThis, msg, fields: msg.Fields, status, event, error: new Error("x"), generator: function* () {},
    iterator: [][Symbol.iterator](), promise: (async () => {})(), bytes: new Uint8Array(1), parts: msg.BodyPart.BodyParts, made: new CDO.Message() }))
    shown(value, name);
  while (queue.length > 0) {
    const object = queue.shift(), path = seen.get(object);
    const state = Object.isExtensible(object) ? "open" : "closed";
    lines.push([path, Object.prototype.toString.call(object), state, shown(Object.getPrototypeOf(object), path + ".__proto__")]);
    for (const key of Reflect.ownKeys(object)) {
      const at = path + "." + String(key);
      const { get, set, value, ...rights } = Reflect.getOwnPropertyDescriptor(object, key);
      const members = key === "stack" ? [] : [shown(value, at), shown(get, at + ".get"), shown(set, at + ".set")];
      lines.push([at, JSON.stringify(rights), ...members]);
    }
  }
  for (const line of lines) console.log(line.join(" "));`;

test("every object that a script can reach has the same members with the same rights", async () => {
  const limits = { timeoutMs: 8000, cpuMs: 8000, logLines: 100_000, logBytes: 20_000_000 };
  const [wanted, found] = await Promise.all([
    logged(evaluated, WALK, { limits }),
    logged(fromSnapshot, WALK, { limits }),
  ]);
  expect(wanted.length).toBeGreaterThan(3000);
  // Names are added to the global object in another order.
  expect(new Set(found)).toEqual(new Set(wanted));
});

test("X20 a script gets no function of the runtime as its caller", async () => {
  const callers =
    "console.log(String(onArrival.caller), String((function () { return arguments.callee.caller.caller; })()));";
  for (const worker of [evaluated, fromSnapshot])
    // oxlint-disable-next-line no-await-in-loop -- one process after the other
    expect(await logged(worker, callers)).toEqual(["null null"]);
});

test("chance and time are of the context, not of the snapshot", async () => {
  const born = script("console.log(Math.random(), crypto.randomUUID(), Date.now());");
  const lines: string[] = [];
  for (const note of ["one", "two", "three"]) {
    // oxlint-disable-next-line no-await-in-loop -- each in an isolate of its own
    const { outcome } = await fromSnapshot.run(`${born}\n// ${note}`);
    lines.push(outcome.logs[0]?.text ?? "");
  }
  const columns = [0, 1].map((column) => lines.map((line) => line.split(" ")[column]));
  for (const values of columns) expect(new Set(values).size).toBe(3);
  for (const line of lines) expect(Math.abs(Number(line.split(" ")[2]) - Date.now())).toBeLessThan(60_000);
});

test("X20 what one script makes of the language and of the runtime is in no isolate of another", async () => {
  const spoil = `String.prototype.trim = () => "spoilt"; Object.prototype.spoilt = 1; console.log = 1; CDO = undefined;
    Math.random = () => 4; globalThis.spoilt = 1; function onArrival() {}`;
  expect((await fromSnapshot.run(spoil)).outcome.fault).toBeUndefined();
  expect(
    await logged(
      fromSnapshot,
      `console.log(" a ".trim(), {}.spoilt, typeof spoilt, typeof CDO, Math.random() < 1)`,
    ),
  ).toEqual(["a undefined undefined object true"]);
});

test("an error of the runtime is told with the place in the script", async () => {
  const source = script("\n  msg.Fields.Item('no such name').Value = 1;");
  const faults = await Promise.all(
    [fromSnapshot, evaluated].map(async (worker) => (await worker.run(source)).outcome.fault),
  );
  expect(faults[0]).toEqual(faults[1]);
  expect(faults[0]).toMatchObject({ kind: "throw", line: 3 });
});

test("one snapshot is made, and none where the operator wants none", async () => {
  for (const worker of [fromSnapshot, evaluated])
    // oxlint-disable-next-line no-await-in-loop -- each has made an isolate then
    expect((await worker.run(script("return 1; // another isolate"))).outcome.verdict).toBe(1);
  expect(fromSnapshot.snapshotFrames.map(({ step }) => step)).toEqual(["begun", "made"]);
  expect(evaluated.snapshotFrames).toEqual([]);
});

test("the time that it takes is none of the call that came then", async () => {
  const slowMs = 400;
  const slow = `{ const end = Date.now() + ${slowMs}; while (Date.now() < end); }`;
  const worker = await WorkerUnderTest.start({ isolatesBeforeSnapshot: 0 }, slow);
  try {
    const { outcome } = await worker.run(script("return 1;"));
    expect(outcome.verdict).toBe(1);
    expect(worker.snapshotFrames).toHaveLength(2);
    expect(outcome.micros).toBeLessThan(slowMs * 1000);
  } finally {
    await worker.stop();
  }
});

test("where it cannot be made scripts run without it, and the relay is told once", async () => {
  const worker = await WorkerUnderTest.start({ isolatesBeforeSnapshot: 0 }, REFUSES_SNAPSHOT);
  try {
    for (const verdict of [0, 1])
      // oxlint-disable-next-line no-await-in-loop -- each in an isolate of its own
      expect((await worker.run(script(`return ${verdict};`))).outcome).toMatchObject({ verdict });
    expect(worker.snapshotFrames).toEqual([
      { type: "snapshot", step: "begun" },
      { type: "snapshot", step: "refused", reason: expect.stringContaining("refused here") },
    ]);
  } finally {
    await worker.stop();
  }
});
