// Prototype pollution and replaced built-ins: this call works or fails cleanly, and the next message finds a clean language.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Wall } from "./wall.ts";

/** What a script may do to its language while it works on a message. */
const POISONS: Readonly<Record<string, string>> = {
  "Object.prototype.then": "Object.prototype.then = 1;",
  "Object.prototype as property descriptor":
    "Object.prototype.get = Object.prototype.set = Object.prototype.value = () => 1;",
  "a hidden Object.prototype.value":
    "Object.defineProperty(Object.prototype, 'value', { value: 1, writable: true, configurable: true });",
  "Object.prototype.toJSON": "Object.prototype.toJSON = () => { for (;;); };",
  "a setter on Array.prototype[0]":
    "Object.defineProperty(Array.prototype, 0, { set() { for (;;); }, configurable: true });",
  "Array.prototype.map and join":
    "Array.prototype.map = Array.prototype.join = () => { throw new Error('mine'); };",
  "Array.prototype.push": "Array.prototype.push = () => 0;",
  "the array iterator": "Array.prototype[Symbol.iterator] = function* () {};",
  "the next of array iterators": "[][Symbol.iterator]().__proto__.next = () => ({ done: true });",
  "String.prototype":
    "String.prototype.slice = String.prototype.replaceAll = String.prototype.trim = String.prototype.toLowerCase = () => 'x';",
  "a getter for String.prototype.split":
    "Object.defineProperty(String.prototype, 'split', { get() { throw 1; }, configurable: true });",
  "Function.prototype.call, apply and bind":
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = null;",
  "JSON, Reflect and eval":
    "JSON.stringify = JSON.parse = Reflect.apply = Reflect.get = () => '\"mine\"'; globalThis.eval = null;",
  "String, Number and Object themselves":
    "globalThis.String = globalThis.Number = globalThis.Object = () => 'mine';",
  "Promise.prototype.then": "Promise.prototype.then = function () { for (;;); };",
  "Promise itself": "globalThis.Promise = class { then() {} };",
  "Map and Set": "Map.prototype.get = Map.prototype.set = Set.prototype.has = () => undefined;",
  "RegExp.prototype.exec": "RegExp.prototype.exec = () => null;",
  Error: "globalThis.Error = null; TypeError.prototype.name = { toString() { for (;;); } };",
  "frozen Object.prototype":
    "Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(Error);",
  "toString of functions and errors":
    "Function.prototype.toString = Error.prototype.toString = () => 'mine';",
  "everything deleted":
    "for (const key of Reflect.ownKeys(globalThis)) try { delete globalThis[key]; } catch {}",
};

const name = (title: string): string => title.replaceAll(/\W+/g, "-");
const WORK = `
  const field = msg.Fields.Item("urn:schemas:mailheader:x-wall");
  field.Value = [msg.From, msg.To, msg.TextBody.trim()].map((text) => text.length).join();
  msg.Fields.Update();
  msg.DataSource.Save();
  console.log(JSON.stringify({ names: msg.Fields.Count > 3, text: String(msg.TextBody).trim() }), [1, 2]);
  return Promise.resolve(0);`;
const WORKED_TEXT = `{"names":true,"text":"Hello."} [1, 2]`;

let wall: Wall;
beforeAll(async () => {
  const scripts = Object.entries(POISONS).map(([title, poison]) => [
    name(title),
    `if (msg.Subject === "poison") { ${poison} }\n${WORK}`,
  ]);
  wall = await Wall.start(
    {
      ...Object.fromEntries(scripts),
      polyfill: `String.prototype.shout = function () { return this.toUpperCase() + "!"; };
        var uses = 0;
        function onArrival(msg) { uses += 1; console.log(msg.Subject.shout() + uses); }`,
      leak: `var seen = globalThis.seen ?? []; globalThis.seen = seen; let kept;
        function onArrival(msg) { seen.push(msg.Subject); kept = msg; console.log(seen.join()); }`,
      later: `let kept;
        function onArrival(msg) {
          const before = kept; kept = msg;
          if (before === undefined) { Promise.resolve().then(() => { msg.Subject = "late"; msg.DataSource.Save(); }).catch(() => {}); return; }
          try { before.Subject = "mine"; before.DataSource.Save(); console.log("changed"); } catch (error) { console.log(error.name); }
        }`,
      other: `console.log(typeof globalThis.seen, typeof "".shout); return 0;`,
    },
    { timeoutMs: 600, cpuMs: 600 },
  );
});
afterAll(() => wall.stop());

const poisoned =
  "Subject: poison\r\nFrom: Ann <ann@example.com>\r\nTo: Bob <bob@example.net>\r\n\r\nHello.\r\n";

describe("X17 poison", () => {
  test.each(Object.keys(POISONS))(
    "%s fails this call at most, and the next message is processed whole",
    async (title) => {
      const first = await wall.run(name(title), { message: poisoned });
      expect(first.fault?.message.length ?? 0).toBeLessThanOrEqual(1100);
      expect(first.fault?.message ?? "").not.toMatch(/file:|node_modules|src\//);
      if (first.fault !== undefined) expect(first.splices).toBeUndefined();
      for (const message of ["second", "third"]) {
        const next = await wall.run(name(title), { message: poisoned.replace("poison", message) });
        expect(next.fault).toBeUndefined();
        expect(next.logs.map(({ text }) => text)).toEqual([WORKED_TEXT]);
        expect(next.splices?.map(({ bytes }) => bytes.toString()).join("")).toMatch(/x-wall: 21,21,6/i);
      }
    },
  );

  test("what a script adds to built-ins while it is loaded stays, and costs it no context", async () => {
    // The first message of a version goes to another process than the later ones.
    await wall.run("polyfill");
    expect(await wall.logged("polyfill")).toEqual(["WALL!1"]);
    expect(await wall.logged("polyfill")).toEqual(["WALL!2"]);
  });
});

describe("X18 state", () => {
  test("of a script stays in its warm context, and is gone for a binding that is not cacheable", async () => {
    await wall.run("leak");
    expect(await wall.logged("leak")).toEqual(["wall"]);
    expect(await wall.logged("leak")).toEqual(["wall,wall"]);
    expect(await wall.logged("leak", { cacheable: false })).toEqual(["wall"]);
    expect(await wall.logged("leak", { cacheable: false })).toEqual(["wall"]);
  });

  test("never reaches another script", async () => {
    expect(await wall.logged("other")).toEqual(["undefined undefined"]);
  });

  test("X30 a message kept from an earlier call is closed, and what a promise changes after the answer is ignored", async () => {
    await wall.run("later");
    const first = await wall.run("later");
    expect(first.fault).toBeUndefined();
    expect(first.splices).toBeUndefined();
    const second = await wall.run("later");
    expect(second.logs.map(({ text }) => text)).toEqual(["CDO_E_INACTIVE"]);
    expect(second.splices).toBeUndefined();
  });
});
