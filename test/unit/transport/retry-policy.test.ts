import { describe, expect, test } from "vitest";
import { createRetryPolicy } from "../../../src/transport/retry-policy.ts";
import { DEFAULT_RETRY_SETTINGS } from "../../support/default-settings.ts";

const MINUTE = 60_000;
const policy = (random: () => number, jitterPercent = 10) => {
  const remote = { ...DEFAULT_RETRY_SETTINGS, jitterPercent };
  return createRetryPolicy({ local: { ...remote, expiryMs: MINUTE }, remote }, random);
};

describe("the wait before the next attempt", () => {
  test("is spread by ten percent to either side", () => {
    expect(policy(() => 0).delayMs(1)).toBe(54_000);
    expect(policy(() => 0.5).delayMs(1)).toBe(MINUTE);
    expect(policy(() => 0.999_999).delayMs(1)).toBe(66_000);
    expect(policy(() => 0).delayMs(4)).toBe(13.5 * MINUTE);
  });

  test("is exact without jitter and never nothing", () => {
    expect(policy(() => 0, 0).delayMs(1)).toBe(MINUTE);
    expect(policy(() => 0, 100).delayMs(1)).toBe(1);
  });

  test("N11 brings 1,000 messages that failed together back at many moments", () => {
    let seed = 1;
    const next = (): number => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    const spread = policy(next);
    const delays = Array.from({ length: 1000 }, () => spread.delayMs(4));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(13.5 * MINUTE);
    expect(Math.max(...delays)).toBeLessThanOrEqual(16.5 * MINUTE);
    const seconds = new Set(delays.map((delay) => Math.floor(delay / 1000)));
    expect(seconds.size).toBeGreaterThan(100);
  });
});

test("local mail has its own patience", () => {
  const both = policy(() => 0);
  expect([both.expiresAt("local", 5), both.expiresAt("remote", 5)]).toEqual([
    5 + MINUTE,
    5 + DEFAULT_RETRY_SETTINGS.expiryMs,
  ]);
});
