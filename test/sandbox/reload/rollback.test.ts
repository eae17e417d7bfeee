// Rolled back and disabled scripts: what is live when their files change, go away and come back.
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ScriptState } from "../../../src/sandbox/versions/script-control.ts";
import { eventually } from "../../support/eventually.ts";
import { OTHER, type Reloading, SCRIPT, startReloading } from "./reload-fixture.ts";

const NAMED = `import { name } from "./lib/name.ts";
export const binding = { displayName: name };
export default function onArrival() {}
`;
const naming = (name: string): string => `export const name = "${name}";\n`;
const BROKEN = "export default function onArrival( {\n}\n";

const stateOf = ({ control }: Reloading): ScriptState | undefined => control.list()[0];
const logged = ({ lines }: Reloading, text: string): number =>
  lines.filter(({ message }) => message === text).length;

const moveAway = (reloading: Reloading): Promise<void> =>
  rename(reloading.path("a.ts"), reloading.path("a.ts~"));
const moveBack = (reloading: Reloading): Promise<void> =>
  rename(reloading.path("a.ts~"), reloading.path("a.ts"));

async function gone(reloading: Reloading): Promise<void> {
  await eventually(() => !reloading.host.scripts.has("a.ts"), { what: "a.ts is removed", intervalMs: 5 });
}

/** With two versions, of which the older one is live again. */
async function rolledBack(): Promise<{ reloading: Reloading; first: string; second: string }> {
  const reloading = await startReloading({ "a.ts": NAMED, "lib/name.ts": naming("one") });
  const first = reloading.version() ?? "";
  await reloading.write("lib/name.ts", naming("two"));
  const second = await reloading.changed(first);
  await eventually(async () => (await reloading.control.show("a.ts")).versions.length === 2, {
    what: "both versions are kept",
    intervalMs: 5,
  });
  expect(await reloading.control.rollback("a.ts", undefined)).toBe(first);
  return { reloading, first, second };
}

test("a rolled back script that goes away and comes back is live as it was, until it changes", async () => {
  const { reloading, first } = await rolledBack();
  await using _ = reloading;
  await moveAway(reloading);
  await gone(reloading);
  await moveBack(reloading);
  expect(await reloading.changed(undefined)).toBe(first);
  expect(stateOf(reloading)).toMatchObject({ pinned: true, version: first });
  expect(logged(reloading, "script live")).toBe(2);
  await reloading.write("lib/name.ts", naming("three"));
  await reloading.changed(first);
  expect(stateOf(reloading)).toMatchObject({ pinned: false });
});

test("a rolled back script that was away while the service started is live as it was when it comes back", async () => {
  const { reloading, first } = await rolledBack();
  await using _ = reloading;
  await reloading.host.stop();
  await moveAway(reloading);
  await reloading.start();
  expect(reloading.version()).toBeUndefined();
  await moveBack(reloading);
  expect(await reloading.changed(undefined)).toBe(first);
});

test("so is one whose file was broken when it was rolled back, and still is", async () => {
  const { reloading, second } = await rolledBack();
  await using _ = reloading;
  await reloading.write("a.ts", BROKEN);
  await reloading.refused();
  await reloading.control.rollback("a.ts", second);
  await moveAway(reloading);
  await gone(reloading);
  await moveBack(reloading);
  expect(await reloading.changed(undefined)).toBe(second);
  expect(await reloading.refused()).toMatch(/^a\.ts:/);
});

test("one that comes back when the version it was rolled back to cannot be read is live with what its file says", async () => {
  const { reloading, first, second } = await rolledBack();
  await using _ = reloading;
  await moveAway(reloading);
  await gone(reloading);
  const kept = join(reloading.stateFolder, "a.ts");
  for (const file of await readdir(kept)) if (file.includes(first)) await rm(join(kept, file));
  await moveBack(reloading);
  expect(await reloading.changed(undefined)).toBe(second);
  expect(stateOf(reloading)).toMatchObject({ pinned: false });
});

