// Which version stands in for the file of a script, and when the file counts again.
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "../../../../src/core/logger.ts";
import { Generations } from "../../../../src/sandbox/versions/generations.ts";
import { LastGood } from "../../../../src/sandbox/versions/last-good.ts";
import { ScriptSwitches } from "../../../../src/sandbox/versions/script-switches.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const PIN = { version: "1".repeat(16), sources: "as the file was", since: 1 };
const LIVE = {
  name: "tag.ts",
  version: "2".repeat(16),
  since: 2,
  entryPoint: "default",
  binding: {},
  code: "//",
  sourceMap: "",
};

test("a changed file ends a rollback, but not one of the moment in which its version is being kept", async () => {
  await using folder = await tempFolder();
  const generations = new Generations(folder.path);
  const switches = new ScriptSwitches(join(folder.path, "switches.json"), silentLogger);
  const lastGood = new LastGood({ generations, switches, log: silentLogger });
  await switches.set(LIVE.name, { pin: PIN });
  await lastGood.endRollback(LIVE.name, "as the file is", LIVE);
  expect(switches.pinOf(LIVE.name)).toBeUndefined();

  await switches.set(LIVE.name, { pin: PIN });
  const ending = lastGood.endRollback(LIVE.name, "as the file is", LIVE);
  const newPin = { ...PIN, sources: "as the file is" };
  await switches.set(LIVE.name, { pin: newPin });
  await ending;
  expect(switches.pinOf(LIVE.name)).toEqual(newPin);
});
