// How long a step of the clock makes no message older; what follows for messages is in clock-steps.test.ts.
import { expect, test } from "vitest";
import { silentLogger } from "../../../src/core/logger.ts";
import { AgeingClock } from "../../../src/transport/ageing-clock.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

test("T01 a step counts when the grace that the settings give is over", async () => {
  const clock = new ManualClock();
  let grace = 10 * MINUTE;
  const ages = new AgeingClock(clock, MINUTE, () => grace, silentLogger);
  const step = async (minutesBefore: number): Promise<void> => {
    const before = ages.now();
    clock.setForward(DAY);
    for (let minute = 0; minute < minutesBefore; minute += 1) {
      // Samples are due every minute.
      expect(ages.now() - before).toBeLessThan(DAY / 2);
      // oxlint-disable-next-line no-await-in-loop
      await clock.advance(MINUTE);
    }
    expect(ages.now() - before).toBeGreaterThanOrEqual(DAY);
  };
  await step(10);
  grace = 3 * MINUTE;
  await step(3);
});
