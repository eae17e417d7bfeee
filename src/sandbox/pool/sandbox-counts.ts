// What the sandbox has been through since the start of the service. Plain fields: a scrape reads them.

/** Why a process ended: late with an answer, too much memory, never started, by itself, or it broke the contract. */
export type EndKind = "deadline" | "memory" | "start" | "exit" | "violation";

export class SandboxCounts {
  readonly processesEnded: Record<EndKind, number> = {
    deadline: 0,
    memory: 0,
    start: 0,
    exit: 0,
    violation: 0,
  };
  strikes = 0;
  suspensions = 0;

  ended({ isReady, endKind }: { readonly isReady: boolean; readonly endKind: EndKind }): void {
    this.processesEnded[isReady ? endKind : "start"] += 1;
  }
}

export interface PoolFigures {
  readonly processes: number;
  /** Processes that have said that they are ready. */
  readonly ready: number;
  /** Tasks that wait for a process. */
  readonly queued: number;
  /** Jobs whose scripts wait for a capability. */
  readonly waiting: number;
  /** No process can be started: tasks are told so at once. */
  readonly hasGivenUp: boolean;
}

export const poolFigures = (
  workers: readonly { readonly isReady: boolean; readonly waitingJobs: number }[],
  queued: number,
  hasGivenUp: boolean,
): PoolFigures => ({
  processes: workers.length,
  ready: workers.filter(({ isReady }) => isReady).length,
  queued,
  waiting: workers.reduce((sum, { waitingJobs }) => sum + waitingJobs, 0),
  hasGivenUp,
});
