import { expect, test } from "vitest";
import { createMessageIds } from "../../../src/core/message-ids.ts";
import { WaitingGuids } from "../../../src/transport/waiting-guids.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const nextId = createMessageIds(new ManualClock(), () => 0.5);

test("those of a name that arrived earlier are found, whatever their ids are like, until they are gone", () => {
  const guids = new WaitingGuids();
  const [one, two, late] = [nextId(), nextId(), nextId()];
  guids.add(one, "news", 1);
  guids.add(two, "news", 2);
  guids.add("FORK1", "news", 2);
  guids.add(late, "news", 3);
  guids.add(nextId(), "other", 1);
  expect(guids.olderThan("news", 3).toSorted()).toEqual([one, two, "FORK1"].toSorted());
  expect(guids.olderThan("nobody", 3)).toEqual([]);
  guids.remove(one);
  guids.remove("FORK1");
  guids.remove("never there");
  expect(guids.olderThan("news", 9).toSorted()).toEqual([two, late].toSorted());
  expect([guids.has(one), guids.has(two), guids.has("FORK1"), guids.size]).toEqual([false, true, false, 3]);
});

test("one that is added again has its new name only", () => {
  const guids = new WaitingGuids();
  const id = nextId();
  guids.add(id, "old", 1);
  guids.add(id, "new", 1);
  expect([guids.olderThan("old", 2), guids.olderThan("new", 2), guids.size]).toEqual([[], [id], 1]);
});

test("what comes and goes leaves the others where they are, beyond the first size of the table too", () => {
  const guids = new WaitingGuids();
  const kept = new Map<string, string>();
  for (let number = 0; number < 5000; number += 1) {
    const [id, guid] = [nextId(), `guid ${number % 700}`];
    guids.add(id, guid, number);
    kept.set(id, guid);
    const [first = ""] = kept.keys();
    if (number % 3 === 0 && kept.delete(first)) guids.remove(first);
  }
  const wanted = [...kept].flatMap(([id, guid]) => (guid === "guid 7" ? [id] : []));
  expect(guids.olderThan("guid 7", 5000).toSorted()).toEqual(wanted.toSorted());
  expect(guids.size).toBe(kept.size);
});
