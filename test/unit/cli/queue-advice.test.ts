// What `onarrival queue list` says below its table.
import { expect, test } from "vitest";
import { adviceLines } from "../../../src/cli/queue-advice.ts";
import type { ShownEntry } from "../../../src/admin/queue-methods.ts";

const entry = (id: string, advice?: string): ShownEntry => ({
  id,
  server: "main",
  queue: "pre-submission",
  state: advice === undefined ? "retry" : "held",
  advice,
  sender: "a@example.com",
  recipients: [],
  size: 1,
  arrivalTime: 0,
  attempts: 1,
});

test("one line for all messages that need the same, and none for those that nobody holds", () => {
  const release = (id: string): string => `correct the sink; or now: onarrival queue release ${id}`;
  const many = ["b1", "b2", "b3", "b4", "b5"].map((id) => entry(id, "save a corrected loop.ts"));
  expect(adviceLines([entry("a1", release("a1")), ...many, entry("c1")])).toEqual([
    "what to do about a1: correct the sink; or now: onarrival queue release a1",
    "what to do about b1, b2, b3 and 2 more: save a corrected loop.ts",
  ]);
  expect(adviceLines([entry("a1", release("a1")), entry("a2", release("a2"))])).toEqual([
    "what to do about a1, a2: correct the sink; or now: onarrival queue release ID",
  ]);
});

test("what is in it of a file name cannot write to a terminal", () => {
  expect(adviceLines([entry("a1", "save a corrected \u001b[2J.ts")])[0]).toMatch(/corrected \?\[2J\.ts$/);
});
