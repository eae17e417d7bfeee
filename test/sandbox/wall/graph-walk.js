// Runs inside the isolate: walks everything a script can reach and logs what is not of the language or of the runtime.
// Reads each property, calls each getter, each function of the runtime with arguments that make it throw, and reads the errors.
/* oxlint-disable no-eval, no-caller, no-shadow, complexity, unicorn/no-thenable, typescript/no-implied-eval -- an attacker keeps no rules */
const objects = new Map();
const queue = [];
const texts = [];
const LIMIT = 60_000;

function note(value, path) {
  if (typeof value === "string") {
    if (texts.length < LIMIT) texts.push([value, path]);
    return;
  }
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return;
  if (objects.has(value) || objects.size >= LIMIT) return;
  objects.set(value, path);
  queue.push(value);
}

function attempt(make, path) {
  try {
    const made = make();
    note(made, path);
    if (typeof made?.then === "function" && made instanceof Promise)
      made.then(
        (value) => note(value, `${path}.then`),
        (error) => note(error, `${path}.catch`),
      );
  } catch (thrown) {
    note(thrown, `${path} threw`);
  }
}

/** A prototype of the runtime with members that a script could replace; that of ArrayBuffer is the language's. */
const isOpen = (prototype) =>
  prototype !== ArrayBuffer.prototype && Reflect.ownKeys(prototype).length > 1 && !Object.isFrozen(prototype);
const isNative = (value) => Function.prototype.toString.call(value).endsWith("{ [native code] }");

function visit(object) {
  const path = objects.get(object);
  note(Object.getPrototypeOf(object), `${path}.__proto__`);
  for (const key of Reflect.ownKeys(object)) {
    const name = `${path}[${String(key)}]`;
    const { get, set, value } = Reflect.getOwnPropertyDescriptor(object, key) ?? {};
    note(get, `${name}.get`);
    note(set, `${name}.set`);
    note(value, name);
    if (get !== undefined) attempt(() => object[key], `${name}()`);
  }
  if (typeof object !== "function" || object === onArrival) return;
  note(Function.prototype.toString.call(object), `${path}.toString()`);
  // The console would fill the report.
  if (isNative(object) || path.startsWith("globalThis[console]")) return;
  for (const args of [
    [],
    [1, "x", {}],
    [
      {
        toString() {
          throw new Error("mine");
        },
      },
    ],
  ]) {
    attempt(() => Reflect.apply(object, undefined, args), `${path}()`);
    attempt(() => Reflect.construct(object, args), `new ${path}`);
  }
}

/** Frames of every kind of stack: deep, asynchronous, in a getter, out of a host call at the end of the stack. */
function provoke(msg) {
  const deep = () => {
    try {
      return deep() + 1;
    } catch (error) {
      note(error, "deep recursion threw");
      try {
        msg.Subject = msg.Subject + "x";
        msg.TextBody = "y";
      } catch (inner) {
        note(inner, "host call at the end of the stack threw");
      }
      return 0;
    }
  };
  attempt(deep, "deep recursion");
  attempt(() => (0, eval)("null.x"), "eval");
  attempt(() => new Function("null.x")(), "Function");
  attempt(() => JSON.parse("{"), "JSON.parse");
  attempt(() => (async () => null.x)(), "async");
  attempt(
    () =>
      (async function* () {
        yield 1;
      })().return({
        get then() {
          throw new Error("then");
        },
      }),
    "generator",
  );
  attempt(() => (0, eval)('import("node:fs")'), "import");
  attempt(
    () =>
      new Error("e", {
        get cause() {
          throw new Error("cause");
        },
      }),
    "cause",
  );
  attempt(() => {
    Error.stackTraceLimit = 1000;
    return new Error("long");
  }, "long stack");
  attempt(() => Error.captureStackTrace({}), "captureStackTrace");
}

function onArrival(msg, status, event) {
  const isLaterMessage = objects.size > 0;
  if (!isLaterMessage) {
    note(globalThis, "globalThis");
    for (const [name, value] of Object.entries({ msg, status, event, arguments })) note(value, name);
    attempt(
      () =>
        (function () {
          return arguments.callee.caller?.caller;
        })(),
      "caller",
    );
    provoke(msg);
    for (let object = queue.shift(); object !== undefined; object = queue.shift()) visit(object);
  }
  const seen = globalThis.wallReport ?? new Set();
  globalThis.wallReport = seen;
  const report = (line) => {
    if (seen.size < 200 && !seen.has(line)) {
      seen.add(line);
      console.log(line.slice(0, 500));
    }
  };
  for (const [object, path] of objects) {
    if (typeof object === "function" && isNative(object)) {
      if (!KNOWN.has(object.name)) report(`native function "${object.name}" at ${path}`);
      continue;
    }
    const tag = Object.prototype.toString.call(object);
    if (!TAGS.has(tag)) report(`object ${tag} at ${path}`);
    // Host objects of V8 have internal fields: they cannot be cloned and have a constructor of native code.
    const maker = Object.getOwnPropertyDescriptor(object, "constructor")?.value;
    if (typeof maker === "function" && isNative(maker) && !KNOWN.has(maker.name))
      report(`constructor ${maker.name} at ${path}`);
    if (typeof maker === "function" && !isNative(maker) && maker.prototype === object && isOpen(object))
      report(`prototype not frozen: ${path}`);
  }
  for (const [text, path] of texts) {
    const found =
      /file:\/\/|node:(?!fs")|node_modules|isolated.?vm|src[\\/]|[\\/](?:home|usr|opt|work|root|tmp|var|etc)[\\/]/i.exec(
        text,
      );
    if (found !== null)
      report(
        `host text ${JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 80))} at ${path}`,
      );
  }
  console.log(`walked ${objects.size} objects and ${texts.length} texts`);
  objects.clear();
  texts.length = 0;
}
