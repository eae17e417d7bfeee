import { expect, test } from "vitest";
import {
  expiresAt,
  isDelayNoticeDue,
  isExpired,
  retryDelayMs,
} from "../../../src/transport/retry-schedule.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("three quick attempts are followed by 15, 30, 60 and then 240 minutes for ever", () => {
  const minutes = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((attempts) => retryDelayMs(attempts) / MINUTE);
  expect(minutes).toEqual([1, 1, 1, 15, 30, 60, 240, 240, 240]);
});

test("the delay is told after 12 hours and the message is given up after two days", () => {
  expect(isDelayNoticeDue(0, 12 * HOUR - 1)).toBe(false);
  expect(isDelayNoticeDue(0, 12 * HOUR)).toBe(true);
  expect(isDelayNoticeDue(0, 48 * HOUR)).toBe(false);
  expect(isExpired(0, 48 * HOUR - 1)).toBe(false);
  expect(isExpired(5, 48 * HOUR + 5)).toBe(true);
  expect(expiresAt(5)).toBe(48 * HOUR + 5);
});
