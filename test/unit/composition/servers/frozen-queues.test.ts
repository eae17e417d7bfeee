import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFrozenQueues } from "../../../../src/composition/servers/frozen-queues.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

test("frozen queues outlive the service, whatever is saved at the same time", async () => {
  await using folder = await tempFolder("frozen");
  const before = openFrozenQueues(join(folder.path, "Queue"), silentLogger);
  expect(before.names).toEqual([]);
  await Promise.all([before.save(["dead.example"]), before.save(["dead.example", "local"])]);
  expect(openFrozenQueues(join(folder.path, "Queue"), silentLogger).names).toEqual(["dead.example", "local"]);
});

test("a list that cannot be written is an error, and the next one is written when it can", async () => {
  await using folder = await tempFolder("frozen");
  const frozen = openFrozenQueues(folder.path, silentLogger);
  await mkdir(join(folder.path, "frozen.json"));
  const saved = [frozen.save(["dead.example"]), frozen.save(["dead.example"])];
  for (const one of await Promise.allSettled(saved))
    expect(one).toMatchObject({
      status: "rejected",
      reason: { code: "FREEZE_NOT_KEPT", message: expect.stringContaining("frozen.json cannot be written") },
    });
  await rmdir(join(folder.path, "frozen.json"));
  await frozen.save(["dead.example"]);
  expect(openFrozenQueues(folder.path, silentLogger).names).toEqual(["dead.example"]);
});

test("a list that is damaged freezes nothing, and is told", async () => {
  await using folder = await tempFolder("frozen");
  await writeFile(join(folder.path, "frozen.json"), '{"dead.example": true}');
  const told: unknown[] = [];
  const log = { ...silentLogger, error: (...words: unknown[]) => void told.push(words) };
  expect(openFrozenQueues(folder.path, log).names).toEqual([]);
  expect(told).toHaveLength(1);
});
