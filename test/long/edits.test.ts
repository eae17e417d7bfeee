// Scripts edited for long under load: what every message met, from the effect log, from its stamps and from the ledger.
import { expect, test } from "vitest";
import { editRun, randomFrom } from "../support/edit-run.ts";

const MESSAGES = 10_000;
const EDITS = 200;

test("R01: 10,000 messages during 200 random edits, half of them broken: each met exactly one version of each script, never a broken one, in order in each process", async () => {
  const seed = Number(process.env["EDITS_SEED"] ?? Date.now() % 2 ** 32);
  const started = performance.now();
  const run = await editRun({
    messages: MESSAGES,
    edits: EDITS,
    sessions: 16,
    maxPauseMs: 300,
    random: randomFrom(seed),
  });
  const { balance, contradictions, ...counts } = run;
  console.log(`seed ${seed}, ${Math.round(performance.now() - started)} ms: ${JSON.stringify(counts)}`);
  expect(contradictions, `seed ${seed}`).toEqual([]);
  expect(balance).toEqual({
    acknowledged: MESSAGES,
    lost: [],
    duplicates: 0,
    corrupt: [],
    unacknowledged: 0,
  });
  // The run has to have been one: most good edits went live and were met, and broken ones were refused.
  expect(run.met).toBeGreaterThan(EDITS / 4);
  expect(run.refused).toBeGreaterThan(EDITS / 8);
  expect(run.withoutThird).toBeGreaterThan(0);
});
