// Edits under load, in small; test/long/edits.test.ts has the large run.
import { expect, test } from "vitest";
import { editRun, randomFrom } from "../support/edit-run.ts";

test("R01: 300 messages during 20 edits, half of them broken, each meet one good version of every script, never an older one in the same process", async () => {
  const seed = Date.now() % 2 ** 32;
  const run = await editRun({
    messages: 300,
    edits: 20,
    sessions: 4,
    maxPauseMs: 150,
    random: randomFrom(seed),
  });
  expect(run.contradictions, `seed ${seed}`).toEqual([]);
  expect(run.balance).toEqual({ acknowledged: 300, lost: [], duplicates: 0, corrupt: [], unacknowledged: 0 });
  expect(run.met).toBeGreaterThan(3);
});
