// Messages at rest: the store keeps numbers of them, and answers as if it had kept all.
import { expect, test } from "vitest";
import { createStore, envelope, message, messageBytes, origin, temporaryFolder } from "../store-samples.ts";

test("a message at rest has its envelope, its last state and its content", async () => {
  await using folder = await temporaryFolder();
  const store = createStore(folder.path, { memoryBudget: () => 0 });
  await store.open();
  const id = store.nextId();
  await store.commit(id, origin, envelope, message(1));
  store.rest(id);
  expect(await store.reload(id)).toEqual({ id, origin, envelope, size: 4096, state: undefined });
  const saved = store.saveState(id, "first");
  store.rest(id);
  // The record is on its way yet: the answer is the newest all the same.
  expect(await store.reload(id)).toMatchObject({ state: "first" });
  await saved;
  await store.saveState(id, "second", message(2));
  await store.saveState(id, "third");
  store.rest(id);
  expect(await store.reload(id)).toMatchObject({ state: "third" });
  store.rest(id);
  expect(await (await store.loadContent(id)).toBuffer()).toEqual(messageBytes(2, 4096));
  store.rest(id);
  store.remove(id);
  await expect(store.reload(id)).rejects.toThrow(id);
  expect(store.figures().messages).toBe(0);
  await store.close();
});

test("compaction moves messages at rest, and they are found where they are then", async () => {
  await using folder = await temporaryFolder();
  const settings = { memoryBudget: () => 0, segmentBytes: 32 * 1024 };
  const store = createStore(folder.path, settings);
  await store.open();
  const kept: string[] = [];
  for (let round = 0; round < 100; round += 1) {
    const id = store.nextId();
    await store.commit(id, origin, envelope, message(round));
    await store.saveState(id, `state ${round}`);
    if (round % 20 === 0) kept.push(id);
    store.rest(id);
    if (round % 20 !== 0) store.remove(id);
  }
  await expect.poll(() => store.figures().segments, { timeout: 5000 }).toBeLessThan(5);
  expect(store.figures().messages).toBe(5);
  for (const [at, id] of kept.entries()) {
    expect(await store.reload(id)).toMatchObject({ state: `state ${at * 20}`, envelope });
    expect(await (await store.loadContent(id)).toBuffer()).toEqual(messageBytes(at * 20, 4096));
  }
  await store.close();
  const again = createStore(folder.path, settings);
  const { messages } = await again.open();
  expect(messages.map(({ id, state }) => [id, state])).toEqual(
    kept.map((id, at) => [id, `state ${at * 20}`]),
  );
  await again.close();
});

test("C18 the start reads the oldest messages, and names the others for their turn", async () => {
  await using folder = await temporaryFolder();
  const store = createStore(folder.path);
  await store.open();
  const ids = Array.from({ length: 10 }, () => store.nextId());
  await Promise.all(ids.map((id) => store.commit(id, origin, envelope, message(1))));
  await store.saveState(ids[7] ?? "", "the eighth");
  await store.close();
  const again = createStore(folder.path, { recoverAtOnce: 3 });
  const { messages, later } = await again.open();
  expect(messages.map(({ id }) => id)).toEqual(ids.slice(0, 3));
  expect(later).toEqual(ids.slice(3));
  expect(await again.reload(ids[7] ?? "")).toMatchObject({
    id: ids[7],
    origin,
    envelope,
    state: "the eighth",
  });
  await again.close();
});

test("C18 the start finds the last state of each message, whatever its content went through", async () => {
  await using folder = await temporaryFolder();
  const store = createStore(folder.path);
  await store.open();
  const ids = Array.from({ length: 4 }, () => store.nextId());
  const [plain = "", edited = "", editedLast = "", ended = ""] = ids;
  await Promise.all(ids.map((id) => store.commit(id, origin, envelope, message(1))));
  for (const id of ids) await store.saveState(id, "first");
  await store.saveState(plain, "second");
  await store.saveState(edited, "with content", message(2));
  await store.saveState(edited, "after content");
  await store.saveState(edited, "and another");
  await store.saveState(editedLast, "with content", message(3));
  store.remove(ended);
  await store.close();
  const again = createStore(folder.path, { memoryBudget: () => 0 });
  const { messages } = await again.open();
  expect(messages.map(({ id, state }) => [id, state])).toEqual([
    [plain, "second"],
    [edited, "and another"],
    [editedLast, "with content"],
  ]);
  expect(again.figures()).toMatchObject({ messages: 3, working: 0 });
  expect(await (await again.loadContent(plain)).toBuffer()).toEqual(messageBytes(1, 4096));
  expect(await (await again.loadContent(edited)).toBuffer()).toEqual(messageBytes(2, 4096));
  expect(await (await again.loadContent(editedLast)).toBuffer()).toEqual(messageBytes(3, 4096));
  await again.close();
});
