// The message tracking log in a folder of the test, written at once.
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { RotatingLog } from "../../src/observe/rotating-log.ts";

export const trackingLog = (folder: string, enabled = true): RotatingLog =>
  new RotatingLog(
    { enabled, folder, maxSize: 1_000_000, keepDays: 1 },
    {
      what: "tracking",
      prefix: "tracking",
      extension: "jsonl",
      droppedText: () => "",
      flushMs: 1,
      clock: systemClock,
      log: silentLogger,
    },
  );
