// The tests beside a script: a version that does not pass them does not go live, and the log says what was expected.
import { join } from "node:path";
import { expect, test } from "vitest";
import { startReloading } from "./reload-fixture.ts";

const tagging = (word: string): string => `export const binding = { sinkProperties: { tag: "[ext]" } };
export default function onArrival(msg, status, event) {
  console.log("from", msg.From);
  if (msg.From.includes("boss")) { status.Value = 1; return; }
  msg.Subject = event.properties.tag + " ${word} " + msg.Subject;
  msg.DataSource.Save();
  msg.EnvelopeFields("http://schemas.microsoft.com/cdo/smtpenvelope/recipientlist").Value += "SMTP:archive@example.com;";
  msg.EnvelopeFields.Update();
}
`;
const TEST = `import type { ScriptTest } from "cdo";
const message = "From: a@example.com\\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\\n\\nhello\\n";
export const cases: ScriptTest[] = [
  { name: "tags", message, envelope: { sender: "a@example.com", recipients: ["b@example.com"] },
    expect: { verdict: 0, status: 0, sender: /^a@/, fields: { subject: "[ext] good Grüße", "x-none": null },
      recipients: ["archive@example.com", "b@example.com"], text: "hello", log: /^from a@/, sent: 0, unchanged: false } },
  { name: "spares the boss", eml: "samples/boss.eml", expect: { verdict: 1, unchanged: true } },
];
`;
const FILES = {
  "a.ts": tagging("good"),
  "a.test.ts": TEST,
  "samples/boss.eml": "From: boss@example.com\nSubject: x\n\nbody\n",
};

test("a version goes live when its cases pass, and the test is no sink", async () => {
  await using reloading = await startReloading(FILES);
  expect(Object.fromEntries(reloading.host.broken)).toEqual({});
  expect([...reloading.host.scripts.keys()]).toEqual(["a.ts"]);
});

test("each file that a script rests on is named once", async () => {
  await using reloading = await startReloading(FILES);
  expect((await reloading.control.show("a.ts")).imports).toEqual(["a.test.ts", join("samples", "boss.eml")]);
});

test("a failing case keeps the old version and names the case, what was expected and what was found", async () => {
  await using reloading = await startReloading(FILES);
  const before = reloading.version();
  await reloading.write("a.ts", tagging("bad"));
  expect(await reloading.refused()).toBe(
    'a.test.ts: case "tags": field subject: expected "[ext] good Grüße", found "[ext] bad Grüße"',
  );
  expect(reloading.version()).toBe(before);
  await reloading.write("a.test.ts", TEST.replace("good Gr", "bad Gr"));
  await reloading.changed(before);
  await reloading.accepted();
});

test("a changed sample or test runs the cases again, and a removed test asks for nothing any more", async () => {
  await using reloading = await startReloading(FILES);
  await reloading.write("samples/boss.eml", "From: clerk@example.com\nSubject: x\n\nbody\n");
  expect(await reloading.refused()).toMatch(
    /\.test\.ts: case "spares the boss": verdict: expected 1, found 0; unchanged: expected, but the content differs/,
  );
  await reloading.remove("a.test.ts");
  await reloading.accepted();
});

const SCORING = `import { fetch, kv, type Message } from "cdo";
export default async function onArrival(msg: Message) {
  const known = await kv.get("score");
  const score = known ?? (await (await fetch("https://api.example.com/score?of=" + msg.From)).text());
  await kv.set("score", score);
  msg.Subject = score;
  msg.DataSource.Save();
}
`;
const SCORED = `const message = "From: a@example.com\\nSubject: s\\n\\nbody\\n";
export const cases = [
  { name: "asks", message, fetch: { "https://api.example.com/score?of=a@example.com": { headers: { "X-A": "b" }, body: "7" } },
    expect: { fields: { subject: "7" }, fetched: ["GET https://api.example.com/score?of=a@example.com"], kv: { score: "7", none: null } } },
  { name: "remembers", message, kv: { score: "9" }, expect: { fields: { subject: "9" }, fetched: [], kv: { score: /^9$/ } } },
  { name: "is refused what was not prepared", message, expect: { fault: "fetch is not granted" } },
];
`;

