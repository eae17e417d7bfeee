// What people decided about scripts, when it cannot be written.
import { mkdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "../../../../src/core/logger.ts";
import { ScriptSwitches } from "../../../../src/sandbox/versions/script-switches.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

const PIN = { version: "1".repeat(16), sources: "as the file was", since: 1 };

test("what cannot be written does not count, and holds up nothing that comes after it", async () => {
  await using folder = await tempFolder();
  const file = join(folder.path, "switches.json");
  const switches = new ScriptSwitches(file, silentLogger);
  await switches.set("a.ts", { disabled: true });
  // In the way of the file that is written first.
  await mkdir(`${file}.new`);
  const changes = [
    switches.set("a.ts", {}),
    switches.set("b.ts", { pin: PIN }),
    switches.set("c.ts", { disabled: true }),
    switches.set("c.ts", { disabled: true, pin: PIN }),
  ];
  expect((await Promise.allSettled(changes)).map(({ status }) => status)).toEqual(
    changes.map(() => "rejected"),
  );
  expect([...switches.disabled]).toEqual(["a.ts"]);
  expect([switches.pinOf("b.ts"), switches.pinOf("c.ts")]).toEqual([undefined, undefined]);
  await rmdir(`${file}.new`);
  await switches.set("b.ts", { pin: PIN });
  const again = new ScriptSwitches(file, silentLogger);
  await again.load();
  expect([[...again.disabled], again.pinOf("b.ts")]).toEqual([["a.ts"], PIN]);
});
