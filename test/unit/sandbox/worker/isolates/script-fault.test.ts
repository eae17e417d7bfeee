import { expect, test } from "vitest";
import { scriptFault } from "../../../../../src/sandbox/worker/isolates/script-fault.ts";

test.each([
  ["setTimeout", "; scripts have no timers"],
  ["Buffer", "; scripts do not run in Node: docs/scripts.md lists what there is"],
  ["WScript", '; objects are made by new ActiveXObject("CDO.Message"); docs/scripts.md lists the classes'],
  ["total", ""],
  ["constructor", ""],
])("a script that expects %s is told what there is instead", (name, advice) => {
  const { message } = scriptFault("throw", `ReferenceError: ${name} is not defined`, "", "a.ts");
  expect(message).toBe(`ReferenceError: ${name} is not defined${advice}`);
});
