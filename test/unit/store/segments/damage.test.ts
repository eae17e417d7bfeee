// Damaged, cut and foreign segment files, and the store that every release has to read.
import { cp, open, readFile, readdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Content } from "../../../../src/message/content.ts";
import {
  encodeRecord,
  encodeSegmentHeader,
  parseSegmentFileName,
  recordType,
  segmentFileName,
} from "../../../../src/store/segments/record.ts";
import { createStore, envelope, message, messageBytes, origin, temporaryFolder } from "../store-samples.ts";

const RECORD_BYTES = 4096;

/** A store of `count` messages of 4 KB in one segment; the ids in order and the path of the segment. */
async function filledStore(folder: string, count: number): Promise<{ ids: string[]; segment: string }> {
  const store = createStore(folder);
  await store.open();
  const ids: string[] = [];
  for (let seed = 0; seed < count; seed += 1) {
    const id = store.nextId();
    ids.push(id);
    await store.commit(id, origin, envelope, message(seed, RECORD_BYTES));
  }
  await store.close();
  const [name = ""] = (await readdir(folder)).filter((file) => file.endsWith(".seg"));
  return { ids, segment: path.join(folder, name) };
}

async function flipByte(file: string, offset: number): Promise<void> {
  const handle = await open(file, "r+");
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset);
  buffer[0] = (buffer[0] ?? 0) ^ 0x10;
  await handle.write(buffer, 0, 1, offset);
  await handle.close();
}

async function reopened(folder: string): Promise<{ ids: string[]; corrupt: number }> {
  const store = createStore(folder);
  const { messages, corrupt } = await store.open();
  for (const { id } of messages) await store.loadContent(id);
  await store.close();
  return { ids: messages.map(({ id }) => id), corrupt: corrupt.length };
}

