// What the bindings of a script grant may change while it is live, or while the service stands still.
import { expect, test } from "vitest";
import type { Capabilities } from "../../../runtime/contract.ts";
import { Generations } from "../../../src/sandbox/versions/generations.ts";
import { eventually } from "../../support/eventually.ts";
import { startReloading } from "./reload-fixture.ts";

const ASKING = `import { kv } from "cdo";
export default async function onArrival() { await kv.get("key"); }
`;
const NOT_GRANTED =
  'a.ts: asks for kv, which its binding "one" does not grant; in the configuration it needs allow: { kv: true }';

test("a live script that lost what it asks for stays live and is told of, over a restart too, until it is granted again", async () => {
  let allow: Capabilities = { kv: true };
  await using reloading = await startReloading(
    { "a.ts": ASKING },
    { grantsOf: () => [{ binding: "one", allow }] },
  );
  const version = reloading.version();
  expect([version, reloading.host.broken.size]).toEqual([expect.any(String), 0]);

  allow = {};
  reloading.host.grantsChanged();
  expect(await reloading.refused()).toBe(NOT_GRANTED);
  expect(reloading.lines.at(-1)).toMatchObject({ level: "error", script: "a.ts", live: version });
  allow = { kv: true };
  reloading.host.grantsChanged();
  await reloading.accepted();

  const kept = new Generations(reloading.stateFolder);
  await eventually(() => kept.latest("a.ts"), { what: "the version on the disk" });
  allow = {};
  await reloading.restart();
  expect([reloading.version(), reloading.host.broken.get("a.ts")]).toEqual([version, NOT_GRANTED]);
});

const KEEPING = `import { kv } from "cdo";
export const keep = (value) => kv.set("kept", value);
`;
const CASE = `export const cases = [{ name: "keeps", message: "Subject: s\\n\\n", expect: { kv: { kept: "1" } } }];\n`;

test.each([
  ["cdo", 'const { kv } = await import("cdo"); await kv.set("kept", "1");', /asks for kv, which/],
  [
    "a file that does",
    'const { keep } = await import("./lib/keep.js"); await keep("1");',
    /asks for kv, which[^;]*;[^;]*$/,
  ],
])("what is imported later asks at load, too: %s", async (_what, statements, problem) => {
  let allow: Capabilities = {};
  const script = `export default async function onArrival() { ${statements} }\n`;
  await using reloading = await startReloading(
    { "a.js": script, "a.test.js": CASE, "lib/keep.js": KEEPING },
    { grantsOf: () => [{ binding: "one", allow }] },
  );
  expect(reloading.host.broken.get("a.js")).toMatch(problem);
  allow = { fetch: ["https://a.test/"], kv: true, dns: true };
  reloading.host.grantsChanged();
  await reloading.accepted("a.js");
  expect([...reloading.host.scripts.keys()]).toEqual(["a.js"]);
});