test("R02: a version that was rolled back does not return by a restart when its rollback ends with the version before it", async () => {
  const { reloading, first } = await rolledBack();
  await using _ = reloading;
  await reloading.write("lib/name.ts", naming("one"));
  await eventually(() => stateOf(reloading)?.pinned === false, { what: "the end of the rollback" });
  await reloading.write("a.ts", BROKEN);
  await reloading.refused();
  expect(reloading.version()).toBe(first);
  await reloading.restart();
  expect(reloading.version()).toBe(first);
});

test("R02: nor when it is ended by hand while the file is broken", async () => {
  const { reloading, first } = await rolledBack();
  await using _ = reloading;
  await reloading.write("a.ts", BROKEN);
  await reloading.refused();
  await reloading.control.enable("a.ts");
  await reloading.restart();
  expect(reloading.version()).toBe(first);
  expect(stateOf(reloading)).toMatchObject({ pinned: false });
});

test("a disabled script that is deleted can be enabled; one that comes back before is not said to be live", async () => {
  await using reloading = await startReloading({ "a.ts": SCRIPT });
  await reloading.control.disable("a.ts");
  await reloading.remove("a.ts");
  await gone(reloading);
  await reloading.write("a.ts", OTHER);
  await reloading.changed(undefined);
  expect(stateOf(reloading)).toMatchObject({ disabled: true });
  expect(logged(reloading, "script live")).toBe(1);
  expect(logged(reloading, "script loaded; it is disabled")).toBe(1);

  await reloading.remove("a.ts");
  await gone(reloading);
  await reloading.control.enable("a.ts");
  await expect(reloading.control.enable("a.ts")).rejects.toThrow("no script a.ts");
  await reloading.write("a.ts", SCRIPT);
  await reloading.changed(undefined);
  expect(stateOf(reloading)).toMatchObject({ disabled: false });
  expect(logged(reloading, "script live")).toBe(2);
});

test("a version that people go back to while the same file is built again stays live", async () => {
  const { reloading, first, second } = await rolledBack();
  await using _ = reloading;
  await reloading.control.enable("a.ts");
  expect(await reloading.control.rollback("a.ts", first)).toBe(first);
  await reloading.write("b.ts", OTHER);
  await reloading.changed(undefined, "b.ts");
  expect(stateOf(reloading)).toMatchObject({ pinned: true, version: first });
  await reloading.control.enable("a.ts");
  expect(await reloading.changed(first)).toBe(second);
});

test("of commands that come at the same time the last one counts", async () => {
  const { reloading, first } = await rolledBack();
  await using _ = reloading;
  const { control } = reloading;
  await Promise.all([control.enable("a.ts"), control.disable("a.ts")]);
  expect(stateOf(reloading)).toMatchObject({ disabled: true, pinned: false });
  await control.rollback("a.ts", first);
  await Promise.all([control.enable("a.ts"), control.rollback("a.ts", first)]);
  expect(stateOf(reloading)).toMatchObject({ disabled: false, pinned: true, version: first });
});

test("a rolled back script that changes is live with its change also where that cannot be noted", async () => {
  const { reloading, first, second } = await rolledBack();
  await using _ = reloading;
  // In the way of the file that is written first.
  await mkdir(join(reloading.stateFolder, "switches.json.new"));
  await reloading.write("lib/name.ts", naming("three"));
  const third = await reloading.changed(first);
  expect([first, second]).not.toContain(third);
  expect(
    logged(reloading, "script changed: that it is no longer rolled back could not be written"),
  ).toBeGreaterThan(0);
  await expect(reloading.control.disable("a.ts")).rejects.toThrow("switches.json.new");
  expect(stateOf(reloading)).toMatchObject({ version: third, disabled: false });
  await reloading.restart();
  expect(reloading.version()).toBe(third);
});

test("a rollback leaves a script switched off, and a command that failed keeps nobody from the next", async () => {
  const { reloading, second } = await rolledBack();
  await using _ = reloading;
  const { control, host } = reloading;
  await control.disable("a.ts");
  await expect(control.rollback("a.ts", "no such version")).rejects.toThrow("no version");
  expect(await control.rollback("a.ts", second)).toBe(second);
  expect([...host.disabled]).toEqual(["a.ts"]);
  await control.enable("a.ts");
  expect([...host.disabled]).toEqual([]);
});
