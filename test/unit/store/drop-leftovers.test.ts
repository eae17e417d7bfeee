import { readdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { removeLeftovers } from "../../../src/store/drop-leftovers.ts";
import { createMessageIds } from "../../../src/core/message-ids.ts";
import { temporaryFolder } from "./store-samples.ts";

test("what a killed run left half written in Drop is removed: what is old, and of no other program", async () => {
  await using folder = await temporaryFolder();
  const nextId = createMessageIds(systemClock, Math.random);
  const put = async (name: string, ageMs: number): Promise<string> => {
    const file = path.join(folder.path, name);
    await writeFile(file, "half");
    const then = new Date(Date.now() - ageMs);
    await utimes(file, then, then);
    return name;
  };
  const old = 120_000;
  await put(`.${nextId()}.tmp`, old);
  await put(`.${nextId()}-2.tmp`, old);
  await put(`.${nextId()}.eml.tmp`, old);
  const kept = await Promise.all([
    put(`.${nextId()}.tmp`, 1000),
    put(`${nextId()}.eml`, old),
    put(".notes.tmp", old),
    put(`${nextId()}.tmp`, old),
    put(`.${nextId()}x.tmp`, old),
  ]);
  await removeLeftovers(folder.path, Date.now(), silentLogger);
  expect((await readdir(folder.path)).toSorted()).toEqual(kept.toSorted());
});

test("a Drop folder that cannot be read keeps no service from its start", async () => {
  await using folder = await temporaryFolder();
  const told: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: unknown, text: string) => void told.push(text) };
  await removeLeftovers(path.join(folder.path, "none"), Date.now(), logger);
  expect(told).toEqual(["unfinished files in Drop could not be removed"]);
});
