// The directories of a configuration: kept over reloads that do not concern them, made anew by those that do.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { Categorizers } from "../../../../src/composition/servers/categorizer.ts";
import { loadConfig } from "../../../../src/config/load.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { OnArrivalError } from "../../../../src/core/errors.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import type { LiveCategorizer } from "../../../../src/transport/categorizer/categorizer.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

test("a directory stays while nothing of it changes, is another one when its file does, and answers again after a stop", async () => {
  await using folder = await tempFolder("categorizers");
  const file = path.join(folder.path, "onarrival.yaml");
  const people = path.join(folder.path, "people.yaml");
  const categorizers = new Categorizers(systemClock, silentLogger);
  const load = async (): Promise<LiveCategorizer> => {
    const config = await loadConfig(file);
    const [server] = config.virtualServers;
    const live = server && categorizers.of(config, server);
    if (live === undefined) throw new OnArrivalError("INTERNAL", "the server has no categorizer");
    return live;
  };
  const kinds = async ({ directory }: LiveCategorizer): Promise<string[]> => {
    const queries = ["ann@one.example", "bob@one.example", "ann@alias.example", "x@far.example"];
    const answers = await directory.resolve(
      queries.map((value) => ({ by: "address", value }) as const),
      [],
    );
    return answers.map(({ kind }) => kind);
  };
  await writeFile(people, "users: { ann: }\n");
  const text =
    "categorizer: { file: people.yaml, maxDepth: 7 }\ndomains: { local: [one.example], alias: [alias.example] }\n";
  await writeFile(file, text);
  const first = await load();
  expect(first.settings).toMatchObject({ maxDepth: 7, unknown: "pass" });
  expect(await kinds(first)).toEqual(["found", "unknown", "found", "not-mine"]);
  await writeFile(file, `${text}hostName: other.example\n`);
  expect(await load()).toBe(first);
  await writeFile(people, "users: { ann: , bob: }\n");
  const second = await load();
  expect(second).not.toBe(first);
  expect(await kinds(second)).toEqual(["found", "found", "found", "not-mine"]);
  await second.directory.close();
  expect(await load()).not.toBe(second);
});
