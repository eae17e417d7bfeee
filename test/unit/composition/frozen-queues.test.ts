import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFrozenQueues } from "../../../src/composition/frozen-queues.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { tempFolder } from "../../support/temp-folder.ts";

test("frozen queues outlive the service", async () => {
  await using folder = await tempFolder("frozen");
  const before = openFrozenQueues(join(folder.path, "Queue"), silentLogger);
  expect(before.keys).toEqual([]);
  before.save(["dead.example"]);
  before.save(["dead.example", "local"]);
  await expect
    .poll(() => openFrozenQueues(join(folder.path, "Queue"), silentLogger).keys)
    .toEqual(["dead.example", "local"]);
});

test("a list that is damaged freezes nothing, and is told", async () => {
  await using folder = await tempFolder("frozen");
  await writeFile(join(folder.path, "frozen.json"), '{"dead.example": true}');
  const told: unknown[] = [];
  const log = { ...silentLogger, error: (...words: unknown[]) => void told.push(words) };
  expect(openFrozenQueues(folder.path, log).keys).toEqual([]);
  expect(told).toHaveLength(1);
});