describe("a damaged segment", () => {
  test("C05 with one flipped bit anywhere loses at most the message it lies in, and says so once", async () => {
    await using folder = await temporaryFolder();
    const original = path.join(folder.path, "original");
    const { ids, segment } = await filledStore(original, 5);
    const { length } = await readFile(segment);
    for (let offset = 3; offset < length; offset += 397) {
      const copy = path.join(folder.path, String(offset));
      await cp(original, copy, { recursive: true });
      await flipByte(path.join(copy, path.basename(segment)), offset);
      const first = await reopened(copy);
      expect(first.corrupt, `byte ${offset}`).toBe(1);
      expect(first.ids.length).toBeGreaterThanOrEqual(4);
      expect(ids).toEqual(expect.arrayContaining(first.ids));
      expect(await readdir(path.join(copy, "corrupt"))).toHaveLength(1);
      expect(await reopened(copy)).toEqual({ ids: first.ids, corrupt: 0 });
    }
  });

  test("C05 cut anywhere loses what was cut and nothing before it", async () => {
    await using folder = await temporaryFolder();
    const original = path.join(folder.path, "original");
    const { ids, segment } = await filledStore(original, 5);
    const { length } = await readFile(segment);
    for (let size = 0; size < length; size += 811) {
      const copy = path.join(folder.path, String(size));
      await cp(original, copy, { recursive: true });
      await truncate(path.join(copy, path.basename(segment)), size);
      const { ids: left } = await reopened(copy);
      expect(left).toEqual(ids.slice(0, Math.max(0, Math.floor((size - 36) / ((length - 36) / 5)))));
    }
  });

  test("C05 that is cut and not the last one loses what was cut, says so once, and those behind it are whole", async () => {
    await using folder = await temporaryFolder();
    const { ids, segment } = await filledStore(folder.path, 3);
    const { length } = await readFile(segment);
    const later = await filledStore(folder.path, 2);
    await truncate(segment, length - 1000);
    const left = [...ids.slice(0, 2), ...later.ids];
    expect(await reopened(folder.path)).toEqual({ ids: left, corrupt: 1 });
    const [kept = ""] = await readdir(path.join(folder.path, "corrupt"));
    expect((await readFile(path.join(folder.path, "corrupt", kept))).length).toBeGreaterThan(3000);
    expect(await reopened(folder.path)).toEqual({ ids: left, corrupt: 0 });
  });

  test("C04 with a tail of zeros is what a power cut leaves: the tail is dropped and the store goes on", async () => {
    await using folder = await temporaryFolder();
    const { ids, segment } = await filledStore(folder.path, 3);
    await writeFile(segment, Buffer.alloc(5000), { flag: "a" });
    expect(await reopened(folder.path)).toEqual({ ids, corrupt: 0 });
    expect(await reopened(folder.path)).toEqual({ ids, corrupt: 0 });
  });

  test("cannot be made to read records that a mail carries in its content", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const salt = Buffer.alloc(8, 7);
    const json = JSON.stringify({ origin, envelope });
    const forged = encodeRecord(salt, recordType.message, "FORGED", json, 0, [Buffer.from("x: y\r\n\r\n")]);
    const id = store.nextId();
    const bytes = Buffer.concat([messageBytes(1, 500), ...forged.buffers, messageBytes(1, 500)]);
    await store.commit(id, origin, envelope, Content.fromBuffer(bytes));
    const next = store.nextId();
    await store.commit(next, origin, envelope, message(2));
    await store.close();
    const [name = ""] = (await readdir(folder.path)).filter((file) => file.endsWith(".seg"));
    await flipByte(path.join(folder.path, name), 40);
    expect(await reopened(folder.path)).toEqual({ ids: [next], corrupt: 1 });
  });

  test("that lost an edited content never pairs a later state with the unedited one", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path);
    await store.open();
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(1));
    await store.saveState(id, "edited", message(2, 9000));
    await store.saveState(id, "half delivered");
    await store.close();
    const [name = ""] = (await readdir(folder.path)).filter((file) => file.endsWith(".seg"));
    await flipByte(path.join(folder.path, name), 8000);
    const again = createStore(folder.path);
    const { messages, corrupt } = await again.open();
    expect(messages).toMatchObject([{ id, state: undefined }]);
    expect(corrupt).toHaveLength(2);
    expect(await (await again.loadContent(id)).toBuffer()).toEqual(messageBytes(1, 4096));
    await again.close();
  });

  test("C11 read back at run time is refused, not passed on", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { memoryBudget: () => 0 });
    await store.open();
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(1));
    await store.commit(store.nextId(), origin, envelope, message(2));
    const [name = ""] = (await readdir(folder.path)).filter((file) => file.endsWith(".seg"));
    await flipByte(path.join(folder.path, name), 2000);
    await expect(store.loadContent(id)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    await store.close();
  });

  test("C06 of which only the content file is missing is reported and not found again", async () => {
    await using folder = await temporaryFolder();
    const store = createStore(folder.path, { inlineBytes: 1000 });
    await store.open();
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(1, 5000));
    await store.close();
    const [content = ""] = await readdir(path.join(folder.path, "content"));
    await truncate(path.join(folder.path, "content", content), 100);
    expect(await reopened(folder.path)).toEqual({ ids: [], corrupt: 1 });
    expect(await readFile(path.join(folder.path, "corrupt", `${id}.json`), "utf8")).toContain("alice");
    expect((await readFile(path.join(folder.path, "corrupt", content))).length).toBe(100);
    expect(await reopened(folder.path)).toEqual({ ids: [], corrupt: 0 });
  });
});

describe("the format", () => {
  test("C22 version 1 stays readable", async () => {
    await using folder = await temporaryFolder();
    const golden = path.join(import.meta.dirname, "../../../fixtures/store/v1");
    await cp(golden, folder.path, { recursive: true });
    const store = createStore(folder.path);
    const { messages, corrupt } = await store.open();
    expect(corrupt).toEqual([]);
    expect(messages.map(({ state }) => state)).toEqual([undefined, "state 1", "edited", "large"]);
    for (const found of messages) expect(found).toMatchObject({ origin, envelope });
    const sizes = [300, 301, 400, 3000];
    for (const [index, { id }] of messages.entries()) {
      const seed = index === 2 ? 12 : index;
      const content = await (await store.loadContent(id)).toBuffer();
      expect(content.equals(messageBytes(seed, sizes[index] ?? 0))).toBe(true);
    }
    await store.close();
  });

  test("C22 of an unknown version is refused by name, never misread", async () => {
    await using folder = await temporaryFolder();
    const salt = Buffer.from("0123456789abcdef", "hex");
    const header = encodeSegmentHeader(1, salt);
    header[16] = 2;
    header.writeUInt32LE(crc32(header.subarray(0, 32)), 32);
    const name = segmentFileName(1, salt);
    await writeFile(path.join(folder.path, name), header);
    const refused = createStore(folder.path).open();
    await expect(refused).rejects.toMatchObject({ code: "MAILROOT_UNUSABLE" });
    await expect(createStore(folder.path).open()).rejects.toThrow(/version 2/);
    expect(parseSegmentFileName(name)).toEqual({ sequence: 1, salt });
  });
});
