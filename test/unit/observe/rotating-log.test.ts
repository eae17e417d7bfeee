import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { type LogFields, silentLogger } from "../../../src/core/logger.ts";
import { RotatingLog, type RotatingLogSettings } from "../../../src/observe/rotating-log.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 10, 22, 12);

const open = (
  settings: RotatingLogSettings,
  clock: ManualClock,
  errors: string[] = [],
  warnings: LogFields[] = [],
): RotatingLog =>
  new RotatingLog(settings, {
    what: "the test log",
    prefix: "test",
    extension: "log",
    heading: () => "#head\n",
    flushMs: 5,
    clock,
    log: {
      ...silentLogger,
      error: (_fields, message) => void errors.push(message),
      warn: (fields) => void warnings.push(fields),
    },
  });

const read = async (folder: string): Promise<string[]> =>
  Promise.all((await readdir(folder)).toSorted().map((name) => readFile(path.join(folder, name), "utf8")));

test("begins a file with its heading each day and when one is an eighth full", async () => {
  await using temp = await tempFolder("rotating");
  const folder = path.join(temp.path, "deep", "log");
  const clock = new ManualClock(NOON);
  const log = open({ enabled: true, folder, maxSize: 800, keepDays: 36_500 }, clock);
  log.write("today\n", NOON);
  log.write(`${"x".repeat(100)}\n`, NOON + 1);
  log.write("full before\n", NOON + 2);
  log.write("tomorrow\n", NOON + DAY);
  await log.close();
  expect(await readdir(folder)).toContain("test-20261122-120000000.log");
  expect(await read(folder)).toEqual([
    `#head\ntoday\n${"x".repeat(100)}\n`,
    "#head\nfull before\n",
    "#head\ntomorrow\n",
  ]);
});

test("deletes the oldest of its files beyond the size, and no file of others", async () => {
  await using temp = await tempFolder("rotating");
  const folder = temp.path;
  await writeFile(path.join(folder, "test-mine.log"), "x".repeat(5000));
  const log = open({ enabled: true, folder, maxSize: 1600, keepDays: 36_500 }, new ManualClock(NOON));
  for (let file = 0; file < 20; file += 1) log.write(`${file} ${"x".repeat(200)}\n`, NOON + file);
  await eventually(async () => (await readdir(folder)).length <= 7, { what: "the sweep" });
  await log.close();
  const texts = await read(folder);
  expect(texts.some((text) => text.includes("\n0 x"))).toBe(false);
  expect(texts.some((text) => text.includes("\n19 x"))).toBe(true);
  expect(await readdir(folder)).toContain("test-mine.log");
});

test("deletes files that are older than it keeps them", async () => {
  await using temp = await tempFolder("rotating");
  const now = Date.now();
  const old = path.join(temp.path, "test-20200101-000000000.log");
  await writeFile(old, "old\n");
  await utimes(old, new Date(now - 4 * DAY), new Date(now - 4 * DAY));
  const log = open({ enabled: true, folder: temp.path, maxSize: 1e6, keepDays: 3 }, new ManualClock(now));
  log.write("new\n", now);
  await eventually(async () => (await readdir(temp.path)).length === 1, { what: "the sweep" });
  await log.close();
  expect(await read(temp.path)).toEqual(["#head\nnew\n"]);
});

test("what waits for lines goes on when they are in the file, in order", async () => {
  await using temp = await tempFolder("rotating");
  const log = open(
    { enabled: true, folder: temp.path, maxSize: 1e6, keepDays: 36_500 },
    new ManualClock(NOON),
  );
  const order: number[] = [];
  log.whenKept(() => order.push(0));
  expect(order).toEqual([0]);
  log.write("a line\n", NOON);
  log.whenKept(() => order.push(1));
  log.whenKept(() => order.push(2));
  expect(order).toEqual([0]);
  await eventually(() => order.length === 3);
  expect(order).toEqual([0, 1, 2]);
  expect(await read(temp.path)).toEqual(["#head\na line\n"]);
  await log.close();
});

