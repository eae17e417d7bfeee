import { expect, test } from "vitest";
import { expiresAt, isDelayNoticeDue, retryDelayMs } from "../../../src/transport/retry-schedule.ts";
import { DEFAULT_RETRY_SETTINGS as defaults } from "../../support/default-settings.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("three quick attempts are followed by 15, 30, 60 and then 240 minutes for ever", () => {
  const minutes = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((attempts) => retryDelayMs(attempts, defaults) / MINUTE);
  expect(minutes).toEqual([1, 1, 1, 15, 30, 60, 240, 240, 240]);
});

test("the delay is told after 12 hours and the message is given up after two days", () => {
  expect(isDelayNoticeDue(0, 12 * HOUR - 1, defaults)).toBe(false);
  expect(isDelayNoticeDue(0, 12 * HOUR, defaults)).toBe(true);
  expect(isDelayNoticeDue(0, 48 * HOUR, defaults)).toBe(false);
  expect(expiresAt(5, defaults)).toBe(48 * HOUR + 5);
});
