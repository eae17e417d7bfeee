import {
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
  mkdir,
  appendFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { createScriptHost, type ScriptHost } from "../../../src/sandbox/script-host.ts";
import { eventually } from "../../support/eventually.ts";
import { fakeProgram } from "../../sandbox/pool/pool-fixture.ts";

let root: string;
let folder: string;
let host: ScriptHost;

const GOOD = "export default function onArrival(msg) { return 0; }\n";
const OTHER = "export default function onArrival(msg) { return 1; }\n";
const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);
const version = (name = "a.ts"): string | undefined => host.scripts.get(name)?.version;

async function startHost(): Promise<void> {
  host = createScriptHost({
    folder,
    stateFolder: join(root, "state"),
    log: silentLogger,
    program: fakeProgram,
    settings: { processes: 1, rescanMs: 300, removalMs: 150 },
  });
  await host.start();
}

/** Until the scripts are as wanted; the change may need several events of the file system. */
async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 10_000) throw new Error(`not reached: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const KEPT = "kept";

/** Gives the version that is kept on disk another name, by which it is known again. */
async function markKept(name: string): Promise<void> {
  const kept = join(root, "state", name);
  const file = await eventually(
    async () => (await readdir(kept).catch(() => [])).find((one) => one.endsWith(".json")),
    { what: `a kept version of ${name}` },
  );
  const path = join(kept, file);
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), version: KEPT }));
}

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "scripts-"));
  folder = join(root, "scripts");
  await mkdir(join(folder, "lib"), { recursive: true });
});

afterEach(async () => {
  await host.stop();
  await rm(root, { recursive: true, force: true });
});

describe("an edit", () => {
  test("goes live when written in place, and when renamed over the file", async () => {
    await write("a.ts", GOOD);
    await startHost();
    const first = version();
    await write("a.ts", OTHER);
    await until(() => version() !== first);
    await write(".a.ts.tmp", GOOD);
    await rename(join(folder, ".a.ts.tmp"), join(folder, "a.ts"));
    await until(() => version() === first);
  });

  test("that is broken keeps the last good version and says file, line and column; the correction clears it", async () => {
    await write("a.ts", GOOD);
    await startHost();
    const first = version();
    await write("a.ts", "export default function onArrival(msg) {\n  msg.Fields('x') = 3;\n}\n");
    await until(() => host.broken.has("a.ts"));
    expect(version()).toBe(first);
    expect(host.scripts.get("a.ts")?.broken).toMatch(/^a\.ts:2:\d+: Invalid assignment target.*\.Value/);
    await write("a.ts", GOOD);
    await until(() => !host.broken.has("a.ts"));
    expect(host.scripts.get("a.ts")?.broken).toBeUndefined();
  });

  test("of an imported file reloads those who import it", async () => {
    await write("lib/n.ts", "export const n: number = 1;");
    await write(
      "a.ts",
      'import { n } from "./lib/n.ts";\nexport default function onArrival() { return n; }\n',
    );
    await startHost();
    const first = version();
    await write("lib/n.ts", "export const n: number = 2;");
    await until(() => version() !== first);
    expect([...host.scripts.keys()]).toEqual(["a.ts"]);
  });

  test("written slowly never goes live in part, even where the beginning is a valid script", async () => {
    await write("a.ts", GOOD);
    await startHost();
    const seen = new Set<string | undefined>();
    host.onChange(() => seen.add(version()));
    await write("a.ts", "");
    for (const part of [OTHER, "console.log(1);\n", "console.log(2);\n", "console.log(3);\n"]) {
      for (const text of part.match(/.{1,10}|\n/g) ?? []) {
        await appendFile(join(folder, "a.ts"), text);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
    }
    await until(() => seen.size > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(seen.size).toBe(1);
  });
});

describe("a restart", () => {
  test("runs the last good version of a file that is broken now", async () => {
    await write("a.ts", GOOD);
    await startHost();
    const first = version();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await host.stop();
    await write("a.ts", "export default function (");
    await startHost();
    expect(version()).toBe(first);
    expect(host.scripts.get("a.ts")?.broken).toMatch(/^a\.ts:1:/);
  });

  test("compiles nothing of a script that says what it said, unless it imports files or was edited meanwhile", async () => {
    await write("lib/n.ts", "export const n = 1;");
    const importing = 'import { n } from "./lib/n.ts";\nexport default function onArrival() { return n; }\n';
    for (const [name, text] of Object.entries({ "a.ts": GOOD, "b.ts": GOOD, "c.ts": importing }))
      await write(name, text);
    await startHost();
    for (const name of host.scripts.keys()) await markKept(name);
    await host.stop();
    await write("b.ts", OTHER);
    await startHost();
    expect([...host.scripts.values()].filter((one) => one.version === KEPT).map(({ name }) => name)).toEqual([
      "a.ts",
    ]);
    expect(host.broken.size).toBe(0);
  });
});

describe("what is no script", () => {
  test("is refused with a message, and hidden files, declarations and backups are passed over", async () => {
    await mkdir(join(folder, "dir.js"));
    await write("big.js", `//${"x".repeat(2 * 1024 * 1024)}`);
    await writeFile(join(root, "outside.js"), GOOD);
    await symlink(join(root, "outside.js"), join(folder, "link.js"));
    await write("fs.js", 'import fs from "node:fs";\nexport default function onArrival() { return fs; }');
    await write(
      "allow.js",
      '/* BINDING {"allow":{}} END */ export default function onArrival() {} export const b = \'/*! BINDING {"allow":{}} END */\';',
    );
    await write(
      "out.js",
      'import { n } from "../outside.js";\nexport default function onArrival() { return n; }',
    );
    await write("none.js", "export default 3;");
    await write("crash.js", "export default function onArrival() { return 'DIE AT LOAD'; }");
    for (const name of ["_part.js", ".hidden.js", "types.d.ts", "a.js~"]) await write(name, GOOD);
    await startHost();
    expect([...host.scripts.keys()]).toEqual([]);
    expect(Object.fromEntries(host.broken)).toMatchObject({
      "dir.js": expect.stringContaining("is a directory"),
      "big.js": expect.stringContaining("bytes"),
      "link.js": expect.stringContaining("out of the script folder"),
      "fs.js": expect.stringMatching(
        /^fs\.js:1:16: Could not resolve "node:fs"; scripts have no modules of Node/,
      ),
      "allow.js": expect.stringContaining("capabilities are granted"),
      "out.js": expect.stringContaining("lies outside the script folder"),
      "none.js": expect.stringContaining("no entry point"),
      "crash.js": expect.stringContaining("ended its sandbox process while loading"),
    });
    expect(host.broken.size).toBe(8);
  });
});

describe("the folder", () => {
  test("may be deleted and created again: its scripts go on, and then follow it", async () => {
    await write("a.ts", GOOD);
    await write("b.ts", GOOD);
    await startHost();
    const first = version();
    await rm(folder, { recursive: true });
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(version()).toBe(first);
    await mkdir(folder);
    await write("a.ts", OTHER);
    await until(() => version() !== first && !host.scripts.has("b.ts"));
    await write("a.ts", GOOD);
    await until(() => version() === first);
  });

  test("that is gone at a start is no empty folder where scripts have run from it", async () => {
    await write("a.ts", GOOD);
    await startHost();
    await markKept("a.ts");
    await host.stop();
    await rename(folder, `${folder}.away`);
    await expect(startHost()).rejects.toMatchObject({ code: "SCRIPTS_UNREADABLE" });
    await host.stop();
    await mkdir(folder);
    await startHost();
    expect([...host.scripts.keys()]).toEqual([]);
  });

  test("forgets a script whose file is removed", async () => {
    await write("a.ts", GOOD);
    await startHost();
    await rm(join(folder, "a.ts"));
    await until(() => host.scripts.size === 0);
  });
});
