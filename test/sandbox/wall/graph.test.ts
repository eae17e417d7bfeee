// Everything that a script can reach, walked from inside: nothing of the host, nothing of isolated-vm, no path of this machine.
import { readFile } from "node:fs/promises";
import { createContext, runInContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Wall } from "./wall.ts";

/** Names of native functions and tags of objects that the bare language has: of a context without anything in it. */
const LANGUAGE = String.raw`
  const names = new Set(), tags = new Set(), seen = new Set();
  const visit = (object) => {
    if ((typeof object !== "object" && typeof object !== "function") || object === null || seen.has(object)) return;
    seen.add(object);
    if (typeof object === "function") names.add(object.name);
    tags.add(Object.prototype.toString.call(object));
    visit(Object.getPrototypeOf(object));
    for (const key of Reflect.ownKeys(object)) {
      const { get, set, value } = Object.getOwnPropertyDescriptor(object, key);
      for (const one of [get, set, value]) visit(one);
    }
  };
  visit(globalThis);
  for (const sample of [(function* () {})(), (async function* () {})(), async () => {}, Promise.resolve(), [][Symbol.iterator](),
    ""[Symbol.iterator](), new Map().entries(), new Set().values(), "".matchAll(/x/g), /x/, new Date(), Iterator.from({ next() {} }),
    (function () { return arguments; })(), new Error(), new Uint8Array(1)]) visit(sample);
  JSON.stringify({ names: [...names], tags: [...tags] })`;

let wall: Wall;
beforeAll(async () => {
  const walk = await readFile(new URL("graph-walk.js", import.meta.url), "utf8");
  const language = runInContext(LANGUAGE, createContext({}));
  const header = `const LANGUAGE = ${language};\nconst KNOWN = new Set(LANGUAGE.names), TAGS = new Set(LANGUAGE.tags);\n`;
  wall = await Wall.start(
    { walk: header + walk },
    { timeoutMs: 8000, cpuMs: 8000, logLines: 1000, logBytes: 1_000_000 },
  );
});
afterAll(() => wall.stop());

describe("what a script can reach", () => {
  test("X20 holds no object of the host or of isolated-vm, and no text or stack names a path of the machine", async () => {
    const first = await wall.logged("walk");
    expect(first.slice(0, -1)).toEqual([]);
    expect(Number(/walked (\d+) objects/.exec(first.at(-1) ?? "")?.[1])).toBeGreaterThan(1000);
    // What promises and generators brought afterwards.
    const second = await wall.logged("walk");
    expect(second.slice(0, -1)).toEqual([]);
  });
});
