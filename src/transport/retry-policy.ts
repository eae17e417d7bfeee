// The retry schedule as the pipeline asks it: settings bound once. Local and held mail has its own patience (REFERENCE 6.1).
import { type RetrySettings, expiresAt, isDelayNoticeDue, retryDelayMs } from "./retry-schedule.ts";

export type MailKind = "local" | "remote";

export interface RetryPolicy {
  /** Wait after so many attempts, ms. */
  delayMs(attempts: number): number;
  isDelayNoticeDue(kind: MailKind, arrivalTime: number, now: number): boolean;
  expiresAt(kind: MailKind, arrivalTime: number): number;
  readonly clockGraceMs: number;
}

/** `random` answers numbers in [0, 1): they spread what failed at one moment, so that it does not return at one (FAULTS N11). */
export function createRetryPolicy(
  settings: Readonly<Record<MailKind, RetrySettings>>,
  random: () => number = Math.random,
): RetryPolicy {
  const { remote } = settings;
  return {
    delayMs(attempts) {
      const spread = ((random() * 2 - 1) * remote.jitterPercent) / 100;
      return Math.max(1, Math.round(retryDelayMs(attempts, remote) * (1 + spread)));
    },
    isDelayNoticeDue: (kind, arrivalTime, now) => isDelayNoticeDue(arrivalTime, now, settings[kind]),
    expiresAt: (kind, arrivalTime) => expiresAt(arrivalTime, settings[kind]),
    clockGraceMs: remote.clockGraceMs,
  };
}
