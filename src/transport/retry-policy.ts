// The retry schedule as the pipeline asks it: settings bound once, one policy per service.
import { type RetrySettings, isDelayNoticeDue, isExpired, retryDelayMs } from "./retry-schedule.ts";

export interface RetryPolicy {
  /** Wait after so many attempts, ms. */
  delayMs(attempts: number): number;
  isDelayNoticeDue(arrivalTime: number, now: number): boolean;
  isExpired(arrivalTime: number, now: number): boolean;
}

export function createRetryPolicy(settings: RetrySettings): RetryPolicy {
  return {
    delayMs: (attempts) => retryDelayMs(attempts, settings),
    isDelayNoticeDue: (arrivalTime, now) => isDelayNoticeDue(arrivalTime, now, settings),
    isExpired: (arrivalTime, now) => isExpired(arrivalTime, now, settings),
  };
}