test("C21 a folder that cannot be written holds nothing up, is told once, and is tried again", async () => {
  await using temp = await tempFolder("rotating");
  const folder = path.join(temp.path, "blocked");
  await writeFile(folder, "");
  const errors: string[] = [];
  const clock = new ManualClock(NOON);
  const log = open({ enabled: true, folder, maxSize: 1e6, keepDays: 36_500 }, clock, errors);
  let kept = 0;
  for (let second = 0; second < 3; second += 1) {
    log.write("lost\n", NOON + second * 1000);
    log.whenKept(() => (kept += 1));
  }
  expect([kept, log.lost, errors.length]).toEqual([3, 3, 1]);
  await rm(folder);
  await mkdir(folder);
  log.write("again\n", NOON + 61_000);
  await log.close();
  expect(await read(folder)).toEqual(["#head\nagain\n"]);
});

test("C21 a failure after lines were written again is told as the first one was", async () => {
  await using temp = await tempFolder("rotating");
  const folder = path.join(temp.path, "blocked");
  await writeFile(folder, "");
  const errors: string[] = [];
  const settings = { enabled: true, folder, maxSize: 1e6, keepDays: 36_500 };
  const log = open(settings, new ManualClock(NOON), errors);
  log.write("lost\n", NOON);
  await rm(folder);
  log.write("again\n", NOON + 61_000);
  log.write("and on\n", NOON + 62_000);
  await rm(folder, { recursive: true });
  await writeFile(folder, "");
  log.write("lost\n", NOON + 63_000);
  expect(errors).toHaveLength(2);
  await log.close();
});

test("C21 a folder that is removed is made again, and the lines that went with it are counted", async () => {
  await using temp = await tempFolder("rotating");
  const folder = path.join(temp.path, "log");
  const warnings: LogFields[] = [];
  const log = open(
    { enabled: true, folder, maxSize: 1e6, keepDays: 36_500 },
    new ManualClock(NOON),
    [],
    warnings,
  );
  log.write("before\n", NOON);
  await rm(folder, { recursive: true });
  log.write("lost\n", NOON + 999);
  log.write("after\n", NOON + 1000);
  await log.close();
  expect(await read(folder)).toEqual(["#head\nafter\n"]);
  expect(log.lost).toBe(2);
  expect(warnings).toMatchObject([{ lines: 2 }]);
});

test("C21 a file that is renamed keeps its lines, and settings that are read again begin a new one at once", async () => {
  await using temp = await tempFolder("rotating");
  const settings = { enabled: true, folder: temp.path, maxSize: 1e6, keepDays: 36_500 };
  const clock = new ManualClock(NOON);
  const log = open(settings, clock);
  log.write("old\n", NOON);
  log.configure(settings);
  log.write("still old\n", NOON + 1);
  const [name = ""] = await readdir(temp.path);
  await rename(path.join(temp.path, name), path.join(temp.path, "rotated"));
  log.configure(settings);
  log.write("new\n", NOON + 2);
  await log.close();
  expect((await read(temp.path)).toSorted()).toEqual(["#head\nnew\n", "#head\nold\nstill old\n"]);
  expect(log.lost).toBe(0);
});

// Every write to /dev/full fails with ENOSPC.
test.runIf(existsSync("/dev/full"))(
  "C21 the lines of a block that could not be written are counted",
  async () => {
    await using temp = await tempFolder("rotating");
    await symlink("/dev/full", path.join(temp.path, "test-20261122-120000000.log"));
    const clock = new ManualClock(NOON);
    const settings = { enabled: true, folder: temp.path, maxSize: 1e6, keepDays: 36_500 };
    const log = open(settings, clock);
    for (let line = 0; line < 3; line += 1) log.write("lost\n", NOON);
    await eventually(() => log.lost > 0);
    // Its heading as well.
    expect(log.lost).toBe(4);
    log.write("lost\n", NOON);
    await log.close();
    expect(log.lost).toBe(5);
  },
);
