import { execFileSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { checkCommand } from "../../src/cli/check.ts";
import { checkScripts } from "../../src/composition/scripts/scripts.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { ScriptSwitches } from "../../src/sandbox/versions/script-switches.ts";
import { runInProcess } from "../support/command.ts";
import { tempFolder } from "../support/temp-folder.ts";

const SCRIPTS = {
  "event.js": "export const binding = { event: 'OnArival' }; export default () => {};",
  "dead.js": "export const binding = { rule: 'sender=*', priority: 5 }; export default () => {};",
  "last.js": "export const binding = { priority: 40000 }; export default () => {};",
  "alone.js": "export const binding = { mode: 'shadow', compareWith: 'Native' }; export default () => {};",
  "beside.js":
    "export const binding = { mode: 'shadow', compareWith: 'Overruled' }; export default () => {};",
  "off.js": "export const binding = { rule: 'mail from=*' }; export default () => {};",
  "off-beside.js":
    "export const binding = { mode: 'shadow', compareWith: 'off.js' }; export default () => {};",
  "overruled.js":
    "export const binding = { rule: 'sender=*', limits: { timeoutMs: 3000 } }; export default () => {};",
  "small.js": "export const binding = { limits: { memoryMb: 32, externalMb: 64 } }; export default () => {};",
};

const SINK = `export default {
  event: "OnTransportSubmission",
  binding: { rule: "rcpt to=<*@example.com>" },
  onEvent() {},
};
`;

const CONFIG = `sandbox: { workers: 1 }
bindings:
  - displayName: Native
    event: OnArrival
    sinkClass: ./sink.mjs
  - displayName: Overruled
    event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: overruled.js }
    sourceProperties: { rule: "mail from=*" }
    limits: { cpuMs: 3000, externalMb: 64 }
  - displayName: Trial
    event: OnArrival
    sinkClass: CDO.SS_SMTPOnArrivalSink
    sinkProperties: { ScriptName: overruled.js }
    mode: shadow
    compareWith: overuled.js
    limits: { cpuMs: 3001 }
    sourceProperties: { rule: "mail from=*" }
`;

test("check finds files that are no scripts, tests of none, disabled scripts, dead rules, contradicting limits, unknown keys and shadows of nothing in what scripts and native sinks declare themselves", async () => {
  await using folder = await tempFolder();
  const at = (...names: readonly string[]): string => path.join(folder.path, ...names);
  await mkdir(at("scripts"));
  for (const [name, text] of Object.entries(SCRIPTS)) await writeFile(at("scripts", name), text);
  for (const name of ["old.vbs", "Loud.JS", "_part.JS", "tag.test.ts", "readme.txt"])
    await writeFile(at("scripts", name), "");
  await writeFile(at("scripts", "off.test.ts"), "export const cases = [];");
  await writeFile(at("scripts", "all.test.ts"), 'import { test } from "vitest";');
  await writeFile(at("sink.mjs"), SINK);
  await writeFile(at("onarrival.yaml"), CONFIG);
  const switches = new ScriptSwitches(at("mailroot", "Scripts", "switches.json"), silentLogger);
  await switches.set("off.js", { disabled: true });
  const check = checkCommand(checkScripts);
  const { code, out } = await runInProcess([check], ["check", "-c", at("onarrival.yaml"), "--json"]);
  const { problems, warnings }: { problems: string[]; warnings: string[] } = JSON.parse(out);
  expect(code).toBe(1);
  expect(problems).toEqual([
    expect.stringMatching(/^event\.js: .*binding has the unknown key "event"/),
    expect.stringMatching(/^last\.js: .*binding\.priority must be a whole number from 0 to 32767/),
  ]);
  const keywords = "conditions begin with EHLO, MAIL FROM or RCPT TO";
  const brackets = "addresses stand in rules without < and >";
  const flawed = "its rule has conditions that do not count:";
  const never = "none is left, so it is never called";
  const noLive =
    "is neither the display name nor the script of a live binding that is enabled, so it is compared with nothing";
  expect(warnings).toEqual([
    "Loud.JS: is not run: names of scripts end in .js, .mjs or .ts, in small letters",
    "old.vbs: is not run: scripts are JavaScript or TypeScript; docs/migrating-from-iis.md shows how to rewrite it",
    "tag.test.ts: is not run: there is no script tag.ts, .js or .mjs",
    "off.js: its binding is not called: off.js is disabled; `onarrival scripts enable off.js` switches it on",
    `dead.js: of its binding: ${flawed} "sender=*" (${keywords}); ${never}`,
    `onarrival.yaml:5:16 bindings[0].sinkClass: binding "Native": of its sink: ${flawed} "rcpt to=<*@example.com>" (${brackets}); ${never}`,
    'onarrival.yaml:18:22 bindings[2].limits.cpuMs: binding "Trial": limits.cpuMs (3001) is more than limits.timeoutMs (3000), so it is never reached',
    "small.js: of its binding: limits.externalMb (64) is more than limits.memoryMb (32), so it is never reached",
    `onarrival.yaml:17:18 bindings[2].compareWith: binding "Trial": its compareWith, "overuled.js", ${noLive}`,
    `binding "alone.js": its compareWith, "Native", ${noLive}`,
    `binding "off-beside.js": its compareWith, "off.js", ${noLive}`,
  ]);
});

const MAKE_PIPE = "mkfifo";

// Windows has no such files, which hold up whoever opens them.
test.skipIf(process.platform === "win32")("check waits for no FIFO that is called as a test", async () => {
  await using folder = await tempFolder();
  const at = (...names: readonly string[]): string => path.join(folder.path, ...names);
  await mkdir(at("scripts"));
  execFileSync(MAKE_PIPE, [at("scripts", "tag.test.ts")]);
  await writeFile(at("onarrival.yaml"), "sandbox: { workers: 1 }\n");
  const check = checkCommand(checkScripts);
  const { code, out } = await runInProcess([check], ["check", "-c", at("onarrival.yaml"), "--json"]);
  const warnings = ["tag.test.ts: is not run: there is no script tag.ts, .js or .mjs"];
  expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ warnings })]);
});

