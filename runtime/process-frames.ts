// What the relay and a sandbox process say to each other about the process itself: part of contract.ts.

/** First frame of a process. Its bytes are the bundled runtime (runtime/index.ts as one classic script), UTF-8. */
export interface InitFrame {
  readonly type: "init";
}

/** Sent once when the process can take frames. */
export interface ReadyFrame {
  readonly type: "ready";
}

/**
 * `begun` before the process makes its snapshot of the runtime, `made` or `refused` when an isolate was tried with it; each at
 * most once, between any other frames. A process that ends in between ended by it.
 */
export interface SnapshotFrame {
  readonly type: "snapshot";
  readonly step: "begun" | "made" | "refused";
  /** Why it was refused: one line, at most 200 characters. */
  readonly reason?: string;
}
