import { spawnSync } from "node:child_process";
import { cp, mkdir, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { createMessageIds } from "../../../../src/core/message-ids.ts";
import { compiledFile } from "../../../support/compiled.ts";
import { SegmentStore } from "../../../../src/store/segments/segment-store.ts";
import { type LogLine, recordingLog } from "../../transport/transport-house.ts";
import { createStore, envelope, message, messageBytes, origin, temporaryFolder } from "../store-samples.ts";

const segmentsOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith(".seg"));

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** What another process says that wants the folder. */
function lockElsewhere(folder: string): string {
  const module = JSON.stringify(compiledFile("src/store/mailroot-lock.ts"));
  const text = `import { lockMailroot } from ${module}; lockMailroot(${JSON.stringify(folder)});`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", text], { encoding: "utf8" }).stderr;
}

describe("a message of the store", () => {
  test("is found again after a restart with origin, envelope, state and the same bytes", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const id = store.nextId();
    await store.commit(id, { ...origin, clientAddress: "192.0.2.1" }, envelope, message(1));
    await store.saveState(id, '{"attempts":1}');
    await store.close();
    const again = createStore(folder.path);
    const { messages, corrupt } = await again.open();
    expect(corrupt).toEqual([]);
    expect(messages).toEqual([
      {
        id,
        origin: { ...origin, clientAddress: "192.0.2.1" },
        envelope,
        size: 4096,
        state: '{"attempts":1}',
      },
    ]);
    expect(await (await again.loadContent(id)).toBuffer()).toEqual(messageBytes(1, 4096));
    await again.close();
  });

  test("is forgotten once it was removed", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const kept = store.nextId();
    const removed = store.nextId();
    await Promise.all([
      store.commit(kept, origin, envelope, message(1)),
      store.commit(removed, origin, envelope, message(2)),
    ]);
    store.remove(removed);
    await expect(store.loadContent(removed)).rejects.toMatchObject({ code: "INTERNAL" });
    await store.close();
    const again = createStore(folder.path);
    expect((await again.open()).messages.map(({ id }) => id)).toEqual([kept]);
    await again.close();
  });

  test("comes back with the content that a state brought along, also behind a later state", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { memoryBudget: () => 0 });
    await store.open();
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(1));
    await store.saveState(id, "one", message(7, 9000));
    await store.saveState(id, "two");
    await store.close();
    const again = createStore(folder.path);
    expect((await again.open()).messages[0]?.state).toBe("two");
    expect(await (await again.loadContent(id)).toBuffer()).toEqual(messageBytes(7, 9000));
    await again.close();
  });

  test("is read from disk when memory has no room, with its header block in memory", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { memoryBudget: () => 10_000 });
    await store.open();
    const ids: string[] = [];
    for (let seed = 0; seed < 20; seed += 1) {
      const id = store.nextId();
      ids.push(id);
      await store.commit(id, origin, envelope, message(seed));
    }
    for (const [seed, id] of ids.entries()) {
      const content = await store.loadContent(id);
      expect(content.header.toString()).toBe(`Subject: message ${seed}\r\n\r\n`);
      expect(await content.toBuffer()).toEqual(messageBytes(seed, 4096));
    }
    await store.close();
  });

  test("that waits is in memory no longer than until its state is on disk", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const id = store.nextId();
    const fresh = message(1);
    await store.commit(id, origin, envelope, fresh);
    expect(await store.loadContent(id)).toBe(fresh);
    await store.saveState(id, "waits", undefined, true);
    const read = await store.loadContent(id);
    expect(read).not.toBe(fresh);
    expect(await read.toBuffer()).toEqual(messageBytes(1, 4096));
    await store.close();
  });

  test("with text of all scripts in its envelope comes back unchanged", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const id = store.nextId();
    const wide = {
      sender: "jörg@пример.example",
      recipients: [{ address: "用户@例え.example" }],
      smtpUtf8: true,
    };
    await store.commit(id, origin, wide, message(1));
    await store.close();
    const again = createStore(folder.path);
    expect((await again.open()).messages[0]?.envelope).toEqual(wide);
    await again.close();
  });

  test("that nobody committed cannot get a state", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    await expect(store.saveState("NOBODY", "x")).rejects.toMatchObject({ code: "INTERNAL" });
    await store.close();
  });
});

