// Bindings of native sinks that say themselves which messages they want, and when.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { bindingsCommand } from "../../../src/cli/bindings.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { runInProcess } from "../../support/command.ts";
import { tempFolder } from "../../support/temp-folder.ts";

test("a binding that is added without rule and priority leaves both to its sink, and the list says so", async () => {
  await using folder = await tempFolder("native-bindings");
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(
    path.join(folder.path, "partner.mjs"),
    'export default { event: "OnPerRecipient", binding: { rule: "RCPT TO=*@partner.example", priority: 1000 }, onEvent() {} };',
  );
  const bindings = (...args: readonly string[]): ReturnType<typeof runInProcess> =>
    runInProcess([bindingsCommand], ["bindings", ...args, "-c", file]);
  const added = await bindings("add", "OnPerRecipient", "Partner", "./partner.mjs");
  expect(added.err).toBe("");
  expect(added.out).toMatch(/^rule +RCPT TO=\*@partner\.example$/m);
  expect(added.out).toMatch(/^priority +1000$/m);
  await bindings("add", "OnPerRecipient", "Late", "./partner.mjs", "RCPT TO=*@late.example", "30000");
  const [partner, late] = (await loadConfig(file)).bindings;
  expect(partner?.sourceProperties).toBeUndefined();
  expect(late?.sourceProperties).toEqual({ rule: "RCPT TO=*@late.example", priority: 30_000 });
  const { out } = await bindings("list");
  const rows = out.split("\n").map((line) => line.split(/ {2,}/));
  expect(rows[1]).toEqual(expect.arrayContaining(["Partner", "1000", "RCPT TO=*@partner.example"]));
  expect(rows[2]).toEqual(expect.arrayContaining(["Late", "30000", "RCPT TO=*@late.example"]));
});
