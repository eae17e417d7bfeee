import { expect, test } from "vitest";
import type { DirectoryAnswer } from "../../../../src/events/contexts/directory-entries.ts";
import { KeptAnswers } from "../../../../src/transport/categorizer/kept-answers.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const found = (key: string): DirectoryAnswer => ({ kind: "found", entry: { key, kind: "user" } });

test("of too many answers those go that were not asked for longest", () => {
  const kept = new KeptAnswers({ foundMs: 1000, unknownMs: 1000, maxEntries: 3 }, new ManualClock());
  for (const key of ["a", "b", "c"]) kept.keep(key, found(key));
  kept.get("a");
  kept.keep("d", found("d"));
  kept.keep("d", { kind: "unknown" });
  expect(["a", "b", "c", "d"].map((key) => kept.get(key)?.kind)).toEqual([
    "found",
    undefined,
    "found",
    "unknown",
  ]);
});

test("with no time, or no place, nothing is kept", () => {
  const clock = new ManualClock();
  const without = [
    new KeptAnswers({ foundMs: 0, unknownMs: 0, maxEntries: 3 }, clock),
    new KeptAnswers({ foundMs: 1000, unknownMs: 1000, maxEntries: 0 }, clock),
  ];
  for (const kept of without) {
    kept.keep("a", found("a"));
    expect(kept.get("a")).toBeUndefined();
  }
});
