// What the relay and a sandbox process say to each other about the process itself: part of contract.ts.

/** First frame of a process. Its bytes are the bundled runtime (runtime/index.ts as one classic script), UTF-8. */
export interface InitFrame {
  readonly type: "init";
}

/** Sent once when the process can take frames. */
export interface ReadyFrame {
  readonly type: "ready";
}
