// How a sandbox process stands with the system: its memory, its priority, and who is ended first.
import { readFileSync, writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

const PAGE_BYTES = 4096;
/** Unit of the times in /proc (USER_HZ), whatever the kernel itself counts with. */
const TICK_MS = 10;
const MAX_NICENESS = 19;
/** A process gets a third of the time that one of 5 less gets, where both want the same processor. */
const LANE_NICENESS = 5;
/** Until then a process interprets and compiles, and mail would wait for it. */
const WARM_ANSWERS = 1000;

/** When memory runs out, the kernel shall take a sandbox and not the mail. */
export function becomeFirstVictim(pid: number | undefined): void {
  if (process.platform !== "linux" || pid === undefined) return;
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
  } catch {
    // Some containers forbid it: the other limits hold all the same.
  }
}

/** Scripts spin in it. No further below us: the first message of each version waits for it. */
export function yieldOnLane(pid: number | undefined): void {
  yieldToUs(pid, LANE_NICENESS);
}

/** Once it is quick, it works in the gaps that we leave: a batch of messages in it does not keep us from all others. */
export function yieldWhenWarm(pid: number | undefined, answers: number, niceness: number): void {
  if (answers === WARM_ANSWERS && niceness > 0) yieldToUs(pid, niceness);
}

/** For good: without rights nobody can take it back. */
function yieldToUs(pid: number | undefined, niceness: number): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, Math.min(getPriority() + niceness, MAX_NICENESS));
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

/** Processor time that it has used so far. */
export function cpuMs(pid: number | undefined): number {
  if (process.platform !== "linux" || pid === undefined) return 0;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Behind the name, which may hold blanks: utime and stime are the 14th and 15th of all.
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return (Number(user) + Number(system)) * TICK_MS;
  } catch {
    return 0;
  }
}
