// FAULTS group R: what may happen to files of the script folder, and what is live afterwards.
import { execFile } from "node:child_process";
import {
  chmod,
  mkdir,
  open,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { Content } from "../../src/message/content.ts";
import { DEFAULT_SCRIPT_LIMITS } from "../../runtime/contract.ts";
import { eventually, sleep } from "../support/eventually.ts";
import { OTHER, type Reloading, SCRIPT, startReloading } from "../sandbox/reload/reload-fixture.ts";
import { NO_ENVELOPE } from "../support/no-envelope.ts";

const run = promisify(execFile);

const reloads = ({ lines }: Reloading): number =>
  lines.filter(({ message }) => message === "script reloaded").length;

/** What the live version answers to a message: 0 or 1. */
async function verdict({ host }: Reloading, name = "a.ts"): Promise<number | string> {
  const script = host.scripts.get(name);
  if (script === undefined) return "no script";
  const envelope = NO_ENVELOPE;
  const limits = DEFAULT_SCRIPT_LIMITS;
  const parts = {
    bindingName: name,
    sinkProperties: {},
    limits,
    allow: {},
    cacheable: true,
    continueOnFault: false,
  };
  const content = Content.fromBuffer(Buffer.from("Subject: x\r\n\r\n"));
  const { outcomes } = await host.run({ messageId: "m", content, envelope, calls: [{ script, ...parts }] });
  return outcomes[0]?.fault?.message ?? outcomes[0]?.verdict ?? "nothing";
}

describe("a broken edit", () => {
  test("R02, R03: keeps the old version, whether it does not compile, throws or hangs while loading, or has no entry point", async () => {
    await using reloading = await startReloading({ "a.ts": SCRIPT });
    const before = reloading.version();
    const edits: [text: string, problem: RegExp][] = [
      ["export default function onArrival( {\n}\n", /^a\.ts:\d+:\d+: /],
      ["\nnull.x;\nexport default function onArrival() {}\n", /^a\.ts:2:\d+: TypeError/],
      ["for (;;);\nexport default function onArrival() {}\n", /did not end loading in time/],
      ["export const onDeparture = 1;\n", /entry point/],
      ['import { x } from "./lib/none.ts";\nexport default () => x;\n', /^a\.ts:1:\d+: Could not resolve/],
      ["export default function onArrival() {}\nawait 1;\n", /^a\.ts:2:\d+: Top-level await/],
    ];
    for (const [text, problem] of edits) {
      await reloading.write("a.ts", text);
      await reloading.refused("a.ts", problem);
      expect(await verdict(reloading)).toBe(0);
    }
    expect(reloading.version()).toBe(before);
    expect(reloading.lines.filter(({ level }) => level === "error")).toHaveLength(edits.length);
    await reloading.write("a.ts", OTHER);
    await reloading.changed(before);
    expect(await verdict(reloading)).toBe(1);
  });
});

test("R03: scripts that are looked at one after the other do not spoil it for each other", async () => {
  const spoilt = `Array.prototype.map = null;
globalThis.kept = Array.from({ length: 1e6 }, () => ({}));
Promise.resolve().then(() => { for (;;); });
${SCRIPT}`;
  const files = Object.fromEntries(["b", "d"].map((name) => [`${name}.ts`, OTHER]));
  await using reloading = await startReloading({ ...files, "c.ts": spoilt });
  for (const name of Object.keys(files)) expect(await verdict(reloading, name)).toBe(1);
});

describe("ways to save", () => {
  const ways: readonly (readonly [
    name: string,
    save: (path: (name: string) => string, text: string) => Promise<void>,
  ])[] = [
    ["in place", (path, text) => writeFile(path("a.ts"), text)],
    [
      "truncated, then written in two parts",
      async (path, text) => {
        await truncate(path("a.ts"), 0);
        const file = await open(path("a.ts"), "r+");
        await file.write(text.slice(0, 20));
        await file.write(text.slice(20));
        await file.close();
      },
    ],
    [
      "as another file that is moved over it, with a swap file beside",
      async (path, text) => {
        await writeFile(path(".a.ts.swp"), "swap");
        await writeFile(path("4913"), "");
        await unlink(path("4913"));
        await writeFile(path("a.ts.tmp"), text);
        await rename(path("a.ts.tmp"), path("a.ts"));
        await unlink(path(".a.ts.swp"));
      },
    ],
    [
      "with the old one moved away as a backup",
      async (path, text) => {
        await rename(path("a.ts"), path("a.ts~"));
        await writeFile(path("a.ts"), text);
        await unlink(path("a.ts~"));
      },
    ],
    [
      "deleted and written again",
      async (path, text) => {
        await unlink(path("a.ts"));
        await writeFile(path("a.ts"), text);
      },
    ],
  ];

  test("R05: whichever way an editor saves, the script is reloaded once, with the new content", async () => {
    await using reloading = await startReloading({ "a.ts": SCRIPT });
    let round = 0;
    for (const [way, save] of ways) {
      const before = reloading.version();
      const count = reloads(reloading);
      round += 1;
      await save(
        (name) => reloading.path(name),
        `${round % 2 === 1 ? OTHER : SCRIPT}globalThis.round = ${round};\n`,
      );
      await reloading.changed(before);
      await sleep(250);
      expect(reloads(reloading), way).toBe(count + 1);
      expect(await verdict(reloading), way).toBe(round % 2);
    }
    expect([...reloading.host.scripts.keys()]).toEqual(["a.ts"]);
  });

  test("R05, R08: a link that is turned from one folder to another takes all scripts along", async () => {
    await using reloading = await startReloading(
      { "..one/a.ts": SCRIPT, "..two/a.ts": OTHER },
      { settings: { rescanMs: 60_000 } },
    );
    await symlink("..one", reloading.path("..data"));
    await symlink("..data/a.ts", reloading.path("a.ts"));
    const before = await reloading.changed(undefined);
    await symlink("..two", reloading.path("..data_tmp"));
    await rename(reloading.path("..data_tmp"), reloading.path("..data"));
    await reloading.changed(before);
    expect(await verdict(reloading)).toBe(1);
  });

  test("R04: a file that grows by one byte every 50 ms goes live once, when it is whole", async () => {
    await using reloading = await startReloading({ "a.ts": SCRIPT });
    const seen = new Set<string | undefined>();
    const before = reloading.version();
    reloading.host.onChange(() => seen.add(reloading.version()));
    await reloading.write("a.ts", "export default()=>1;");
    await reloading.changed(before);
    seen.clear();
    const live = reloading.version();
    await reloading.write("a.ts", "export default()=>0");
    for (const byte of ";//whole\n") {
      await sleep(50);
      await reloading.append("a.ts", byte);
    }
    await sleep(400);
    seen.delete(live);
    expect(seen.size).toBeLessThanOrEqual(1);
    expect(await verdict(reloading)).toBe(0);
  });

  test("R09: the content decides: a touched file is the same version, and one with its old times a new one", async () => {
    await using reloading = await startReloading({ "a.ts": SCRIPT });
    const before = reloading.version();
    const { atime, mtime } = await stat(reloading.path("a.ts"));
    await utimes(reloading.path("a.ts"), new Date(), new Date());
    await sleep(400);
    expect(reloads(reloading)).toBe(0);
    await reloading.write("a.ts", SCRIPT.replace("0", "1"));
    await utimes(reloading.path("a.ts"), atime, mtime);
    await reloading.changed(before);
    await utimes(reloading.path("a.ts"), 0, 0);
    await sleep(200);
    expect(reloads(reloading)).toBe(1);
  });
});

describe("what comes and goes", () => {
  test("R06: a renamed script is another one; a deleted and restored one goes on", async () => {
    await using reloading = await startReloading({ "a.ts": SCRIPT, "c.ts": OTHER });
    await rename(reloading.path("a.ts"), reloading.path("b.ts"));
    await reloading.changed(undefined, "b.ts");
    await eventually(() => !reloading.host.scripts.has("a.ts"), { what: "a.ts is removed" });
    await rm(reloading.path("c.ts"));
    await sleep(60);
    await reloading.write("c.ts", OTHER);
    await sleep(400);
    expect([...reloading.host.scripts.keys()].toSorted()).toEqual(["b.ts", "c.ts"]);
    expect(reloading.lines.filter(({ message }) => message === "script removed")).toMatchObject([
      { script: "a.ts" },
    ]);
  });

  test.skipIf(process.getuid?.() === 0)(
    "R06: a script that may not be read stays as it was, and is told once",
    async () => {
      await using reloading = await startReloading({ "a.ts": SCRIPT });
      await chmod(reloading.path("a.ts"), 0);
      expect(await reloading.refused()).toContain("EACCES");
      await sleep(700);
      expect(reloading.lines.filter(({ error }) => String(error).includes("EACCES"))).toHaveLength(1);
      expect(await verdict(reloading)).toBe(0);
      await chmod(reloading.path("a.ts"), 0o600);
      await reloading.accepted();
    },
  );

  test("R07: links out, loops, FIFOs, devices, folders and giants are refused, and hold nothing up", async () => {
    await using reloading = await startReloading({ "good.ts": SCRIPT, "lib/inner.ts": SCRIPT });
    await symlink("/etc/hostname", reloading.path("out.js"));
    await symlink("loop.js", reloading.path("loop.js"));
    await symlink("/dev/zero", reloading.path("device.js"));
    await run("mkfifo", [reloading.path("fifo.js")]);
    await mkdir(reloading.path("folder.js"));
    await truncate((await writeFile(reloading.path("giant.js"), ""), reloading.path("giant.js")), 2 ** 31);
    await symlink("lib/inner.ts", reloading.path("inside.ts"));
    await reloading.write(
      "reads-fifo.ts",
      'import x from "./fifo.js";\nexport default function onArrival() { return x; }\n',
    );
    for (const [name, reason] of [
      ["out.js", /out of the script folder/],
      ["loop.js", /ELOOP/],
      ["device.js", /out of the script folder/],
      ["fifo.js", /FIFO/],
      ["folder.js", /directory/],
      ["giant.js", /2147483648 bytes/],
      ["reads-fifo.ts", /FIFO/],
    ] as const)
      expect(await reloading.refused(name, reason)).toMatch(reason);
    await reloading.changed(undefined, "inside.ts");
    expect([...reloading.host.scripts.keys()].toSorted()).toEqual(["good.ts", "inside.ts"]);
  });
});

describe("what scripts are made of", () => {
  test("R08: a changed file of lib reloads all that import it, also through each other in a circle; packages count too", async () => {
    const importing =
      'import { n } from "./lib/a.ts";\nexport default function onArrival() { return n(); }\n';
    await using reloading = await startReloading({
      "a.ts": importing,
      "b.ts": `${importing}//\n`,
      "p.ts": 'import n from "numbers";\nexport default function onArrival() { return n; }\n',
      "lib/a.ts": 'import { m } from "./b.ts";\nexport const one = 0;\nexport const n = () => m();\n',
      "lib/b.ts": 'import { one } from "./a.ts";\nexport const m = () => one;\n',
      "package.json": '{ "dependencies": { "numbers": "*" } }',
      "node_modules/numbers/package.json": '{ "name": "numbers", "main": "zero.js" }',
      "node_modules/numbers/zero.js": "export default 0;\n",
      "node_modules/numbers/one.js": "export default 1;\n",
    });
    expect(Object.fromEntries(reloading.host.broken)).toEqual({});
    const before = [reloading.version("a.ts"), reloading.version("b.ts"), reloading.version("p.ts")] as const;
    await reloading.write(
      "lib/a.ts",
      'import { m } from "./b.ts";\nexport const one = 1;\nexport const n = () => m();\n',
    );
    await reloading.changed(before[0], "a.ts");
    await reloading.changed(before[1], "b.ts");
    expect(await verdict(reloading, "b.ts")).toBe(1);
    await reloading.write("node_modules/numbers/package.json", '{ "name": "numbers", "main": "one.js" }');
    await reloading.write("package.json", '{ "dependencies": { "numbers": "^2" } }');
    await reloading.changed(before[2], "p.ts");
    expect(await verdict(reloading, "p.ts")).toBe(1);
  });

  test('R13: byte order marks, CRLF, #! lines, "use strict", TypeScript and giant source maps are all the same to it', async () => {
    const sourceMap = JSON.stringify({
      version: 3,
      sources: ["x.ts"],
      mappings: "AAAA",
      sourcesContent: ["x".repeat(1024 * 1024)],
    });
    const files = {
      "bom.ts": `\uFEFF${OTHER}`,
      "crlf.js": OTHER.replaceAll("\n", "\r\n"),
      "shebang.mjs": `#!/usr/bin/env node\n${OTHER}`,
      "strict.js": '"use strict";\nfunction onArrival() { return 1; }\n',
      "typed.ts":
        "interface N { n: number }\nexport default function onArrival(): number { const x = { n: 1 } satisfies N; return x.n; }\n",
      "mapped.js": `${OTHER}//# sourceMappingURL=data:application/json;base64,${Buffer.from(sourceMap).toString("base64")}\n`,
    };
    await using reloading = await startReloading(files);
    expect(Object.fromEntries(reloading.host.broken)).toEqual({});
    for (const name of Object.keys(files)) expect(await verdict(reloading, name), name).toBe(1);
  });
});

describe("a folder without notifications", () => {
  test("R11: is looked at every pollMs", async () => {
    await using reloading = await startReloading(
      { "a.ts": SCRIPT },
      { settings: { watch: "poll", rescanMs: 60_000 } },
    );
    const before = reloading.version();
    await reloading.write("a.ts", OTHER);
    await reloading.changed(before);
    await reloading.write("b.ts", OTHER);
    await reloading.changed(undefined, "b.ts");
  });
});
