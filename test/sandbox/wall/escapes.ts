// The classes of escapes that same-heap sandboxes and hosts of isolates fell to, each written anew as one expression.
// Every one answers what it got hold of; "function" or "object" of `process` would be the host.

const REACH = "return typeof process + typeof require + typeof globalThis.process";
const CLEAN = "undefinedundefinedundefined";

/** Expressions that have to answer CLEAN: whatever constructor they find belongs to the isolate. */
export const CONSTRUCTOR_CHAINS: Readonly<Record<string, string>> = {
  "of this": "this.constructor.constructor(CODE)()",
  "of the message": "msg.constructor.constructor(CODE)()",
  "of a method": "msg.Save?.constructor(CODE)() ?? msg.DataSource.Save.constructor(CODE)()",
  "of a getter":
    "Object.getOwnPropertyDescriptor(Object.getPrototypeOf(msg), 'Subject').get.constructor(CODE)()",
  "of a collection": "msg.Fields.constructor.constructor(CODE)()",
  "of an item": "msg.Fields.Item('urn:schemas:httpmail:subject').constructor.constructor(CODE)()",
  "of the event": "event.constructor.constructor(CODE)()",
  "of the event's properties": "event.properties.constructor.constructor(CODE)()",
  "of the console": "console.log.constructor(CODE)()",
  "of crypto": "crypto.randomUUID.constructor(CODE)()",
  "of an error of the host":
    "(() => { try { msg.SentOn = {}; msg.BodyPart.BodyParts.Item(99) } catch (e) { return e.constructor.constructor(CODE)() } })()",
  "of an error of the engine":
    "(() => { try { null.x } catch (e) { return e.constructor.constructor(CODE)() } })()",
  "of a stack overflow":
    "(() => { const f = () => f(); try { f() } catch (e) { return e.constructor.constructor(CODE)() } })()",
  "of a stack overflow in a host call":
    "(() => { let got; const f = () => { try { f() } catch { try { msg.Subject } catch (e) { got ??= e } } }; f(); return (got ?? f).constructor.constructor(CODE)() })()",
  "of an async function": "(async () => {}).constructor(CODE)() && (() => {}).constructor(CODE)()",
  "of a generator": "(function* () {}).constructor(CODE)().next().value",
  "of a bound function":
    "Function.prototype.bind.call(msg.DataSource.Save, msg.DataSource).constructor(CODE)()",
  "by Reflect.construct": "Reflect.construct(Function, [CODE], CDO.Message)()",
  "by indirect eval": "(0, eval)('(function () {' + CODE + '})')()",
  "by a tagged template": "((f) => f`${0}`)(() => Function(CODE)())",
  "through arguments.callee.caller":
    "(function () { const { caller } = arguments.callee; return (caller ?? Function).constructor(CODE)() })()",
  "through a Proxy of the message":
    "(() => { const seen = []; const p = new Proxy(msg, { get: (t, k, r) => { seen.push(r); return Reflect.get(t, k) } }); void p.Subject; return seen[0].constructor.constructor(CODE)() })()",
  "through a toString that the host coerces":
    "(() => { let caller; msg.Subject = { toString() { caller = new Error().stack; return 'x' } }; return /file:|node:|src\\//.test(caller) ? caller : Function(CODE)() })()",
  "through a trap during a host call":
    "(() => { let got; try { msg.Fields.Item(new Proxy({}, { get(t, k, r) { got = r; throw k } })) } catch {} return Reflect.getPrototypeOf(got).constructor.constructor(CODE)() })()",
  "through Symbol.species":
    "(() => { const a = [1]; let got; a.constructor = { [Symbol.species]: function (n) { got = this; return {} } }; a.map((x) => x); return got.constructor.constructor('return 1')() && Function(CODE)() })()",
  "through the species of a buffer":
    "(() => { class B extends ArrayBuffer {} const b = new B(8).slice(1); return b.constructor.constructor(CODE)() })()",
  "through Error.cause":
    "(() => { const e = new Error('x', { cause: msg }); return e.cause.constructor.constructor(CODE)() })()",
  "through Symbol.hasInstance":
    "(() => { let got; class X { static [Symbol.hasInstance](v) { got = v; return true } } void (msg instanceof X); return got.constructor.constructor(CODE)() })()",
  "through Array.from of an array-like with getters":
    "(() => { let got; Array.from({ length: 1, get 0() { got = this; return 1 } }); return got.constructor.constructor(CODE)() })()",
  "through JSON revivers":
    "(() => { let got; JSON.parse('[1]', function () { got = this; return 1 }); return got.constructor.constructor(CODE)() })()",
  "through toJSON":
    "(() => { let got; JSON.stringify({ toJSON() { got = this; return 1 } }); return got.constructor.constructor(CODE)() })()",
  "through Function.prototype.toString of a host function":
    "Function(CODE)() + (/\\[native code\\]/.test(String(msg.DataSource.Save)) ? ' native' : '')",
};

