// How long something took, counted in buckets: an addition per call, whatever becomes of it.

/** Upper ends in seconds; beyond the last is one bucket more. */
export const BUCKETS = [
  0.000_01, 0.000_03, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30,
] as const;

const BUCKET_MICROS: readonly number[] = BUCKETS.map((seconds) => seconds * 1e6);

export class TimeCounts {
  /** By bucket, each without those below it. */
  readonly counts: number[] = Array.from({ length: BUCKETS.length + 1 }, () => 0);
  /** All together. */
  micros = 0;

  add(micros: number): void {
    this.micros += micros;
    let bucket = 0;
    while (micros > (BUCKET_MICROS[bucket] ?? Infinity)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
  }
}
