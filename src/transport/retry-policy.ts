// The retry schedule as the pipeline asks it: settings bound once. Local and held mail has its own patience (REFERENCE 6.1).
import { type RetrySettings, isDelayNoticeDue, isExpired, retryDelayMs } from "./retry-schedule.ts";

export type MailKind = "local" | "remote";

export interface RetryPolicy {
  /** Wait after so many attempts, ms. */
  delayMs(attempts: number): number;
  isDelayNoticeDue(kind: MailKind, arrivalTime: number, now: number): boolean;
  isExpired(kind: MailKind, arrivalTime: number, now: number): boolean;
}

export function createRetryPolicy(settings: Readonly<Record<MailKind, RetrySettings>>): RetryPolicy {
  return {
    delayMs: (attempts) => retryDelayMs(attempts, settings.remote),
    isDelayNoticeDue: (kind, arrivalTime, now) => isDelayNoticeDue(arrivalTime, now, settings[kind]),
    isExpired: (kind, arrivalTime, now) => isExpired(arrivalTime, now, settings[kind]),
  };
}
