// Commands that come while the script that they mean is being built, kept or removed.
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { PreparedAnswers } from "../../../src/sandbox/capabilities/prepared-answers.ts";
import { CDO_MODULE } from "../../../src/sandbox/pool/sandbox-program.ts";
import { ScriptActivity } from "../../../src/sandbox/versions/script-activity.ts";
import { ScriptReloader } from "../../../src/sandbox/versions/script-reloader.ts";
import { DEFAULT_RELOAD_SETTINGS } from "../../../src/sandbox/versions/script-slot.ts";
import { ScriptSwitches } from "../../../src/sandbox/versions/script-switches.ts";
import { eventually } from "../../support/eventually.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { createFixture } from "../pool/pool-fixture.ts";
import { OTHER, type Reloading, SCRIPT, startReloading } from "./reload-fixture.ts";

const MAKE_PIPE = "mkfifo";
const BUSY_MS = 250;
/** Its case takes so long. */
const slow = (
  number: number,
): string => `export const binding = { limits: { timeoutMs: 20000, cpuMs: 20000 } };
export default function onArrival() {
  for (const until = Date.now() + ${BUSY_MS}; Date.now() < until;);
  console.log(${number});
}
`;
const CASE = `export const cases = [{ name: "passes", message: "From: a@example.com\\n\\nhello\\n", expect: { verdict: 0 } }];\n`;

/** Saves the texts one after the other, and answers their versions. */
async function saved(reloading: Reloading, texts: readonly string[]): Promise<string[]> {
  const versions: string[] = [];
  for (const text of texts) {
    await reloading.write("a.ts", text);
    versions.unshift(await reloading.changed(versions[0]));
    await eventually(
      async () => (await reloading.control.show("a.ts")).versions.length === versions.length || undefined,
      { what: "the version is kept", intervalMs: 5 },
    );
  }
  return versions.toReversed();
}

const fileOf = ({ stateFolder }: Reloading, since: number | undefined, version: string | undefined): string =>
  join(stateFolder, "a.ts", `${String(since).padStart(15, "0")}-${version}.json`);

const stateOf = ({ control }: Reloading) => control.list().find(({ name }) => name === "a.ts");

test("a rollback that comes while only a comment is being saved does not leave what neither it nor the file says", async () => {
  await using reloading = await startReloading({ "a.test.ts": CASE });
  const [first, second] = await saved(reloading, [slow(1), slow(2)]);
  await reloading.write("a.ts", `${slow(2)}// reviewed\n`);
  await sleep(BUSY_MS / 2);
  await reloading.control.rollback("a.ts", first);
  await eventually(() => stateOf(reloading)?.pinned === false || undefined, {
    what: "the end of the rollback",
    intervalMs: 5,
  });
  await eventually(() => reloading.version() === second || undefined, {
    what: "what the file says is live",
    intervalMs: 5,
  });
});

/** Saves a third text of the script, and waits until it is built; it is live only later. */
async function built(reloading: Reloading): Promise<void> {
  await reloading.write("lib/name.ts", "export const name = 3;\n");
  await reloading.write("a.ts", `import { name } from "./lib/name.ts";\n${OTHER}globalThis.kept = name;\n`);
  await eventually(async () => (await reloading.control.show("a.ts")).imports.length === 1 || undefined, {
    what: "the file is built",
    intervalMs: 5,
  });
}

