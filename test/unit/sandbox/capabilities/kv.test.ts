import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../../src/core/clock.ts";
import { type Logger, silentLogger } from "../../../../src/core/logger.ts";
import {
  createKeyValueStores,
  type KeyValueSettings,
  type KeyValueStores,
} from "../../../../src/sandbox/capabilities/kv.ts";
import { DEFAULT_BROKER_SETTINGS } from "../../../support/default-settings.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { tempFolder } from "../../../support/temp-folder.ts";

interface Options {
  readonly settings?: Partial<KeyValueSettings>;
  readonly clock?: ManualClock;
  readonly log?: Logger;
}

const storesIn = (folder: string, { settings, clock, log }: Options = {}): KeyValueStores =>
  createKeyValueStores({
    folder,
    settings: { ...DEFAULT_BROKER_SETTINGS.kv, ...settings },
    clock: clock ?? systemClock,
    log: log ?? silentLogger,
  });

const textOf = async (stores: KeyValueStores, key: string, script = "a.ts"): Promise<string | undefined> =>
  (await stores.get(script, key))?.toString();
const bytes = (text: string): Buffer => Buffer.from(text);
const onlyFile = (folder: string): string => join(folder, readdirSync(folder)[0] ?? "");

describe("a key-value store", () => {
  test("keeps of what came with a value nothing but the value", async () => {
    await using folder = await tempFolder();
    const stores = storesIn(folder.path);
    const chunk = Buffer.alloc(65_536, "x");
    await stores.set("a.ts", "k", chunk.subarray(100, 103));
    const kept = await stores.get("a.ts", "k");
    expect(kept?.toString()).toBe("xxx");
    expect(kept?.buffer.byteLength).toBe(3);
    await stores.close();
  });

  test("gives back what was set, over a restart, and each script has its own", async () => {
    await using folder = await tempFolder();
    const stores = storesIn(folder.path);
    await stores.set("a.ts", "påse 🦊", Buffer.from([0, 255, 10]));
    await stores.set("a.ts", "gone", bytes("x"));
    expect(await stores.delete("a.ts", "gone")).toBe(true);
    expect(await stores.delete("a.ts", "gone")).toBe(false);
    await stores.set("b.ts", "k", bytes("of b"));
    await stores.set("a/../../b?.ts", "k", bytes("odd"));
    await stores.close();

    const again = storesIn(folder.path);
    expect([...((await again.get("a.ts", "påse 🦊")) ?? [])]).toEqual([0, 255, 10]);
    expect(await again.get("a.ts", "gone")).toBeUndefined();
    expect(await again.get("a.ts", "k")).toBeUndefined();
    expect(await textOf(again, "k", "b.ts")).toBe("of b");
    expect(await textOf(again, "k", "a/../../b?.ts")).toBe("odd");
    expect(readdirSync(folder.path)).toHaveLength(3);
    await again.close();
  });

  test("takes requests of one script in their order, whether or not they are waited for", async () => {
    await using folder = await tempFolder();
    const stores = storesIn(folder.path);
    const answers = await Promise.all([
      textOf(stores, "k"),
      stores.set("a.ts", "k", bytes("1")),
      textOf(stores, "k"),
      stores.set("a.ts", "k", bytes("2")),
      stores.delete("a.ts", "k"),
      textOf(stores, "k"),
      stores.set("a.ts", "k", bytes("3")),
    ]);
    expect(answers).toEqual([undefined, undefined, "1", undefined, true, undefined, undefined]);
    await stores.close();
    const again = storesIn(folder.path);
    expect(await textOf(again, "k")).toBe("3");
    await again.close();
  });

  test("forgets an entry when its time is over, also over a restart", async () => {
    await using folder = await tempFolder();
    const clock = new ManualClock();
    const stores = storesIn(folder.path, { clock });
    await stores.set("a.ts", "short", bytes("x"), 1000);
    await stores.set("a.ts", "long", bytes("y"), 100_000);
    await stores.set("a.ts", "renewed", bytes("z"), 1000);
    await stores.set("a.ts", "renewed", bytes("z"));
    expect(await textOf(stores, "short")).toBe("x");
    await clock.advance(1000);
    expect(await stores.get("a.ts", "short")).toBeUndefined();
    expect(await stores.delete("a.ts", "short")).toBe(false);
    await stores.close();
    const again = storesIn(folder.path, { clock });
    expect([
      await textOf(again, "short"),
      await textOf(again, "long"),
      await textOf(again, "renewed"),
    ]).toEqual([undefined, "y", "z"]);
    await again.close();
  });

  test("leaves the memory when nobody uses it, and comes back", async () => {
    await using folder = await tempFolder();
    const clock = new ManualClock();
    const stores = storesIn(folder.path, { clock });
    await stores.set("a.ts", "k", bytes("v"));
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
    expect(await textOf(stores, "k")).toBe("v");
    await stores.close();
  });
});