describe("the segments", () => {
  test("whose messages are all finished are removed", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { segmentBytes: 20_000, syncIntervalMs: 5 });
    await store.open();
    for (let seed = 0; seed < 40; seed += 1) {
      const id = store.nextId();
      await store.commit(id, origin, envelope, message(seed));
      store.remove(id);
    }
    await until(async () => (await segmentsOf(folder.path)).length === 1);
    await store.close();
  });

  test("with few living messages are copied forward, states and edited contents included", async () => {
    await using folder = await temporaryFolder();
    const settings = { segmentBytes: 50_000, syncIntervalMs: 5, memoryBudget: () => 0 };
    const store = createStore(folder.path, settings);
    await store.open();
    const kept: string[] = [];
    for (let seed = 0; seed < 300; seed += 1) {
      const id = store.nextId();
      await store.commit(id, origin, envelope, message(seed));
      if (seed % 60 === 0) {
        kept.push(id);
        await store.saveState(id, `state ${seed}`, seed === 60 ? message(1060) : undefined);
        if (seed === 60) await store.saveState(id, "state of the edited one");
      } else {
        store.remove(id);
      }
    }
    // Tidying may have begun already: how many there were is told by the number of the last one.
    const written = Number.parseInt((await segmentsOf(folder.path)).toSorted().at(-1) ?? "", 10);
    await until(async () => (await segmentsOf(folder.path)).length <= 4);
    expect(written).toBeGreaterThan(20);
    for (const id of kept) expect((await store.loadContent(id)).size).toBe(4096);
    await store.close();
    const again = createStore(folder.path, settings);
    const { messages, corrupt } = await again.open();
    expect(corrupt).toEqual([]);
    expect(messages.map(({ id }) => id)).toEqual(kept);
    expect(messages.map(({ state }) => state)).toEqual([
      "state 0",
      "state of the edited one",
      "state 120",
      "state 180",
      "state 240",
    ]);
    for (const [index, id] of kept.entries()) {
      const seed = index === 1 ? 1060 : index * 60;
      expect(await (await again.loadContent(id)).toBuffer()).toEqual(messageBytes(seed, 4096));
    }
    await again.close();
  });
});