export const chainOf = (expression: string): string =>
  `const CODE = ${JSON.stringify(REACH)};\nconst got = ${expression};\nconsole.log(got === ${JSON.stringify(CLEAN)} ? "clean" : String(got));`;

/** Names of the hosts' worlds that must not be there. */
export const HOST_GLOBALS =
  "process require module exports Buffer global setTimeout setInterval setImmediate queueMicrotask clearTimeout WebAssembly SharedArrayBuffer Atomics Worker MessageChannel performance navigator XMLHttpRequest Deno Bun ivm isolated_vm __onarrivalConnect __onarrivalExports".split(
    " ",
  );

/** Scripts that try to see CallSite objects or paths. Each logs "clean" when it saw none. */
export const STACKS: Readonly<Record<string, string>> = {
  "a replaced prepareStackTrace": `let sites; Error.prepareStackTrace = (_e, s) => { sites = s; return ""; }; void new Error().stack;
    console.log(sites === undefined ? "clean" : String(sites[0].getThis?.()));`,
  "prepareStackTrace of a subclass": `class E extends Error { static prepareStackTrace(_e, s) { globalThis.sites = s; return ""; } }
    void new E().stack; console.log(globalThis.sites === undefined ? "clean" : "sites");`,
  "prepareStackTrace redefined": `let refused = 0; for (const how of [() => Object.defineProperty(Error, "prepareStackTrace", { value: () => 1 }),
      () => delete Error.prepareStackTrace, () => Reflect.set(Error, "prepareStackTrace", () => 1)])
      try { how(); } catch { refused += 1; }
    console.log(typeof new Error("x").stack === "string" ? "clean" : "replaced");`,
  "captureStackTrace of a host call": `let stack = ""; const o = {}; msg.Subject = { toString() { Error.captureStackTrace(o); return "x"; } }; stack = o.stack;
    console.log(/file:|node:|node_modules|src\\//.test(stack) ? stack : "clean");`,
  "a long trace through the runtime": `Error.stackTraceLimit = 1000; let stack = "";
    msg.Subject = { toString() { stack = new Error("x").stack; return "x"; } };
    console.log(/file:|node:|node_modules|src\\/|isolated/.test(stack) ? stack : "clean");`,
  "the error of a refused import": `return import("cdo" + "x").catch((error) => { console.log(/\\/|node:/.test(String(error.stack).replace(/onarrival:/g, "")) && /file:|\\/(?:home|usr|opt|work)/.test(error.stack) ? error.stack : "clean"); });`,
};

/** Ways to other code. Each logs what happened; none may load anything. */
export const IMPORTS: readonly string[] = [
  "node:fs",
  "fs",
  "isolated-vm",
  "/etc/passwd",
  "file:///etc/passwd",
  "data:text/javascript,export default 1",
];

