import { expect, test } from "vitest";
import { namedScript } from "../../../../src/config/import/script-path.ts";

const FOLDER = "scripts lie in the scripts folder, and end in .js, .mjs or .ts";

test.each([
  ["my.js", "my.js", []],
  ["c:\\scripts\\My.JS", "My.js", [`c:\\scripts\\My.JS becomes My.js: ${FOLDER}`]],
  ["TAG.TS", "TAG.ts", [`TAG.TS becomes TAG.ts: ${FOLDER}`]],
  [
    "c:\\scripts\\my.vbs",
    "my.js",
    [
      `c:\\scripts\\my.vbs becomes my.js: ${FOLDER}`,
      "VBScript does not run here: rewrite my.vbs as my.js (docs/migrating-from-iis.md)",
    ],
  ],
  ["", "", []],
])("the ScriptName %j is %j here, and what that means is said", (given, scriptName, notes) => {
  expect(namedScript(given)).toEqual({ scriptName, notes });
});
