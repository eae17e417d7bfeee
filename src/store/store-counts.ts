// What the store has done since the start of the service. Plain fields: a scrape reads them, mail only adds to them.

export class StoreCounts {
  /** Messages that became durable, those that compaction wrote again included. */
  commits = 0;
  barriers = 0;
  /** Sum over all barriers, ms: from the start of the write until the barrier was through. */
  barrierMs = 0;
  failures = 0;
  /** The last write failed. */
  isFailing = false;
}

export interface StoreFigures {
  readonly messages: number;
  /** Of them, those that are objects in memory: something happens to them, or their content is a file of its own. */
  readonly working: number;
  readonly segments: number;
  readonly bytes: number;
  /** Why nothing is accepted now. */
  readonly refusal: string | undefined;
}
