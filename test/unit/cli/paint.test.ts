import { expect, test } from "vitest";
import { createPaint } from "../../../src/cli/paint.ts";

test.each([
  ["a terminal", true, {}, true, true],
  ["a file or a pipe", true, {}, false, false],
  ["--no-color", false, { FORCE_COLOR: "1" }, true, false],
  ["NO_COLOR", true, { NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
  ["an empty NO_COLOR", true, { NO_COLOR: "" }, true, true],
  ["FORCE_COLOR into a pipe", true, { FORCE_COLOR: "1" }, false, true],
  ["FORCE_COLOR=0 into a pipe", true, { FORCE_COLOR: "0" }, false, false],
])("%s", (_title, wanted, env, isTerminal, colored) => {
  const text = createPaint(wanted, env, isTerminal)("added", "x");
  expect(text).toBe(colored ? "\u001b[32mx\u001b[39m" : "x");
});