describe("limits", () => {
  test("of keys, values and the whole name the setting, and what was there stays", async () => {
    await using folder = await tempFolder();
    const stores = storesIn(folder.path, { settings: { maxKeys: 2, maxValueBytes: 10, maxTotalBytes: 20 } });
    expect(await stores.set("a.ts", "a", bytes("12345678901"))).toMatch(/kvMaxValueBytes is 10/);
    expect(await stores.set("a.ts", "a", bytes("1234567890"))).toBeUndefined();
    expect(await stores.set("a.ts", "b", bytes("1234567890"))).toMatch(/kvMaxTotalBytes 20/);
    expect(await stores.set("a.ts", "a", bytes("0987654321"))).toBeUndefined();
    expect(await stores.set("a.ts", "b", bytes("1"))).toBeUndefined();
    expect(await stores.set("a.ts", "c", bytes("1"))).toMatch(/kvMaxKeys is 2/);
    expect(await stores.set("a.ts", "b", bytes("2"))).toBeUndefined();
    expect(await stores.set("b.ts", "c", bytes("1"))).toBeUndefined();
    expect([await textOf(stores, "a"), await textOf(stores, "b")]).toEqual(["0987654321", "2"]);
    await stores.close();
  });

  test("do not count what has expired", async () => {
    await using folder = await tempFolder();
    const clock = new ManualClock();
    const stores = storesIn(folder.path, { clock, settings: { maxKeys: 1 } });
    await stores.set("a.ts", "a", bytes("1"), 10);
    expect(await stores.set("a.ts", "b", bytes("1"))).toMatch(/is full/);
    await clock.advance(10);
    expect(await stores.set("a.ts", "b", bytes("1"))).toBeUndefined();
    await stores.close();
  });

  test.each([
    ["an empty key", "", undefined],
    ["a long key", "k".repeat(1025), undefined],
    ["a TTL of nothing", "k", 0],
    ["a TTL that is no number", "k", Number.NaN],
    ["a TTL without end", "k", Infinity],
  ])("%s is refused", async (_what, key, ttlMs) => {
    await using folder = await tempFolder();
    const stores = storesIn(folder.path);
    expect(await stores.set("a.ts", key, bytes("v"), ttlMs)).toBeDefined();
    await stores.close();
  });
});

describe("the log of a store", () => {
  test("is rewritten when most of it is history, and stays small", async () => {
    await using folder = await tempFolder();
    const stores = storesIn(folder.path);
    const value = Buffer.alloc(60_000, "v");
    for (let round = 0; round < 20; round += 1)
      // oxlint-disable-next-line no-await-in-loop
      await Promise.all([0, 1, 2].map((key) => stores.set("a.ts", `${round % 2}${key}`, value)));
    await stores.set("a.ts", "last", bytes("x"));
    const { ino } = statSync(onlyFile(folder.path));
    await stores.set("a.ts", "last", bytes("x"));
    expect(statSync(onlyFile(folder.path)).ino, "is not rewritten at every change").toBe(ino);
    await stores.close();
    expect(statSync(onlyFile(folder.path)).size).toBeLessThan(1_300_000);
    const again = storesIn(folder.path);
    expect((await again.get("a.ts", "12"))?.equals(value)).toBe(true);
    expect(await textOf(again, "last")).toBe("x");
    await again.close();
  });

  test.each([
    [
      "half a record at the end",
      (file: string): void => appendFileSync(file, Buffer.from([40, 0, 0, 0, 1, 2])),
    ],
    ["zeroes at the end", (file: string): void => appendFileSync(file, Buffer.alloc(4096))],
    [
      "a length that leads out of the file",
      (file: string): void => appendFileSync(file, Buffer.alloc(64, 255)),
    ],
  ])("with %s gives what is whole, and takes more", async (_what, damage) => {
    await using folder = await tempFolder();
    const first = storesIn(folder.path);
    await first.set("a.ts", "k", bytes("whole"));
    await first.close();
    const file = onlyFile(folder.path);
    damage(file);
    const lines: string[] = [];
    const log = {
      ...silentLogger,
      error: (_fields: object, message: string): void => void lines.push(message),
    };
    const second = storesIn(folder.path, { log });
    expect(await textOf(second, "k")).toBe("whole");
    await second.set("a.ts", "l", bytes("more"));
    await second.close();
    expect(lines).toEqual([expect.stringMatching(/was damaged/)]);
    expect(existsSync(`${file}.damaged`)).toBe(true);
    const third = storesIn(folder.path);
    expect([await textOf(third, "k"), await textOf(third, "l")]).toEqual(["whole", "more"]);
    await third.close();
  });

  test("that is no log is set aside", async () => {
    await using folder = await tempFolder();
    const first = storesIn(folder.path);
    await first.set("a.ts", "k", bytes("v"));
    await first.close();
    const file = onlyFile(folder.path);
    writeFileSync(file, "something else");
    const second = storesIn(folder.path);
    expect(await textOf(second, "k")).toBeUndefined();
    await second.close();
    expect(readFileSync(`${file}.damaged`, "utf8")).toBe("something else");
  });

  test("holds everything that was confirmed when the process is killed", { timeout: 20_000 }, async () => {
    await using folder = await tempFolder();
    let next = 0;
    for (let round = 0; round < 5; round += 1) {
      // oxlint-disable-next-line no-await-in-loop
      const confirmed = await writeUntilKilled(folder.path, next, 100 + round * 60);
      const stores = storesIn(folder.path);
      for (const [lane, count] of confirmed) {
        // oxlint-disable-next-line no-await-in-loop
        const value = await textOf(stores, `lane ${lane}`, "crash.ts");
        const found = Number(/^\d+:(\d+)\|/.exec(value ?? "")?.[1]);
        // What was not confirmed may be there as well, whole.
        expect(found).toBeGreaterThanOrEqual(count);
        expect(value).toBe(Buffer.alloc(20_000, `${lane}:${found}|`).toString());
        next = Math.max(next, found + 10);
      }
      // oxlint-disable-next-line no-await-in-loop
      await stores.close();
    }
    expect(next).toBeGreaterThan(50);
  });
});

async function writeUntilKilled(
  folder: string,
  first: number,
  afterMs: number,
): Promise<Map<number, number>> {
  const program = new URL("kv-writer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, folder, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    if (output === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
    output += chunk.toString();
  });
  await once(child, "close");
  const confirmed = new Map<number, number>();
  // The last line may be cut off.
  for (const line of output.split("\n").slice(0, -1)) {
    const [lane = "", count = ""] = line.split(":");
    confirmed.set(Number(lane), Number(count));
  }
  return confirmed;
}
