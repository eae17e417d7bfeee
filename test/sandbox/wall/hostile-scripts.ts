// Hostile scripts by class of FAULTS X: each is the body of onArrival and what becomes of the message. Those of CONTAINED the
// sandbox process itself ends; for those of FATAL the relay ends the process.

export interface HostileScript {
  /** The case of the catalogue. */
  readonly id: string;
  readonly title: string;
  readonly body: string;
  /** Kinds of the fault, apart by "|"; "none" is no fault. On a slow machine any of CONTAINED may time out. */
  readonly ends: string;
}

const list = (id: string, ends: string, bodies: Readonly<Record<string, string>>): HostileScript[] =>
  Object.entries(bodies).map(([title, body]) => ({ id, title, body, ends }));

const NEST = "const nest = (open, close, n) => open.repeat(n) + close.repeat(n);";

export const CONTAINED: readonly HostileScript[] = [
  ...list("X01", "timeout|limit", {
    "an empty loop": "for (;;);",
    "a loop over an endless iterator":
      "for (const x of { [Symbol.iterator]: () => ({ next: () => ({ done: false }) }) });",
    "an endless comparison of sort": "[1, 2].sort(() => { for (;;); });",
    "an endless replacer": '"a".replace(/a/, () => { while (true); });',
    "a loop in a getter that the host coerces": "msg.Subject = { toString() { for (;;); } };",
    "a loop that catches everything": "for (;;) try { for (;;) msg.Subject; } catch {} finally { continue; }",
    "a loop in a class field": "new (class { x = (() => { for (;;); })(); })();",
  }),
  ...list("X02", "timeout", {
    "await without end": "return (async () => { for (;;) await 0; })();",
    "await without end that nobody waits for": "(async () => { for (;;) await 0; })();",
    "microtasks that double":
      "const f = () => { Promise.resolve().then(f); Promise.resolve().then(f); }; f();",
    "an endless async generator":
      "return (async () => { async function* g() { for (;;) yield 1; } for await (const x of g()); })();",
    "a thenable that resolves to itself":
      "const t = { then(resolve) { resolve(t); } }; return Promise.resolve(t);",
  }),
  ...list("X03", "invalid|timeout", {
    "a promise that nobody settles": "return new Promise(() => {});",
    "an await of it": "return (async () => { await new Promise(() => {}); })();",
    "a race of two of them": "return Promise.race([new Promise(() => {}), new Promise(() => {})]);",
  }),
  ...list("X07", "throw|memory", {
    "typed arrays": "const a = []; for (;;) a.push(new Uint8Array(5e6).fill(1));",
    "one buffer of 4 GB": "new ArrayBuffer(2 ** 32);",
    "resizable buffers":
      "const a = []; for (;;) { const b = new ArrayBuffer(8, { maxByteLength: 2 ** 31 }); b.resize(2 ** 31); a.push(b); }",
    "a resizable buffer by the constructor of another":
      "const B = new Uint8Array(8).buffer.constructor; const b = new B(8, { maxByteLength: 2 ** 30 }); b.resize(2 ** 30);",
    "a resizable buffer by a subclass":
      "class B extends ArrayBuffer {} new B(8, { maxByteLength: 2 ** 30 }).resize(2 ** 30);",
    "shared memory": "new SharedArrayBuffer(2 ** 30);",
    "buffers by transfer and slice":
      "const a = []; let b = new ArrayBuffer(2e6); for (;;) { a.push(b.slice(0)); b = b.transfer(b.byteLength + 1e6); }",
  }),
  ...list("X09", "invalid", {
    "256 MB of text": 'return "x".repeat(2 ** 28);',
    "an object of many": "return Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [i, i]));",
    "a buffer": "return new Uint8Array(1e6);",
  }),
  ...list("X11", "timeout", {
    "nested quantifiers": '/^(\\w+\\s?)*$/.test("word ".repeat(40) + "!");',
    "alternatives that overlap": '/^(a|aa|aaa)+$/.test("a".repeat(90) + "b");',
    "a back-reference": '/(x+)\\1+y/.exec("x".repeat(30_000));',
    lookaheads: '/^(?=(a+)+b)(?=(a*)*c)/.test("a".repeat(60));',
  }),
  ...list("X12", "throw|timeout|memory", {
    "endless recursion": "const f = () => f() + 1; f();",
    "recursion through a getter": "const o = { get x() { return o.x; } }; o.x;",
    "recursion through a Proxy": "const p = new Proxy({}, { get: (_t, k) => p[k] }); p.x;",
    "recursion through toString": "const o = { toString: () => `${o}` }; `${o}`;",
    "recursion through the host":
      "const o = { toString() { msg.Subject = o; return 'x'; } }; msg.Subject = o;",
    "recursion in finally": "const f = () => { try { f(); } finally { f(); } }; f();",
    "nested brackets in eval": `${NEST} (0, eval)(nest("[", "]", 1e5));`,
    "nested templates in eval": '(0, eval)("`${".repeat(5e4));',
    "nested groups of a regular expression": `${NEST} new RegExp(nest("(", ")", 1e5));`,
    "70,000 parameters": 'new Function(Array.from({ length: 70_000 }, (_, i) => "a" + i).join(), "");',
    "a spread of a million arguments": "Math.max(...Array(2e6).fill(1)); throw 0;",
  }),
  ...list("X13", "throw", {
    null: "throw null;",
    undefined: "throw undefined;",
    "a symbol": 'throw Symbol("thrown");',
    "a number": "throw -0;",
    "a text of many lines": 'throw "a\\nb\\r\\n\\u2028c\\u001b[31m";',
    "a frozen object": "throw Object.freeze({ message: 1 });",
    "an object without prototype": "throw Object.create(null);",
    "a function": "throw () => 1;",
    "a bigint": "throw 10n;",
    "an aggregate of errors": 'throw new AggregateError([new Error("x")], "many");',
  }),
  ...list("X14", "timeout|throw|memory", {
    "a Proxy whose traps loop": "throw new Proxy({}, new Proxy({}, { get: () => () => { for (;;); } }));",
    "a Proxy of an Error": "throw new Proxy(new Error('x'), { get() { for (;;); } });",
    "a revoked Proxy": "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy;",
    "a looping message": "throw Object.defineProperty(new Error(), 'message', { get() { for (;;); } });",
    "a looping name": "throw Object.defineProperty(new Error(), 'name', { get() { for (;;); } });",
    "a looping stack": "throw Object.defineProperty(new Error(), 'stack', { get() { for (;;); } });",
    "a looping prepareStackTrace":
      "try { Error.prepareStackTrace = () => { for (;;); }; } catch {} throw new Error('x');",
    "a message of 128 MB": "throw new Error('x'.repeat(2 ** 27));",
    "a cause that loops": "throw new Error('x', { cause: new Proxy({}, { get() { for (;;); } }) });",
    "a getter that throws a getter":
      "const e = { get message() { throw e; }, get name() { throw e; } }; throw e;",
  }),
  ...list("X15", "invalid|throw|timeout", {
    "a Proxy": "return new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); } });",
    "a function": "return () => 1;",
    "a symbol": "return Symbol.iterator;",
    itself: "const o = {}; o.o = o; return o;",
    "a thenable": "return { then(resolve) { resolve(1); } };",
    NaN: "return NaN;",
    "2": "return 2;",
    "0 as text": 'return "0";',
    true: "return true;",
    "0n": "return 0n;",
    "an array of a verdict": "return [1];",
    "a boxed verdict": "return new Number(1);",
    "a promise of a Proxy":
      "return Promise.resolve(new Proxy({}, { get(_t, k) { if (k === 'then') return undefined; for (;;); } }));",
    "a rejected promise of a looping error":
      "return Promise.reject(Object.defineProperty(new Error(), 'message', { get() { for (;;); } }));",
    "a status that is none": "status.Value = 7;",
  }),
  ...list("X21", "throw", {
    WebAssembly: "new WebAssembly.Memory({ initial: 60_000 });",
    SharedArrayBuffer: "new SharedArrayBuffer(8);",
    "Atomics.wait": "Atomics.wait(new Int32Array(8), 0, 0);",
  }),
  ...list("X22", "timeout|throw|memory", {
    "eval of a loop": '(0, eval)("for (;;);");',
    "Function of a loop": 'new Function("for (;;);")();',
    "a generator function of a loop": '(function* () {}).constructor("for (;;);")().next();',
    "an async function of a loop": '(async () => {}).constructor("for (;;);")();',
    "eval of 50 MB": '(0, eval)("1;".repeat(25e6));',
    "a million functions": 'for (let i = 0; i < 1e6; i++) new Function("return " + i);  throw 0;',
  }),
  ...list("X23", "limit|timeout", {
    "reading a header without end": "for (;;) msg.Subject;",
    "writing a header without end": "for (let i = 0; ; i++) msg.Subject = String(i);",
    "asking for items without end":
      'for (let i = 0; ; i++) try { msg.Fields.Item("urn:schemas:mailheader:x-" + i).Value = "1"; } catch {}',
    "saving without end": "for (let i = 0; ; i++) { msg.Subject = String(i); msg.DataSource.Save(); }",
  }),
  ...list("X24", "limit|timeout|memory|throw", {
    "1 MB arguments": 'const text = "x".repeat(1e6); for (;;) msg.TextBody = text;',
    "one argument of 256 MB": 'msg.TextBody = "x".repeat(2 ** 28);',
    "names of 100 MB": 'msg.Fields.Item("urn:schemas:mailheader:" + "x".repeat(1e8)).Value = "1";',
    "floods that nobody waits for": 'for (;;) (async () => { msg.TextBody = "x".repeat(1e5); })();',
  }),
  ...list("X27", "timeout|memory|throw", {
    "formatters of every kind":
      'const a = []; for (;;) a.push(new Intl.DateTimeFormat("en", { timeZone: "UTC" }), new Intl.NumberFormat("de"), new Intl.Collator("sv"));',
    "every time zone":
      'const a = []; for (;;) for (const timeZone of Intl.supportedValuesOf("timeZone")) a.push(new Date().toLocaleString("ja", { timeZone }));',
    "segments without end":
      'const s = new Intl.Segmenter("th", { granularity: "word" }); const a = []; for (;;) a.push([...s.segment("x ".repeat(1e4))]);',
  }),
  ...list("X28", "limit|timeout|memory", {
    "a million recipients":
      'msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value = Array.from({ length: 1e6 }, (_, i) => `SMTP:u${i}@b.example;`).join(""); msg.EnvelopeFields.Update();',
    "2,000 recipients":
      'msg.EnvelopeFields.Item("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value = Array.from({ length: 2000 }, (_, i) => `SMTP:u${i}@b.example;`).join(""); msg.EnvelopeFields.Update();',
    "headers without end":
      'for (let i = 0; ; i++) { msg.Fields.Item("urn:schemas:mailheader:x-" + i).Value = "x".repeat(900); msg.Fields.Update(); }',
    "a body that doubles":
      "for (;;) { msg.TextBody = msg.TextBody + msg.TextBody + 'x'; msg.DataSource.Save(); }",
    "attachments without end":
      "for (;;) { const stream = msg.BodyPart.AddBodyPart().GetDecodedContentStream(); stream.Type = 2; stream.WriteText('x'.repeat(1e5)); stream.Flush(); msg.DataSource.Save(); }",
  }),
];