test("a case says what is fetched and what the store holds, and nothing of it leaves the machine or stays", async () => {
  await using reloading = await startReloading({ "a.ts": SCORING, "a.test.ts": SCORED });
  expect(Object.fromEntries(reloading.host.broken)).toEqual({});
  await reloading.write("a.test.ts", SCORED.replace('score: "7", none', 'score: "8", none'));
  expect(await reloading.refused()).toMatch(/case "asks": kv score: expected "8", found "7"$/);
  const malformed = SCORED.replace('body: "7"', "body: 7");
  await using wrong = await startReloading({ "a.ts": SCORING, "a.test.ts": malformed });
  expect(wrong.host.broken.get("a.ts")).toMatch(
    /case "asks": fetch must be an object of texts or \{ status, headers, body \} by URL$/,
  );
});

const LOOKING = `import { dns, secret } from "cdo";
const key = secret("API_KEY");
export const samples = ["samples/boss.eml"];
export default async function onArrival(msg) {
  console.log(key, secret("LATER"));
  const [first] = await dns.resolve("Example.com", "mx").catch(({ message }) => [{ exchange: message }]);
  console.log(first?.exchange ?? "none");
}
`;
const LOOKED = `const message = "From: a@example.com\\nSubject: s\\n\\nbody\\n";
export const cases = [
  { name: "has placeholders", message, dns: { "MX example.com": [{ exchange: "mx.example.com", priority: 5 }] },
    expect: { log: "secret-API_KEY secret-LATER" } },
  { name: "has values", message, secrets: { API_KEY: "k" }, dns: { "MX example.com": [] }, expect: { log: "k secret-LATER" } },
  { name: "finds the host", message, dns: { "MX example.com": [{ exchange: "mx.example.com", priority: 5 }] },
    expect: { log: "mx.example.com" } },
  { name: "finds none", message, dns: { "MX example.com": [] }, expect: { log: "none" } },
  { name: "is refused what was not prepared", message, expect: { log: /has prepared no answer for MX Example\\.com/ } },
];
`;

test("a case says what secrets are and what DNS answers; secrets that the bindings grant have a value in any case", async () => {
  const allow = { dns: true, secrets: ["API_KEY", "LATER"] };
  const files = { ...FILES, "a.ts": LOOKING, "a.test.ts": LOOKED };
  await using reloading = await startReloading(files, { grantsOf: () => [{ binding: "one", allow }] });
  expect(Object.fromEntries(reloading.host.broken)).toEqual({});
  await reloading.write(
    "a.test.ts",
    LOOKED.replace('dns: { "MX example.com": [] }', 'dns: { "MX example.com": 1 }'),
  );
  expect(await reloading.refused()).toMatch(/dns must be an object of lists by type and name/);
  await reloading.write("a.test.ts", LOOKED.replace('API_KEY: "k"', "API_KEY: 1"));
  expect(await reloading.refused("a.ts", /secrets/)).toMatch(/secrets must be an object of texts/);

  // Without a configuration what is read at load is known, and no more.
  const atLoad = {
    "a.ts": LOOKING.replace(', secret("LATER")', ""),
    "samples/boss.eml": FILES["samples/boss.eml"],
  };
  await using alone = await startReloading(atLoad);
  expect(Object.fromEntries(alone.host.broken)).toEqual({});
});

test("samples that the script names must run without a fault", async () => {
  const script = (column: string): string =>
    `export const samples = ["samples/boss.eml"];\nexport default function onArrival(msg) {\n  msg.${column}.length;\n}\n`;
  await using reloading = await startReloading({ ...FILES, "a.test.ts": "", "a.ts": script("Subject") });
  await reloading.remove("a.test.ts");
  await reloading.accepted();
  const before = reloading.version();
  await reloading.write("a.ts", script("Sub.ject"));
  expect(await reloading.refused()).toMatch(
    /sample samples\/boss\.eml: the script failed: a\.ts:3:\d+: TypeError/,
  );
  expect(reloading.version() ?? before).toBe(before);
  await reloading.write("a.ts", script("Subject").replace("boss.eml", "../../a.eml"));
  expect(await reloading.refused("a.ts", /\.\.\/\.\./)).toMatch(
    /lies outside the script folder|cannot be read/,
  );
});