/** Goes up from a function of the script; every caller that is none of its own (those name it) is noted with its arguments. */
const CLIMB = `const found = [];
function climb(from) {
  let at = from;
  for (let level = 0; level < 20 && at; level += 1) {
    try { at = at.caller; } catch { at = null; }
    if (!at || at === tell || String(at).includes("climb")) continue;
    let given = "";
    try { given = Object.keys(at.arguments[0]).join(); } catch {}
    found.push((at.name || "?") + "(" + given + ")");
  }
  return "1";
}
const tell = () => console.log("callers: " + (found.join(" ") || "none"));`;

/** Functions of the script that the runtime calls, or something of the language for it, or for the script. */
const CALLED: Readonly<Record<string, string>> = {
  "the entry point": "climb(onArrival);",
  "functions several levels below":
    "function a() { b(climb); } function b() { c(climb); } function c() { climb(c); } a();",
  "arguments.callee and its caller":
    "climb(arguments.callee); (function () { climb(arguments.callee); climb(arguments.callee.caller); })();",
  "a getter": "console.log({ get x() { return climb(Object.getOwnPropertyDescriptor(this, 'x').get); } });",
  "setters on Object.prototype": `for (const name of ["host", "console", "entry", "current", "kind"])
      Object.defineProperty(Object.prototype, name, { set: function f() { climb(f); }, configurable: true });
    msg.Subject = "x"; msg.DataSource.Save();`,
  "toString, valueOf and Symbol.toPrimitive": `for (const how of ["toString", "valueOf", Symbol.toPrimitive]) {
      try { msg.Subject = { [how]: function f() { return climb(f); } }; } catch {}
      try { msg.Fields.Item({ [how]: function f() { return climb(f); } }); } catch {}
    }`,
  "the comparator of a sort": "[2, 1].sort(function f() { return climb(f); });",
  toJSON: `JSON.stringify({ toJSON: function f() { return climb(f); } });
    return kv.setJson("k", { toJSON: function f() { return climb(f); } }).catch(tell);`,
  "callbacks of the language and of the object model": `Array.from([1], function f() { climb(f); });
    "x".replace(/x/, function f() { return climb(f); });
    new URLSearchParams("a=1").forEach(function f() { climb(f); });`,
  "callbacks of a promise":
    "return Promise.resolve().then(function f() { climb(f); climb(onArrival); }).then(tell);",
  "what goes on after await":
    "return (async function f() { climb(f); await null; climb(f); climb(onArrival); })().then(tell);",
  "traps of a Proxy": `const handler = Object.fromEntries(["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor"]
      .map((trap) => [trap, function f(...values) { climb(f); return Reflect[trap](...values); }]));
    console.log(new Proxy({ x: 1 }, handler));
    try { msg.Fields.Item(new Proxy({}, handler)); } catch {}`,
  "replaced built-ins": `const { apply } = Reflect;
    for (const [holder, names] of [[Map.prototype, ["get", "set"]], [Array.prototype, ["push", "map", "join", "slice"]],
      [String.prototype, ["slice", "toLowerCase", "split"]], [Reflect, ["get", "apply"]], [JSON, ["stringify", "parse"]]])
      for (const name of names) {
        const original = holder[name];
        holder[name] = function f(...values) { if (found.length === 0) climb(f); return apply(original, this, values); };
      }
    msg.Subject = "x"; msg.Fields.Item("urn:schemas:mailheader:x-a").Value = "1"; msg.Fields.Update(); console.log({ a: [1] });`,
  "a getter in the place of a built-in, read when the call is over": `const { at } = Array.prototype;
    Object.defineProperty(Array.prototype, "at", { get: function f() { climb(f); tell(); return at; } });`,
};

/** Scripts that look for functions that are not theirs among their callers. Each logs "callers: none" when there was none. */
export const CALLERS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(CALLED).map(([title, body]) => [
    title,
    `${CLIMB}\nfunction onArrival(msg) {\n${body}\ntell();\n}`,
  ]),
);