// Windows has no such files, which hold up whoever opens them.
describe.skipIf(process.platform === "win32")("while its state is being written or read", () => {
  test("a rollback of the moment in which a saved file ends an earlier one stays live", async () => {
    await using reloading = await startReloading({});
    const [first, second] = await saved(reloading, [SCRIPT, OTHER]);
    await reloading.control.rollback("a.ts", first);
    const pipe = `${fileOf(reloading, stateOf(reloading)?.since, first)}.new`;
    execFileSync(MAKE_PIPE, [pipe]);
    await built(reloading);
    await sleep(150);
    await reloading.control.rollback("a.ts", second);
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      await reloading.write("b.ts", SCRIPT);
      await reloading.changed(undefined, "b.ts");
      expect(stateOf(reloading)).toMatchObject({ version: second, pinned: true });
    } finally {
      await reader.close();
    }
  });

  test("a file that is saved while a rollback fails to be written is live", async () => {
    await using reloading = await startReloading({}, { settings: { settleMs: 500 } });
    const [first, second] = await saved(reloading, [SCRIPT, OTHER]);
    const pipe = join(reloading.stateFolder, "switches.json.new");
    execFileSync(MAKE_PIPE, [pipe]);
    await built(reloading);
    const refused = expect(reloading.control.rollback("a.ts", first)).rejects.toThrow(/EINVAL/);
    // What is saved now settles, and is taken for rolled back.
    await sleep(800);
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    await refused;
    await reader.close();
    expect([first, second]).not.toContain(await reloading.changed(second));
    expect(stateOf(reloading)).toMatchObject({ pinned: false });
  });

  test("a script whose disabling fails to be written is called, also when another one went live meanwhile", async () => {
    await using reloading = await startReloading({ "a.ts": SCRIPT });
    let disabled: readonly string[] = [];
    reloading.host.onChange(() => (disabled = [...reloading.host.disabled]));
    const pipe = join(reloading.stateFolder, "switches.json.new");
    execFileSync(MAKE_PIPE, [pipe]);
    const refused = expect(reloading.control.disable("a.ts")).rejects.toThrow(/EINVAL/);
    await reloading.write("b.ts", OTHER);
    await reloading.changed(undefined, "b.ts");
    const reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    await refused;
    await reader.close();
    expect(disabled).toEqual([]);
  });

  test("a script that is removed during its rollback does not come back by it", async () => {
    await using reloading = await startReloading({});
    const [first, second] = await saved(reloading, [SCRIPT, OTHER]);
    const { versions } = await reloading.control.show("a.ts");
    const kept = fileOf(reloading, versions.find(({ version }) => version === first)?.since, first);
    await rename(kept, `${kept}~`);
    execFileSync(MAKE_PIPE, [kept]);
    const rollback = reloading.control.rollback("a.ts", first);
    await reloading.remove("a.ts");
    await eventually(() => reloading.version() === undefined || undefined, {
      what: "a.ts is removed",
      intervalMs: 5,
    });
    await writeFile(kept, await readFile(`${kept}~`));
    await expect(rollback).rejects.toMatchObject({ code: "SCRIPT_NOT_FOUND" });
    expect([reloading.version(), stateOf(reloading)]).toEqual([undefined, undefined]);
    await reloading.write("a.ts", OTHER);
    expect(await reloading.changed(undefined)).toBe(second);
  });
});

test("a script that comes back in the moment of its removal is there", async () => {
  await using folder = await tempFolder();
  await using fixture = createFixture();
  const path = join(folder.path, "a.js");
  await writeFile(path, "broken (");
  const reloader = new ScriptReloader({
    settings: { ...DEFAULT_RELOAD_SETTINGS, reportMs: 1, removalMs: 20 },
    builder: {
      folder: folder.path,
      cdoModule: CDO_MODULE,
      tools: "",
      pool: fixture.pool,
      clock: systemClock,
      runsCases: false,
      answers: new PreparedAnswers(undefined),
      testMs: 1000,
    },
    generations: undefined,
    switches: new ScriptSwitches(undefined, silentLogger),
    activity: new ScriptActivity({ logLines: 10, logBytes: 1000 }, systemClock),
    clock: systemClock,
    log: silentLogger,
    folderExists: async () => {
      await writeFile(path, "\n\nbroken (");
      reloader.touched(path);
      return true;
    },
    changed: () => undefined,
    retired: () => undefined,
  });
  await reloader.start(["a.js"], new Set(["a.js"]));
  expect(reloader.broken.get("a.js")).toBeDefined();
  await rm(path);
  reloader.touched(path);
  const isBack = (): true | undefined => reloader.broken.get("a.js")?.startsWith("a.js:3:") || undefined;
  await eventually(isBack, { what: "the new text is told as broken", intervalMs: 5 });
  reloader.stop();
});