const WRONG: readonly (readonly [what: string, test: string, message: RegExp])[] = [
  ["exports no cases", "export const x = 1;", /\.test\.ts: exports no cases/],
  ["does not compile", "export const cases = [\n  { name: ;\n];", /\.test\.ts:2:\d+: /],
  ["throws while loading", "export const cases = [];\nnull.x;", /\.test\.ts:2:\d+: TypeError/],
  ["never ends loading", "export const cases = [];\nfor (;;);", /^.*\.test\.ts.*in time/],
  ["has a case without a message", 'export const cases = [{ name: "n" }];', /case "n": needs either eml/],
  [
    "has a misspelt expectation",
    'export const cases = [{ name: "n", message: "x: y\\n", expect: { Subject: 1 } }];',
    /case "n": has the unknown key expect\.Subject/,
  ],
  [
    "has a misspelt key",
    'export const cases = [{ name: "n", message: "x: y\\n", expects: { verdict: 1 } }];',
    /case "n": has the unknown key expects/,
  ],
  [
    "has a misspelt key in its envelope",
    'export const cases = [{ name: "n", message: "x: y\\n", envelope: { from: "a@example.com" } }];',
    /case "n": envelope is \{ sender, recipients/,
  ],
  [
    "expects what is no object",
    'export const cases = [{ name: "n", message: "x: y\\n", expect: "unchanged" }];',
    /case "n": expect must be an object/,
  ],
  [
    "has a pattern that never ends",
    'export const cases = [{ name: "n", message: "Subject: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\\n\\n", expect: { fields: { subject: /^(a+)+$/ } } }];',
    /case "n": the comparison failed: /,
  ],
  [
    "expects a fault that does not come",
    'export const cases = [{ name: "n", message: "x: y\\n\\n", expect: { fault: "no" } }];',
    /expected "no", but the script did not fail/,
  ],
];

test("a test that cannot be run, or whose cases do not pass, keeps its script from going live", async () => {
  const files = WRONG.flatMap(([what, text]) => {
    const name = what.replaceAll(" ", "-");
    return [
      [`${name}.ts`, "export default function onArrival() {}\n"],
      [`${name}.test.ts`, text],
    ];
  });
  await using reloading = await startReloading(Object.fromEntries(files), { settings: { processes: 2 } });
  expect([...reloading.host.scripts.keys()]).toEqual([]);
  for (const [what, , message] of WRONG) {
    expect(reloading.host.broken.get(`${what.replaceAll(" ", "-")}.ts`), what).toMatch(message);
  }
});

test("a fault may be what a case expects", async () => {
  await using reloading = await startReloading({
    "a.ts": 'export default function onArrival() { throw new Error("not today"); }\n',
    "a.test.js":
      'export const cases = [{ name: "n", message: "x: y\\n\\n", expect: { fault: "not today" } }];',
  });
  expect(Object.fromEntries(reloading.host.broken)).toEqual({});
});

test("a test of another runner is left alone", async () => {
  await using reloading = await startReloading({
    "a.ts": "export default function onArrival() {}\n",
    "a.test.ts": 'import { test } from "vitest";\ntest("x", () => {});\n',
  });
  expect(Object.fromEntries(reloading.host.broken)).toEqual({});
});

test("a script that says export again and again holds nobody up while it is asked whether it has samples", async () => {
  await using reloading = await startReloading({
    "a.ts": `/* ${"export ".repeat(250_000)} */ export default function onArrival() {}`,
  });
  expect(reloading.version()).toBeDefined();
});

test("all cases together have testMs", async () => {
  const script = `export const samples = ["samples/boss.eml", "samples/boss.eml"];
export default function onArrival() { for (const until = Date.now() + 100; Date.now() < until; ); }`;
  await using reloading = await startReloading(
    { "samples/boss.eml": "Subject: x\n\n", "a.ts": script },
    { settings: { testMs: 20 } },
  );
  expect(await reloading.refused()).toContain("a.ts: the cases take longer than 20 ms in all");
});
