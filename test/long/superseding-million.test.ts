// A million messages wait that may be superseded: what is kept in memory of them.
import { expect, test } from "vitest";
import { createMessageIds } from "../../src/core/message-ids.ts";
import { WaitingGuids } from "../../src/transport/waiting-guids.ts";
import { ManualClock } from "../support/manual-clock.ts";

const MILLION = 1_000_000;
const MIB = 1024 * 1024;

const nextId = createMessageIds(new ManualClock(), () => 0.5);
const guidOf = (number: number): string => `{0a1b2c3d-0000-4000-8000-${String(number).padStart(12, "0")}}`;

test("a million GUIDs take less than 64 MiB, and one of them is found at once", () => {
  const before = process.memoryUsage();
  const guids = new WaitingGuids();
  for (let number = 0; number < MILLION; number += 1) guids.add(nextId(), guidOf(number), number);
  const after = process.memoryUsage();
  expect(guids.size).toBe(MILLION);
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 * MIB);
  const begun = performance.now();
  for (let number = 0; number < MILLION; number += 1000)
    expect(guids.olderThan(guidOf(number), MILLION)).toHaveLength(1);
  expect(performance.now() - begun).toBeLessThan(2000);
}, 60_000);

test("a million of one GUID are all found, and each is gone without a search among the others", () => {
  const guids = new WaitingGuids();
  for (let number = 0; number < MILLION; number += 1) guids.add(nextId(), "news", number);
  const all = guids.olderThan("news", MILLION);
  expect(all).toHaveLength(MILLION);
  const begun = performance.now();
  for (const id of all.toReversed()) guids.remove(id);
  expect(performance.now() - begun).toBeLessThan(20_000);
  expect(guids.size).toBe(0);
}, 60_000);
