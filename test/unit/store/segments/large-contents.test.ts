// Contents too large for a record: their files in the store's folder, from the first byte to the last reference.
import { readFile, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { Splice } from "../../../../src/core/splice.ts";
import { Content } from "../../../../src/message/content.ts";
import { createStore, envelope, message, messageBytes, origin, temporaryFolder } from "../store-samples.ts";

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

const edit = (at: number, text: string): Splice => ({ start: at, end: at + 5, bytes: Buffer.from(text) });

describe("a large content", () => {
  test("stays in its file through commit, edit and restart, and the file goes with the message", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const body = messageBytes(3, 3_000_000);
    const spool = await store.createSpoolFile();
    for (let at = 1000; at < body.length; at += 65_536) await spool.write(body.subarray(at, at + 65_536));
    const content = await spool.finish(body.subarray(0, 1000));
    const id = store.nextId();
    await store.commit(id, origin, envelope, content);
    const splices = [edit(0, "X-Tag: 1\r\nSub"), edit(500_000, "edited"), edit(2_000_000, "")];
    const edited = content.splice([
      ...splices,
      { start: body.length, end: body.length, bytes: Buffer.from("end") },
    ]);
    const wanted = await edited.toBuffer();
    await store.saveState(id, "edited", edited);
    await store.close();

    const again = createStore(folder.path);
    const { messages } = await again.open();
    expect(messages).toMatchObject([{ id, size: body.length }]);
    const loaded = await again.loadContent(id);
    expect(loaded.header.subarray(0, 10).toString()).toBe("X-Tag: 1\r\n");
    expect((await loaded.toBuffer()).equals(wanted)).toBe(true);
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(1);
    again.remove(id);
    await again.close();
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(0);
  });

  test("C17 finds a new folder when that of the large contents was removed", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { inlineBytes: 10_000 });
    await store.open();
    await rm(path.join(folder.path, "content"), { recursive: true });
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(1, 200_000));
    expect(await (await store.loadContent(id)).toBuffer()).toEqual(messageBytes(1, 200_000));
    await store.close();
  });

  test("held in memory goes to a file of its own", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { inlineBytes: 10_000 });
    await store.open();
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(1, 200_000));
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(1);
    await store.saveState(id, "smaller", message(2, 5000));
    await store.close();
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(0);
    const again = createStore(folder.path);
    await again.open();
    expect(await (await again.loadContent(id)).toBuffer()).toEqual(messageBytes(2, 5000));
    await again.close();
  });

  test("shared by two messages lives until the second has ended", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { syncIntervalMs: 5 });
    await store.open();
    const spool = await store.createSpoolFile();
    await spool.write(messageBytes(4, 50_000));
    const content = await spool.finish(Buffer.from("Subject: shared\r\n\r\n"));
    const [first, second] = [store.nextId(), store.nextId()];
    await store.commit(first, origin, envelope, content);
    await store.commit(second, origin, envelope, content);
    store.remove(first);
    await store.commit(store.nextId(), origin, envelope, message(1));
    expect((await (await store.loadContent(second)).toBuffer()).length).toBe(50_019);
    store.remove(second);
    await store.close();
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(0);
  });

  test("C06 whose message never came is removed at the next start, and at once when discarded", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const left = await store.createSpoolFile();
    await left.write(Buffer.from("half"));
    const discarded = await store.createSpoolFile();
    await discarded.finish(Buffer.from("x: y\r\n\r\n"));
    await discarded.discard();
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(1);
    await left.finish(Buffer.from("x: y\r\n\r\n"));
    await store.close();
    const again = createStore(folder.path);
    await again.open();
    expect(await readdir(path.join(folder.path, "content"))).toHaveLength(0);
    await again.close();
  });

  test("is kept in its file while somebody holds it, after a restart as well", async () => {
    await using folder = await temporaryFolder();
    const files = (): Promise<string[]> => readdir(path.join(folder.path, "content"));
    const store = createStore(folder.path);
    await store.open();
    const spool = await store.createSpoolFile();
    await spool.write(Buffer.from("rest"));
    const content = await spool.finish(Buffer.from("a: b\r\n\r\n"));
    const id = store.nextId();
    await store.commit(id, origin, envelope, content);
    await store.close();
    const again = createStore(folder.path, { syncIntervalMs: 5 });
    await again.open();
    const loaded = await again.loadContent(id);
    const release = loaded.splice([{ start: 0, end: 6, bytes: Buffer.from("c: d\r\n") }]).hold();
    again.remove(id);
    const other = again.nextId();
    await again.commit(other, origin, envelope, message(1));
    expect((await loaded.toBuffer()).toString()).toBe("a: b\r\n\r\nrest");
    release();
    await until(async () => (await files()).length === 0);
    await again.close();
  });

  test("made of ranges of other files is copied into the store", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const foreign = path.join(import.meta.dirname, "segment-store.test.ts");
    const text = await readFile(foreign);
    const content = Content.fromFile(Buffer.from("a: b\r\n\r\n"), { path: foreign, offset: 10, length: 500 });
    const id = store.nextId();
    await store.commit(id, origin, envelope, content);
    await store.close();
    const again = createStore(folder.path);
    await again.open();
    const loaded = await (await again.loadContent(id)).toBuffer();
    expect(loaded.toString()).toBe(`a: b\r\n\r\n${text.toString("utf8", 10, 510)}`);
    await again.close();
  });
});
