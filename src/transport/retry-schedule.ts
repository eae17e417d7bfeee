// When a message that could not be delivered is tried again, when its sender is told, and when it is given up.

export interface RetrySettings {
  /** Quick attempts after the first failure, for faults that pass by themselves (SmtpRemoteRetryThreshold, REFERENCE 6.2). */
  readonly glitchRetries: number;
  readonly glitchIntervalMs: number;
  /** Then these in turn, the last one for ever after (SmtpRemoteProgressiveRetry, REFERENCE 6.1 row 35). */
  readonly intervalsMs: readonly number[];
  /** By how much each wait is made shorter or longer at random, in percent of it. */
  readonly jitterPercent: number;
  /** The sender is told of the delay once after this time. */
  readonly delayNoticeMs: number;
  /** The message is given up after this time. */
  readonly expiryMs: number;
  /** How long a clock that was set forward makes no message older. */
  readonly clockGraceMs: number;
}

/** How long to wait after the attempt with this number, counted from 1. */
export function retryDelayMs(attempts: number, settings: RetrySettings): number {
  if (attempts <= settings.glitchRetries) return settings.glitchIntervalMs;
  const step = Math.min(attempts - settings.glitchRetries, settings.intervalsMs.length) - 1;
  return settings.intervalsMs[step] ?? settings.glitchIntervalMs;
}

export const expiresAt = (arrivalTime: number, { expiryMs }: RetrySettings): number => arrivalTime + expiryMs;

/** Whether the notice of delay is due; the caller remembers that it was sent. */
export const isDelayNoticeDue = (arrivalTime: number, now: number, settings: RetrySettings): boolean =>
  now >= arrivalTime + settings.delayNoticeMs && now < expiresAt(arrivalTime, settings);
