// 100,000 messages in the store: how long a start takes (FAULTS C18).
import { expect, test } from "vitest";
import { createStore, envelope, message, origin, temporaryFolder } from "../unit/store/store-samples.ts";

const MESSAGES = 100_000;
const READS_AT_ONCE = 64;

test("C18 100,000 queued messages are found again within 30 seconds", async () => {
  await using folder = await temporaryFolder();
  const store = createStore(folder.path);
  await store.open();
  const content = message(1, 4096);
  let committed = 0;
  const produce = async (): Promise<void> => {
    while (committed < MESSAGES) {
      committed += 1;
      const id = store.nextId();
      await store.commit(id, origin, envelope, content);
      await store.saveState(id, '{"attempts":1}');
    }
  };
  await Promise.all(Array.from({ length: 200 }, produce));
  await store.close();

  const again = createStore(folder.path);
  const started = performance.now();
  const { messages, later, corrupt } = await again.open();
  const openMs = performance.now() - started;
  const found = [...messages];
  for (let at = 0; at < later.length; at += READS_AT_ONCE)
    found.push(...(await Promise.all(later.slice(at, at + READS_AT_ONCE).map((id) => again.reload(id)))));
  const tookMs = performance.now() - started;
  console.log(
    `${MESSAGES} messages found in ${Math.round(openMs)} ms, read by ${Math.round(tookMs)} ms, ${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
  );
  expect(corrupt).toEqual([]);
  expect(new Set(found.map(({ id }) => id)).size).toBe(MESSAGES);
  expect(found.every(({ state }) => state === '{"attempts":1}')).toBe(true);
  expect(tookMs).toBeLessThan(30_000);
  for (const { id } of found) again.remove(id);
  await again.close();
});
