import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import type { LogFields, Logger } from "../../../../src/core/logger.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { SegmentStore } from "../../../../src/store/segments/segment-store.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { envelope, message, origin, temporaryFolder } from "../store-samples.ts";

const SECOND = 1000;

test("C17 a folder that is gone for hours is told of at once, each minute with a count, and once when it is back", async () => {
  await using folder = await temporaryFolder();
  const queue = path.join(folder.path, "Queue");
  const told: { text: string; fields: LogFields }[] = [];
  const tell = (fields: LogFields, text: string): void => void told.push({ text, fields });
  const logger: Logger = { ...silentLogger, error: tell, info: tell };
  const clock = new ManualClock();
  // Each batch begins a segment: without the folder none can.
  const settings = { minFreeBytes: 0, groupDelayMs: 0, segmentBytes: 1 };
  const store = new SegmentStore({ folder: queue, settings, clock, logger });
  const of = (text: string): typeof told => told.filter((line) => line.text === text);
  const failures = (): number => store.counts.failures;
  const id = store.nextId();
  try {
    await store.open();
    await store.commit(id, origin, envelope, message(1));
    await rm(queue, { recursive: true });
    store.remove(id);
    // Nobody waits for the record: it is tried again each second.
    for (let seconds = 0; failures() < 130; seconds += 1) {
      const before = failures();
      await clock.advance(SECOND);
      if (seconds > 0) await eventually(() => failures() > before, { intervalMs: 1 });
    }
    const lines = of("the store could not write");
    expect(lines.map(({ fields }) => fields["failures"])).toEqual([1, 61, 121]);
    expect(lines[0]?.fields).toMatchObject({
      code: "STORE_FAILED",
      error: expect.stringContaining("ENOENT"),
    });
    expect(of("the store writes again")).toEqual([]);
    await mkdir(queue);
    await eventually(async () => {
      await clock.advance(SECOND);
      return of("the store writes again").length > 0;
    });
    expect(of("the store writes again")).toMatchObject([{ fields: { failures: failures() } }]);
  } finally {
    await store.close();
  }
});
