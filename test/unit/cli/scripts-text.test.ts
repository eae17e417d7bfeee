// What `onarrival scripts` says of scripts that need somebody.
import { expect, test } from "vitest";
import { describeScript, scriptTable } from "../../../src/cli/scripts-text.ts";
import type { ShownDetails } from "../../../src/composition/scripts/script-overview.ts";
import type { ScriptLogEntry } from "../../../src/sandbox/versions/script-activity.ts";

const shown = (more: Partial<ShownDetails>): ShownDetails => ({
  name: "loop.ts",
  version: "9e2ec88063124f22",
  since: 0,
  disabled: false,
  suspended: false,
  suspendedInShadow: false,
  pinned: false,
  calls: 0,
  faults: 0,
  source: "/scripts/loop.ts",
  imports: [],
  versions: [],
  running: true,
  bindings: [],
  unserved: [],
  ...more,
});

const line = (sequence: number, text: string, version = "9e2ec88063124f22"): ScriptLogEntry => ({
  sequence,
  time: sequence * 1000,
  level: "error",
  text,
  version,
});

test("X35 a suspended script is told with the fault that suspended it, and what to do", () => {
  const entries = [
    line(1, "throw: loop.ts:1:1: Error: of another version", "0"),
    line(2, "timeout: loop.ts: the script did not end within 1000 ms"),
    line(3, "suspended: loop.ts: suspended after too many timeouts or crashes in a row"),
    line(4, "throw: loop.ts:1:1: Error: of another version", "0"),
  ];
  const script = shown({ suspended: true });
  expect(describeScript(script, entries).join("\n")).toMatch(
    /\nsuspended +1970-01-01T00:00:02Z timeout: loop\.ts: the script did not end within 1000 ms\nwhat to do +save a corrected loop\.ts/,
  );
  expect(describeScript(script, []).join("\n")).toMatch(
    /\nsuspended +too many timeouts or crashes in a row\n/,
  );
  expect(describeScript(shown({}), entries).join("\n")).not.toMatch(/suspended|what to do/);
  expect(scriptTable([script])).toMatch(/\nloop\.ts is suspended: onarrival scripts show loop\.ts$/);
});

test("an edit that is not live is told with the script, also when the fault is in what it imports", () => {
  const broken = "lib/mark.ts:1:27: Unterminated string literal";
  expect(scriptTable([shown({ broken })])).toMatch(
    /\nthe newest loop\.ts is not live: lib\/mark\.ts:1:27: Unterminated string literal$/,
  );
});
