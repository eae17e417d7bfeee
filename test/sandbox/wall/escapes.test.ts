// Escapes: the public attack classes of vm2 and of hosts of isolated-vm, in real sandbox processes.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CALLERS, chainOf, CONSTRUCTOR_CHAINS, HOST_GLOBALS, IMPORTS, STACKS } from "./escapes.ts";
import { Wall } from "./wall.ts";

const name = (title: string): string => title.replaceAll(/\W+/g, "-");
const byName = (scripts: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(scripts).map(([title, body]) => [name(title), body]));

const chains = Object.fromEntries(
  Object.entries(CONSTRUCTOR_CHAINS).map(([title, expression]) => [title, chainOf(expression)]),
);
/** What JavaScript may do on its own, but must do with values of the isolate only. */
const DETOURS: Readonly<Record<string, string>> = {
  "a thenable answer": `return { then(resolve) { resolve.constructor("return process")(); } };`,
  "a promise whose then is replaced": `const p = Promise.resolve(0); p.then = (f) => { f.constructor("return process")(); }; return p;`,
  "a promise of another species": `class P extends Promise { static get [Symbol.species]() { return function (run) { run((v) => v, (v) => v); return {}; }; } }
    return new P((resolve) => resolve(0));`,
  "a replaced Promise.prototype.then": `Promise.prototype.then = function (f, g) { f?.constructor("return process")(); }; return Promise.resolve(0);`,
  "the return of an async generator": `async function* g() { try { yield 1; } finally { await { get then() { throw (() => {}).constructor("return process")(); } }; } }
    const it = g(); await it.next(); await it.return(0); return 0;`,
  "a verdict with valueOf": `return { valueOf: () => 1, [Symbol.toPrimitive]: () => 1 };`,
};

let wall: Wall;
beforeAll(async () => {
  wall = await Wall.start(
    {
      ...byName(chains),
      ...byName(STACKS),
      ...byName(CALLERS),
      ...byName(
        Object.fromEntries(
          Object.entries(DETOURS).map(([title, body]) => [
            title,
            `async function onArrival(msg) { ${body} }`.replace(/^async (?!.*await)/s, ""),
          ]),
        ),
      ),
      globals: `console.log(${JSON.stringify(HOST_GLOBALS)}.filter((name) => typeof globalThis[name] !== "undefined").join());`,
      imports: `for (const name of ${JSON.stringify(IMPORTS)}) for (const how of [(n) => (0, eval)("import(" + JSON.stringify(n) + ")"),
        (n) => new Function("n", "return import(n)")(n)])
        how(name).then((m) => console.log("GOT", name, Object.keys(m).join()), () => {});
      return new Promise((resolve) => { let turns = 0; const turn = () => (turns++ < 50 ? Promise.resolve().then(turn) : resolve(0)); turn(); });`,
    },
    { timeoutMs: 500, cpuMs: 500 },
  );
});
afterAll(() => wall.stop());

describe("X19 a constructor reached", () => {
  test.each(Object.keys(chains))("%s makes functions of the isolate only", async (title) => {
    const [got] = await wall.logged(name(title));
    expect(got).toBe("clean");
  });
});

describe("X19 a stack", () => {
  test.each(Object.keys(STACKS))("shows neither call sites nor paths: %s", async (title) => {
    const [seen] = await wall.logged(name(title));
    expect(seen).toBe("clean");
  });
});

describe("X19 X20 the callers", () => {
  test.each(Object.keys(CALLERS))("of a function of the script are its own: %s", async (title) => {
    const said = await wall.logged(name(title));
    expect(new Set(said.filter((text) => text.startsWith("callers")))).toEqual(new Set(["callers: none"]));
  });
});

describe("X19 X15 a detour of an answer", () => {
  test.each(Object.keys(DETOURS))("reaches nothing: %s", async (title) => {
    const { fault, verdict } = await wall.run(name(title));
    expect(fault === undefined || ["throw", "invalid", "timeout"].includes(fault.kind)).toBe(true);
    expect(fault?.message ?? "").not.toMatch(/file:|node:|node_modules|src\//);
    expect(verdict).toBe(0);
  });
});

test("X19 X21 no global of a host is there", async () => {
  expect(await wall.logged("globals")).toEqual([""]);
});

test("X19 import() loads nothing, whatever it names", async () => {
  expect(await wall.logged("imports")).toEqual([]);
});
