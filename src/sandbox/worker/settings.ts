// Settings of one sandbox process. Who starts it may override them: one JSON object as the first argument of the process.

export interface WorkerSettings {
  /** Isolates kept at a time; beyond it the one longest unused is disposed. About 2 MB each. */
  readonly maxIsolates: number;
  /** An isolate unused for so long is disposed; its script stays loaded as text. */
  readonly isolateIdleMs: number;
  /** Calls that one isolate holds at a time, all but one of them waiting; for more a further isolate is made. */
  readonly isolateMaxCalls: number;
  /** Calls after which an isolate is replaced: what leaks in V8 is bounded by it. */
  readonly isolateMaxUses: number;
  /** Fresh contexts (cacheable: false) after which an isolate is replaced: contexts are freed late. */
  readonly isolateMaxContexts: number;
  /** Calls between two looks at the heap. */
  readonly heapSampleEvery: number;
  /** Share of the script's memory limit above which an isolate is replaced between two messages. */
  readonly heapRecycleShare: number;
  /** A message whose unsent rest is not longer is fetched whole at the first look beyond what was sent. */
  readonly wholeRestBytes: number;
  /** Answers of one turn go out in one write, but none waits longer than this for the jobs behind it. 0: each at once. */
  readonly flushAfterMs: number;
  /** Calls that ran for so long have their memory measured: it is lost in the time that they took. */
  readonly measureAfterMs: number;
  /** Wall time for evaluating a script once, before its first message. */
  readonly loadTimeoutMs: number;
  /** One stream may hold this share of the script's memory limit when it comes from a message. */
  readonly streamMemoryShare: number;
}

export const DEFAULT_WORKER_SETTINGS: WorkerSettings = {
  maxIsolates: 64,
  isolateIdleMs: 60_000,
  isolateMaxCalls: 16,
  isolateMaxUses: 1_000_000,
  isolateMaxContexts: 50,
  heapSampleEvery: 200,
  heapRecycleShare: 0.6,
  wholeRestBytes: 1024 * 1024,
  flushAfterMs: 5,
  measureAfterMs: 0.5,
  loadTimeoutMs: 1000,
  streamMemoryShare: 0.5,
};

export function readWorkerSettings(argument: string | undefined): WorkerSettings {
  if (argument === undefined || argument === "") return DEFAULT_WORKER_SETTINGS;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the relay is trusted
  return { ...DEFAULT_WORKER_SETTINGS, ...(JSON.parse(argument) as Partial<WorkerSettings>) };
}
