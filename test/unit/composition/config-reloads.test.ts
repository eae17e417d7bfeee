// A service that follows its configuration: with real files, in the time of the test.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { followConfig } from "../../../src/composition/config-reloads.ts";
import { ConfigSource } from "../../../src/config/config-source.ts";
import type { Config } from "../../../src/config/schema.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";

test("a directory for which the file was refused is all that has to be corrected", async () => {
  await using folder = await tempFolder("follow");
  const at = (name: string): string => path.join(folder.path, name);
  await writeFile(at("onarrival.yaml"), "mailroot: m\n");
  const source = new ConfigSource(at("onarrival.yaml"), {});
  const clock = new ManualClock();
  const refused: unknown[] = [];
  const taken: Config[] = [];
  const reloads = followConfig({
    source,
    config: await source.load(),
    reload: (config) => Promise.resolve(void taken.push(config)),
    clock,
    log: { ...silentLogger, error: (fields: object) => void refused.push(fields) },
  });
  /** Looks go on until it happens. */
  const look = (what: string, happened: () => boolean): Promise<unknown> =>
    eventually(
      async () => {
        await clock.advance(200);
        return happened();
      },
      { what },
    );
  try {
    await writeFile(at("people.yaml"), "users: 7\n");
    await writeFile(at("onarrival.yaml"), "categorizer: { file: people.yaml }\n");
    await look("a refusal", () => refused.length === 1);
    expect(refused).toMatchObject([{ problem: expect.stringContaining("people.yaml:1:8 users") }]);
    await writeFile(at("people.yaml"), "users: { ann: }\n");
    await look("a reload", () => taken.length === 1);
    expect([...(taken[0]?.directoryFiles.keys() ?? [])]).toEqual(["default"]);
  } finally {
    await reloads.close();
  }
});