/** isolated-vm reads the reason of a rejection that nobody waits for, outside of the time limit. */
export const LOOPING_REJECTION =
  "Promise.reject(new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); }, has() { for (;;); } }));";

export const FATAL: readonly HostileScript[] = [
  ...list("X14", "crash", {
    "a rejection that nobody waits for, with a Proxy whose traps loop": LOOPING_REJECTION,
  }),
  ...list("X04", "crash", {
    "indexOf of 2^53": "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 0);",
    "includes of 2^53": "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);",
    "lastIndexOf of 2^53": "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);",
    "reverse of a sparse array": "const a = []; a.length = 2 ** 32 - 1; a[0] = 1; a.reverse();",
    "copyWithin of 2^53": "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1);",
    "splice of 2^53": "Array.prototype.splice.call({ length: 2 ** 53 - 1 }, 0, 1);",
    "fill of 2^53": "Array.prototype.fill.call(new Proxy({ length: 2 ** 53 - 1 }, { set: () => true }), 0);",
    "Array.from of 2^32": "Array.from({ length: 2 ** 32 - 2 });",
    "fill of a billion": "Array(1e9).fill(0);",
    "sort of 2^53": "Array.prototype.sort.call({ length: 2 ** 53 - 1 });",
  }).map((one) => ({ ...one, ends: "crash|timeout|memory|throw" })),
  ...list("X05", "crash|timeout|memory|throw", {
    squaring: "let x = 3n ** (10n ** 6n); for (;;) x *= x;",
    parsing: 'BigInt("7".repeat(4e7));',
    printing: "(1n << 100_000_000n).toString();",
    "a power": "2n ** (2n ** 29n) - 1n;",
  }),
  ...list("X06", "crash|memory|throw|timeout", {
    objects: "const a = []; for (;;) a.push({ x: [1, 2, 3, 4] });",
    arrays: "const a = []; for (;;) a.push(new Array(1000));",
    "texts of their own":
      "let s = 'x'; const a = []; for (;;) { s += s.length < 1e6 ? s : 'y'; a.push(s + a.length); }",
    "a Map": "const m = new Map(); for (let i = 0; ; i++) m.set(i, i);",
    "a Set of objects": "const s = new Set(); for (;;) s.add({});",
    "JSON texts":
      'const o = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => ["k" + i, "x".repeat(1e5)])); const a = []; for (;;) a.push(JSON.stringify(o));',
    "one JSON text": 'JSON.stringify(Array(1e8).fill("aaaaaaaaaaaa"));',
    closures: "const a = []; for (;;) { const x = new Array(100).fill(a.length); a.push(() => x); }",
    "properties of one object": "const o = {}; for (let i = 0; ; i++) o['p' + i] = i;",
  }),
  ...list("X08", "crash|memory|throw|timeout", {
    "normalize of 256 MB":
      'for (const form of ["NFC", "NFD", "NFKD"]) "\\u0149a".repeat(2 ** 27).normalize(form);',
    "split of 128 MB": '"a".repeat(2 ** 27).split("");',
    "fill of a large array": "Array(2 ** 28).fill({});",
    "a spread of 500 MB": '[..."." .repeat(5e8)];',
    "case of 500 MB": '"\\u00df".repeat(2 ** 28).toUpperCase();',
    "a replacement of each letter": '"a".repeat(2 ** 26).replace(/a/g, "bbbbbbbb");',
    "join of itself": 'Array(1e7).fill("x".repeat(1000)).join();',
    "localeCompare of 200 MB": '"a".repeat(1e8).localeCompare("a".repeat(1e8) + "b");',
  }),
  ...list("X10", "crash|throw|memory|timeout", {
    "deep arrays": 'JSON.parse("[".repeat(5e6) + "]".repeat(5e6));',
    "deep objects": `JSON.parse('{"a":'.repeat(2e6) + "1" + "}".repeat(2e6));`,
    "a deep text out": "let o = []; for (let i = 0; i < 5e6; i++) o = [o]; JSON.stringify(o);",
  }),
  ...list("X11", "crash|throw|memory|timeout", {
    "a large counted group": "new RegExp('(?:a{1000}){1000}'.repeat(50)).test('a');",
    "a pattern of 30 MB": "new RegExp('a?'.repeat(15e6)).test('a');",
  }),
  ...list("X13", "crash|throw|timeout", {
    "an unhandled rejection of a looping Proxy": "Promise.reject(new Proxy({}, { get() { for (;;); } }));",
    "an unhandled rejection": 'Promise.reject(new Error("boom"));',
  }),
];
