// Processes of their own for shadow runs: live mail never waits behind one, and never shares its strikes. Started with the first run.
import { constants, setPriority } from "node:os";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { type CallActivity, CallRunner, type RunAnswer, type RunRequest } from "./call-runner.ts";
import type { PoolFigures, SandboxCounts } from "./sandbox-counts.ts";
import type { Secrets } from "../capabilities/secrets.ts";
import { Strikes } from "./strikes.ts";
import type { WorkerPool } from "./worker-pool.ts";

export interface ShadowPoolParts {
  readonly createPool: (strikes: Strikes, log: Logger) => Promise<WorkerPool>;
  readonly strikes: number;
  readonly probeMs: number;
  readonly counts?: SandboxCounts | undefined;
  readonly activity: CallActivity;
  readonly secrets: Secrets | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Started {
  readonly pool: WorkerPool;
  readonly runner: CallRunner;
}

export class ShadowPool {
  readonly #parts: ShadowPoolParts;
  readonly #strikes: Strikes;
  /** Processes that already stand back behind those of live mail. */
  readonly #lowered = new Set<number>();
  #started: Promise<Started> | undefined;
  #pool: WorkerPool | undefined;
  #stopped = false;

  constructor(parts: ShadowPoolParts) {
    this.#parts = parts;
    this.#strikes = new Strikes(parts.strikes, parts.probeMs, parts.clock, parts.counts);
  }

  get pids(): readonly number[] {
    return this.#pool?.pids ?? [];
  }

  get figures(): PoolFigures | undefined {
    return this.#pool?.figures;
  }

  async run(request: RunRequest): Promise<RunAnswer> {
    if (this.#stopped) return { outcomes: [] };
    this.#started ??= this.#start();
    const { runner } = await this.#started;
    const answer = runner.run(request);
    this.#lower();
    return answer;
  }

  isSuspended(version: string): boolean {
    return this.#strikes.isSuspended(version);
  }

  /** Whether this ended a suspension. */
  pardon(version: string): boolean {
    return this.#strikes.clear(version);
  }

  retire(version: string): void {
    this.#pool?.retire(version);
    this.#strikes.clear(version);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const started = await this.#started;
    await started?.pool.stop();
  }

  async #start(): Promise<Started> {
    const log = this.#parts.log.child({ shadow: true });
    const pool = await this.#parts.createPool(this.#strikes, log);
    this.#pool = pool;
    const { activity, secrets } = this.#parts;
    return { pool, runner: new CallRunner(pool, this.#strikes, log, activity, secrets) };
  }

  /** A processor that live mail wants goes to live mail. */
  #lower(): void {
    for (const pid of this.pids) {
      if (this.#lowered.has(pid)) continue;
      this.#lowered.add(pid);
      try {
        setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
      } catch {
        // It ended, or the system does not let us: it runs as any other.
      }
    }
  }
}
