// How a sandbox process stands with the system: its memory, its priority, and who is ended first.
import { readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

const PAGE_BYTES = 4096;
const LANE_NICENESS = 5;

/** When memory runs out, the kernel shall take a sandbox and not the mail. */
export function becomeFirstVictim(pid: number | undefined): void {
  if (process.platform !== "linux" || pid === undefined) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {
    // Some containers forbid it: the other limits hold all the same.
  }
}

/** Below ordinary work: whatever spins in it gets a third of the time that another process gets. */
export function yieldToOthers(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, LANE_NICENESS);
  } catch {
    // It is gone already, or the system has no priorities.
  }
}

export function rssBytes(pid: number | undefined): number {
  if (process.platform !== "linux" || pid === undefined) return 0;
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * PAGE_BYTES;
  } catch {
    return 0;
  }
}
