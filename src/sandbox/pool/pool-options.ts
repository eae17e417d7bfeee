// What a pool of sandbox processes is told.
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import type { SandboxCounts } from "./sandbox-counts.ts";
import type { WorkerOptions } from "./worker-process.ts";

export interface PoolSettings {
  /** Sandbox processes for ordinary work; as many again at most for suspects, started when there are some. */
  readonly processes: number;
  /** Tasks that one process holds at once, so that it never waits for the relay. */
  readonly windowJobs: number;
  /** Estimated work in µs that one process holds at once: behind a slow script nobody shall queue. */
  readonly windowMicros: number;
  /** Jobs that wait for answers in one process, and bytes of their messages: beyond it scripts known to wait queue up. */
  readonly waitingJobs: number;
  readonly waitingBytes: number;
  /** First pause after a process that died at its start; doubles up to 30 s. */
  readonly respawnBackoffMs: number;
}

export interface PoolOptions extends PoolSettings {
  readonly worker: Omit<WorkerOptions, "readsBody" | "log">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isSuspended: (version: string) => boolean;
  readonly counts?: SandboxCounts | undefined;
}
