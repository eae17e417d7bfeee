import { expect, test } from "vitest";
import { TurnoverMap } from "../../../src/core/turnover-map.ts";
import { collectGarbage } from "../../support/collect-garbage.ts";

interface Churned {
  set(key: number, value: object): unknown;
  delete(key: number): boolean;
}

/** How many of the things that were in the map and are gone a collection of young objects leaves in memory. */
async function leftInMemory(map: Churned): Promise<number> {
  // As old as everything of a service that has run for a while.
  await collectGarbage();
  const gone: WeakRef<object>[] = [];
  for (let round = 0; round < 4; round += 1) {
    for (let count = 0; count < 2000; count += 1) {
      const key = round * 2000 + count;
      const value = { key };
      if (round === 3) gone.push(new WeakRef(value));
      map.set(key, value);
      map.delete(key - 20);
    }
    await collectGarbage("minor");
  }
  for (let key = 0; key < 8000; key += 1) map.delete(key);
  await collectGarbage("minor");
  return gone.filter((one) => one.deref() !== undefined).length;
}

test("what passed through it dies young; a plain Map keeps it in memory until all garbage is collected", async () => {
  expect(await leftInMemory(new Map())).toBeGreaterThan(500);
  expect(await leftInMemory(new TurnoverMap())).toBeLessThan(50);
});

test("entries keep their order over many renewals, and say what they are now", () => {
  const map = new TurnoverMap<string, number>();
  map.set("first", 0);
  for (let count = 0; count < 5000; count += 1) {
    map.set(`passing ${count}`, count);
    if (count >= 10) map.delete(`passing ${count - 10}`);
  }
  map.set("first", 1);
  expect(map.size).toBe(11);
  expect([...map.keys()][0]).toBe("first");
  expect([...map.values()].slice(0, 3)).toEqual([1, 4990, 4991]);
  expect(map.get("first")).toBe(1);
  expect(map.has("passing 4989")).toBe(false);
  expect(map.delete("passing 4989")).toBe(false);
  expect(Object.fromEntries(map)).toMatchObject({ first: 1, "passing 4999": 4999 });
});

test("who goes through it while entries are deleted sees none of these", () => {
  const map = new TurnoverMap<number, number>();
  for (let key = 0; key < 2000; key += 1) map.set(key, key);
  const seen: number[] = [];
  for (const key of map.keys()) {
    seen.push(key);
    map.delete(key);
    map.delete(1999 - key);
  }
  expect(seen).toHaveLength(1000);
  expect(map.size).toBe(0);
  map.forEach(() => expect.unreachable());
});
