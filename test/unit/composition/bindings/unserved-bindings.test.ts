// A binding whose script cannot be called stops mail in silence: who is told, and in which words.
import { expect, test } from "vitest";
import { scriptTable } from "../../../../src/cli/scripts-text.ts";
import type { ConfiguredBinding } from "../../../../src/composition/bindings/bindings.ts";
import { absentScripts, withBindings } from "../../../../src/composition/scripts/script-overview.ts";
import { unservedBindings, warnOfUnserved } from "../../../../src/composition/bindings/unserved-bindings.ts";
import type { BindingSettings } from "../../../../src/config/schema.ts";
import type { Logger } from "../../../../src/core/logger.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { SCRIPT_SINK_CLASS } from "../../../../src/events/binding.ts";

const bound = (
  displayName: string,
  script: string,
  more: Partial<BindingSettings> = {},
): ConfiguredBinding => ({
  settings: {
    id: `{${displayName}}`,
    displayName,
    event: "OnTransportSubmission",
    sinkClass: SCRIPT_SINK_CLASS,
    sinkProperties: { ScriptName: script },
    ...more,
  },
  sink: undefined,
});

const CONFIGURED = [
  bound("all", "broken.ts"),
  bound("some", "gone.ts", { sourceProperties: { rule: "mail from=*@a.example" }, onError: "badmail" }),
  bound("good", "live.ts"),
  bound("off", "gone.ts", { enabled: false }),
  bound("watching", "gone.ts", { mode: "shadow" }),
  bound("switched off", "disabled.ts"),
];
const LIVE = { name: "live.ts", version: "1", binding: {}, entryPoint: "default", since: 0 };
const STANDING = {
  scripts: new Map([["live.ts", LIVE]]),
  broken: new Map([["broken.ts", "broken.ts:1:3: Unexpected token"]]),
  disabled: new Set(["disabled.ts"]),
};

test("those that are called and have nothing to call are told with what becomes of the mail and what to do", () => {
  expect(unservedBindings(CONFIGURED, STANDING)).toEqual([
    {
      binding: "all",
      script: "broken.ts",
      problem: "broken.ts never went live (broken.ts:1:3: Unexpected token), so all mail is held",
      advice: "save a working broken.ts, or disable or remove the binding",
    },
    {
      binding: "some",
      script: "gone.ts",
      problem:
        "gone.ts is not in the scripts folder, so mail that the rule mail from=*@a.example matches moves to Badmail",
      advice: "save a working gone.ts, or disable or remove the binding",
    },
  ]);
});

test("the log has one warning for each", () => {
  const told: object[] = [];
  const log: Logger = { ...silentLogger, warn: (fields) => void told.push(fields) };
  warnOfUnserved(unservedBindings(CONFIGURED, STANDING), log);
  expect(told).toMatchObject([{ binding: "all" }, { binding: "some" }]);
});

test("the list of scripts has those that only bindings name, and says below it what to do", () => {
  const states = ["broken.ts", "live.ts"].map((name) => ({
    name,
    ...(name === "live.ts" ? { version: "1", since: 0 } : { broken: "Unexpected token" }),
    disabled: false,
    suspended: false,
    suspendedInShadow: false,
    pinned: false,
    calls: 0,
    faults: 0,
  }));
  const all = [...states, ...absentScripts(states, CONFIGURED, STANDING)];
  const text = scriptTable(withBindings(all, CONFIGURED, STANDING));
  expect(text).toMatch(/\ngone\.ts +- +- +not there/);
  expect(text).toMatch(/\ndisabled\.ts +- +- +disabled/);
  expect(text).toMatch(
    /\nbinding all: broken\.ts never went live .* is held; what to do: save a working broken\.ts/,
  );
  expect(text).not.toMatch(/binding (?:good|off|watching)/);
});
