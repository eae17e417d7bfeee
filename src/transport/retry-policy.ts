// When the pipeline tries again, tells the sender of a delay, and gives up (REFERENCE 6.1 rows 18 to 21 and 35).

export interface RetryPolicy {
  /** Wait after so many attempts, ms. */
  delayMs(attempts: number): number;
  isDelayNoticeDue(arrivalTime: number, now: number): boolean;
  isExpired(arrivalTime: number, now: number): boolean;
}