test("check compiles scripts whose folder is reached through a link", async () => {
  await using folder = await tempFolder();
  const at = (...names: readonly string[]): string => path.join(folder.path, ...names);
  await mkdir(at("v1", "scripts", "lib"), { recursive: true });
  await writeFile(at("v1", "onarrival.yaml"), "sandbox: { workers: 1 }\n");
  await writeFile(at("v1", "scripts", "lib", "verdict.ts"), "export const verdict: number = 1;\n");
  await writeFile(
    at("v1", "scripts", "a.ts"),
    'import { verdict } from "./lib/verdict.ts";\nexport default function onArrival() { return verdict; }\n',
  );
  await symlink("v1", at("current"));
  const check = checkCommand(checkScripts);
  const { code, out, err } = await runInProcess([check], ["check", "-c", at("current", "onarrival.yaml")]);
  expect({ code, err }, out).toEqual({ code: 0, err: "" });
});

test("H08 names of scripts speak to no terminal, and one of several lines is a script like any other", async () => {
  await using temp = await tempFolder("check-names");
  await mkdir(path.join(temp.path, "scripts"));
  await writeFile(path.join(temp.path, "scripts", "a\u001b]0;x\u0007\u202e.ts"), "export const x = ;");
  await writeFile(path.join(temp.path, "scripts", "two\nlines.ts"), "export default () => {};");
  const file = path.join(temp.path, "onarrival.yaml");
  await writeFile(file, "sandbox: { workers: 1 }\n");
  const command = [checkCommand(checkScripts)];
  const { code, out } = await runInProcess(command, ["check", "-c", file]);
  expect([code, out]).toEqual([1, 'a?]0;x??.ts:1:18: Unexpected ";"\n']);
  const shown = await runInProcess(command, ["check", "-c", file, "--json"]);
  expect(JSON.parse(shown.out)).toMatchObject({
    scripts: [{ script: "a\u001b]0;x\u0007\u202e.ts" }, { script: "two\nlines.ts" }],
  });
  expect(shown.out).not.toContain("\u202e");
});
