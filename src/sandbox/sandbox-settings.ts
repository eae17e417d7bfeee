// Settings of the script sandbox, with the defaults of tests and of trials; those of a service come from its configuration.
import { availableParallelism } from "node:os";
import type { PoolSettings } from "./pool/pool-options.ts";
import type { ActivitySettings } from "./versions/script-activity.ts";
import { DEFAULT_RELOAD_SETTINGS, type ReloadSettings } from "./versions/script-slot.ts";

export interface SandboxSettings extends PoolSettings, ReloadSettings, ActivitySettings {
  /** Run V8 without its compilers of machine code (--jitless). */
  readonly jitless: boolean;
  /** Command line put before that of a sandbox process. */
  readonly wrapper: readonly string[];
  /** Niceness added to that of the service once a process has warmed up; 0: the same. */
  readonly niceness: number;
  /** Time beyond the limits of a script before its process is killed. */
  readonly killGraceMs: number;
  /** Time in which a process must have started. */
  readonly startTimeoutMs: number;
  /** Memory of one sandbox process, all isolates and buffers together (Linux). */
  readonly processMemoryMb: number;
  /** Messages up to this size go whole to scripts that read the body. */
  readonly wholeContentBytes: number;
  /** Timeouts, memory faults and crashes in a row that suspend a version. */
  readonly strikes: number;
  /** How long a suspended version waits for the next probe. */
  readonly probeMs: number;
  /** Runs of shadow bindings at a time. */
  readonly shadowRuns: number;
  /** Pause between two scans of the folder, beside the notifications of the kernel. */
  readonly rescanMs: number;
  /** Messages of the Drop folder that a script gets at once. */
  readonly maxDropMessages: number;
  /** poll: the folder is on a volume that sends no notifications, and looked at every `pollMs`. */
  readonly watch: "events" | "poll";
  readonly pollMs: number;
  /** Time for all samples and test cases of one script. */
  readonly testMs: number;
}

export const DEFAULT_SANDBOX_SETTINGS: SandboxSettings = {
  ...DEFAULT_RELOAD_SETTINGS,
  processes: Math.max(2, availableParallelism()),
  jitless: false,
  wrapper: [],
  niceness: 10,
  killGraceMs: 500,
  startTimeoutMs: 10_000,
  processMemoryMb: 1024,
  windowJobs: 32,
  windowMicros: 20_000,
  waitingJobs: 500,
  waitingBytes: 256 * 1024 * 1024,
  respawnBackoffMs: 100,
  wholeContentBytes: 1024 * 1024,
  strikes: 5,
  probeMs: 60_000,
  shadowRuns: 16,
  rescanMs: 5000,
  maxDropMessages: 10_000,
  watch: "events",
  pollMs: 1000,
  testMs: 10_000,
  logLines: 200,
  logBytes: 32 * 1024,
};
