import { expect, test } from "vitest";
import { Lookup } from "../../../src/authentication/lookup.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const settings = { cacheMs: 1000, maxEntries: 2 };

test("answers and failures are kept for their time, the oldest go first", async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const lookup = new Lookup(
    (name, type) => {
      asked.push(`${type} ${name}`);
      return name === "bad" ? Promise.reject(new Error("no")) : Promise.resolve(["x"]);
    },
    settings,
    clock,
  );
  const ask = lookup.within(60_000);
  await ask("a", "A");
  await ask("A", "A");
  await expect(ask("bad", "A")).rejects.toThrow("no");
  await expect(ask("bad", "A")).rejects.toThrow("no");
  expect(asked).toEqual(["A a", "A bad"]);
  await ask("c", "A");
  await ask("a", "A");
  expect(asked.slice(2)).toEqual(["A c", "A a"]);
  await clock.advance(1001);
  await ask("a", "A");
  expect(asked).toHaveLength(5);
  expect(clock.pending).toBe(0);
});

test("a message waits for silent servers no longer than its time, whatever it asks", async () => {
  const clock = new ManualClock();
  const lookup = new Lookup(() => new Promise(() => undefined), settings, clock);
  const ask = lookup.within(5000);
  const first = expect(ask("a", "TXT")).rejects.toMatchObject({ code: "ETIMEOUT" });
  await clock.advance(5000);
  await first;
  await expect(ask("b", "TXT")).rejects.toMatchObject({ code: "ETIMEOUT" });
  expect(clock.pending).toBe(0);
});