describe("the store", () => {
  test("C16 refuses a second store on its folder, and gives the folder back when it closes", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    await expect(createStore(folder.path).open()).rejects.toMatchObject({ code: "MAILROOT_LOCKED" });
    await expect(createStore(folder.path).open()).rejects.toThrow(folder.path);
    // Whoever was refused in this process must not have let others in.
    expect(lockElsewhere(folder.path)).toContain("MAILROOT_LOCKED");
    // Nobody else can hold a lock on it either.
    expect((await stat(path.join(folder.path, "lock.db"))).mode & 0o777).toBe(0o600);
    await store.close();
    const next = createStore(folder.path);
    await next.open();
    await next.close();
  });

  test("C09 refuses mail while the volume has less free space than it must have", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { minFreeBytes: Number.MAX_SAFE_INTEGER });
    await store.open();
    const refused = store.commit(store.nextId(), origin, envelope, message(1));
    await expect(refused).rejects.toMatchObject({ code: "STORE_FAILED" });
    await expect(store.createSpoolFile()).rejects.toMatchObject({ code: "STORE_FAILED" });
    await store.close();
  });

  test("C17 refuses mail when its folder is gone, and goes on when it is back", async () => {
    await using folder = await temporaryFolder();
    const queue = path.join(folder.path, "Queue");
    const store = createStore(queue, { diskSampleMs: 10 });
    await store.open();
    await store.commit(store.nextId(), origin, envelope, message(1));
    await rm(queue, { recursive: true });
    const commit = (): Promise<string> =>
      store.commit(store.nextId(), origin, envelope, message(2)).then(
        () => "taken",
        (error: { code: string }) => error.code,
      );
    await until(async () => (await commit()) === "STORE_FAILED");
    await mkdir(queue);
    await until(async () => (await commit()) === "taken" && (await segmentsOf(queue)).length > 0);
    await store.close();
  });

  test("C17 writes anew what it had taken before its folder was gone, and before it noticed", async () => {
    await using folder = await temporaryFolder();
    const queue = path.join(folder.path, "Queue");
    const store = createStore(queue, { diskSampleMs: 300, segmentBytes: 10_000, memoryBudget: () => 0 });
    await store.open();
    const ids = Array.from({ length: 6 }, () => store.nextId());
    const [ended, ...living] = ids;
    const commit = (id: string): Promise<void> =>
      store.commit(id, origin, envelope, message(ids.indexOf(id)));
    for (const id of ids.slice(0, 4)) await commit(id);
    await store.saveState(ids[1] ?? "", '{"attempts":1}', undefined, true);
    await rm(queue, { recursive: true });
    for (const id of ids.slice(4)) await commit(id);
    store.remove(ended ?? "");
    await until(() => Promise.resolve(store.figures().refusal !== undefined));
    await mkdir(queue);
    await until(() => Promise.resolve(store.figures().refusal === undefined));
    await expect(createStore(queue).open()).rejects.toMatchObject({ code: "MAILROOT_LOCKED" });
    // As a kill would leave it: nothing more is written.
    const copy = path.join(folder.path, "copy");
    await cp(queue, copy, { recursive: true });
    await store.close();
    const again = createStore(copy);
    const { messages } = await again.open();
    expect(messages.map(({ id }) => id).sort()).toEqual(living);
    expect(messages.find(({ id }) => id === ids[1])?.state).toBe('{"attempts":1}');
    for (const id of living)
      expect(await (await again.loadContent(id)).toBuffer()).toEqual(messageBytes(ids.indexOf(id), 4096));
    await again.close();
  });

  test("C17 does not take a folder that it may not look into for one whose files were removed", async () => {
    await using folder = await temporaryFolder();
    const queue = path.join(folder.path, "Queue");
    await mkdir(path.join(folder.path, "disk"));
    await symlink("disk", queue);
    const lines: LogLine[] = [];
    const store = new SegmentStore({
      folder: queue,
      settings: { minFreeBytes: 0, diskSampleMs: 10 },
      logger: recordingLog(lines),
    });
    await store.open();
    await store.commit(store.nextId(), origin, envelope, message(1));
    const before = await segmentsOf(queue);
    const lead = async (to: string): Promise<void> => {
      await symlink(to, path.join(folder.path, "link"));
      await rename(path.join(folder.path, "link"), queue);
    };
    // A file in its place fails for every user; a missing right does not for root.
    await writeFile(path.join(folder.path, "file"), "");
    await lead("file");
    await until(() => Promise.resolve(store.figures().refusal !== undefined));
    await lead("disk");
    await until(() => Promise.resolve(store.figures().refusal === undefined));
    await store.commit(store.nextId(), origin, envelope, message(2));
    expect(await segmentsOf(queue)).toEqual(before);
    await store.close();
    expect(lines.map((line) => line.message)).toEqual([
      "no mail is taken: the disk is full or cannot be looked at",
      "mail is taken again",
    ]);
  });

  test("refuses mail before it is open and after it is closed", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    const commit = (): Promise<void> => store.commit(store.nextId(), origin, envelope, message(1));
    await expect(commit()).rejects.toMatchObject({ code: "STORE_FAILED" });
    await store.open();
    await store.close();
    await expect(commit()).rejects.toMatchObject({ code: "STORE_FAILED" });
  });
});

describe("message ids", () => {
  test("T02 are 18 characters that sort as they were made, also when the clock runs backwards", () => {
    let now = 1_700_000_000_000;
    const nextId = createMessageIds({ now: () => now, after: () => () => undefined }, () => 0.5);
    const ids: string[] = [];
    for (let count = 0; count < 60_000; count += 1) {
      if (count === 50_000) now -= 5000;
      ids.push(nextId());
    }
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[0-9A-Z]{18}$/.test(id))).toBe(true);
  });

  test("of two runs at the same moment differ", () => {
    const clock = { now: () => 1_700_000_000_000, after: () => () => undefined };
    expect(createMessageIds(clock, () => 0.25)()).not.toBe(createMessageIds(clock, () => 0.75)());
  });
});
