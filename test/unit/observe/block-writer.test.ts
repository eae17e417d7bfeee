import { closeSync, openSync, existsSync } from "node:fs";
import { expect, test } from "vitest";
import { BlockWriter } from "../../../src/observe/block-writer.ts";
import { eventually } from "../../support/eventually.ts";

const SETTINGS = { blockBytes: 1024, flushMs: 2, maxPendingBytes: 4096 };

// Every write to /dev/full fails with ENOSPC.
test.runIf(existsSync("/dev/full"))(
  "C21 on a full disk the failure is told once, the lines are counted, and what waits for them goes on",
  async () => {
    const fd = openSync("/dev/full", "w");
    const failures: string[] = [];
    let lost = 0;
    const writer = new BlockWriter(
      fd,
      SETTINGS,
      (error) => failures.push(error.message),
      (lines) => (lost += lines),
    );
    let calls = 0;
    for (let line = 0; line < 3; line += 1) {
      writer.write("lost\n");
      writer.whenWritten(() => (calls += 1));
    }
    await eventually(() => calls === 3);
    writer.write("lost as well\n");
    writer.whenWritten(() => (calls += 1));
    await eventually(() => calls === 4);
    expect(failures).toEqual([expect.stringContaining("ENOSPC")]);
    expect(lost).toBe(4);
    writer.write("lost at the end\n");
    await writer.close();
    expect(lost).toBe(5);
    closeSync(fd);
  },
);
