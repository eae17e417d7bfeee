import { appendFile, readFile, readdir, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { EffectLog, type EffectLogSettings } from "../../../src/observe/effect-log.ts";
import { findEffects, leftOutShadows, shadowLines } from "../../../src/observe/effect-search.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const SETTINGS: EffectLogSettings = { enabled: true, keepHours: 168, maxSize: 1024 * 1024 };
const HOUR_MS = 3_600_000;

const CHAIN = {
  id: "c0ffee",
  line: `{"chain":"c0ffee","bindings":[{"name":"one","priority":1,"onError":"hold"}]}\n`,
};

function messageLine(id: string, more: object = {}): string {
  const line = {
    id,
    time: 1,
    messageId: `<${id}@example.com>`,
    from: "a@example.com",
    to: ["b@example.com"],
    chain: CHAIN.id,
    reached: 1,
    calls: [],
    end: "submitted",
    ...more,
  };
  return `${JSON.stringify(line)}\n`;
}

async function written(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).toSorted();
  return Promise.all(names.map((name) => readFile(path.join(folder, name), "utf8")));
}

test("a file holds each chain once, before the first message that names it", async () => {
  await using folder = await tempFolder("effects");
  const clock = new ManualClock();
  const log = new EffectLog(folder.path, SETTINGS, clock, silentLogger);
  log.write(messageLine("A1"), clock.now(), CHAIN);
  log.write(messageLine("A2"), clock.now(), CHAIN);
  await log.close();
  log.write(messageLine("A3"), clock.now(), CHAIN);
  expect(await written(folder.path)).toEqual([CHAIN.line + messageLine("A1") + messageLine("A2")]);
});

test("a full or old file is followed by another, which holds the chain again", async () => {
  await using folder = await tempFolder("effects");
  const clock = new ManualClock();
  const log = new EffectLog(folder.path, SETTINGS, clock, silentLogger);
  const big = messageLine("A1", { why: "x".repeat(SETTINGS.maxSize / 8) });
  log.write(big, clock.now(), CHAIN);
  await clock.advance(1);
  log.write(messageLine("A2"), clock.now(), CHAIN);
  await clock.advance(22 * HOUR_MS);
  log.write(messageLine("A3"), clock.now(), CHAIN);
  await log.close();
  expect(await written(folder.path)).toEqual([
    CHAIN.line + big,
    CHAIN.line + messageLine("A2"),
    CHAIN.line + messageLine("A3"),
  ]);
});

test("all files together stay within maxSize, and files older than keepHours go", async () => {
  await using folder = await tempFolder("effects");
  const clock = new ManualClock(Date.now());
  const log = new EffectLog(folder.path, SETTINGS, clock, silentLogger);
  const big = messageLine("A1", { why: "x".repeat(SETTINGS.maxSize / 8) });
  for (let index = 0; index < 30; index += 1) {
    log.write(big, clock.now(), CHAIN);
    // oxlint-disable-next-line no-await-in-loop -- one file after the other
    await clock.advance(1000);
  }
  await log.close();
  await eventually(async () => (await written(folder.path)).join("").length <= SETTINGS.maxSize, {
    what: "files within maxSize",
  });
  const names = (await readdir(folder.path)).toSorted();
  expect(names.length).toBeGreaterThan(3);
  const oldest = path.join(folder.path, names[0] ?? "");
  const past = Date.now() / 1000 - 169 * 3600;
  await utimes(oldest, past, past);
  const again = new EffectLog(folder.path, SETTINGS, new ManualClock(Date.now()), silentLogger);
  await eventually(async () => !(await readdir(folder.path)).includes(names[0] ?? ""), {
    what: "the old file gone",
  });
  expect(await readdir(folder.path)).toContain(names.at(-1));
  await again.close();
});

test("a message is found by its id, the beginning of it and its Message-ID; torn and foreign lines are passed over", async () => {
  await using folder = await tempFolder("effects");
  const file = path.join(folder.path, "effects-0000000000001.jsonl");
  const shadow = `{"id":"B11111","time":5,"shadow":{"name":"s","script":"s","micros":1,"verdict":0,"status":0},"why":"x"}\n`;
  await writeFile(
    file,
    `{"id":"B1111\n[]\nnull\n${CHAIN.line}${messageLine("B11111")}${messageLine("B22222", { why: `"id":"B11111"` })}${shadow}`,
  );
  await writeFile(
    path.join(folder.path, "effects-0000000000002.jsonl"),
    CHAIN.line + messageLine("B11111", { time: 9, end: "hold" }),
  );
  await appendFile(
    path.join(folder.path, "effects-0000000000002.jsonl"),
    messageLine("B11111").slice(0, -20),
  );
  const byId = await findEffects(folder.path, "B11111");
  expect(byId.since).toBe(1);
  expect(byId.messages).toMatchObject([
    {
      id: "B11111",
      runs: [{ line: { end: "submitted" }, chain: { chain: "c0ffee" } }, { line: { end: "hold" } }],
      shadows: [{ why: "x" }],
    },
  ]);
  const byMessageId = await findEffects(folder.path, "B11111@example.com");
  expect(byMessageId.messages).toEqual(byId.messages);
  expect((await findEffects(folder.path, "b")).messages.map(({ id }) => id)).toEqual(["B11111", "B22222"]);
  expect((await findEffects(folder.path, "C")).messages).toEqual([]);
  expect((await findEffects(path.join(folder.path, "absent"), "B")).since).toBeUndefined();
});

test("shadow runs that were left out are counted by their binding", async () => {
  await using folder = await tempFolder("effects");
  await writeFile(
    path.join(folder.path, "effects-0000000000001.jsonl"),
    CHAIN.line +
      messageLine("A1", { passedOver: [[0, "busy"]] }) +
      messageLine("A2", { passedOver: [[0, "expired"]] }),
  );
  const names: string[] = [];
  for await (const { name } of leftOutShadows(folder.path)) names.push(name);
  for await (const { id } of shadowLines(folder.path)) names.push(id);
  expect(names).toEqual(["one"]);
});
