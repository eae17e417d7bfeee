// CPU seconds and memory of a process and all below it, from /proc (Linux).
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

interface ProcessEntry {
  readonly parent: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

export interface TreeUse {
  /** User and system time, that of ended and awaited children included. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly pids: readonly number[];
}

function readProcess(pid: string): ProcessEntry | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name in parentheses may hold anything; fields are counted behind it (proc(5): field 3 is first here).
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15);
  return {
    parent: fields[1] ?? 0,
    cpuSeconds: (utime + stime + cutime + cstime) / TICKS_PER_SECOND,
    rssBytes: (fields[21] ?? 0) * PAGE_BYTES,
  };
}

export function treeUse(roots: readonly number[]): TreeUse {
  const table = new Map<number, ProcessEntry>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const entry = readProcess(name);
    if (entry !== undefined) table.set(Number(name), entry);
  }
  const kept = new Set(roots.filter((pid) => table.has(pid)));
  for (let before = -1; before !== kept.size;) {
    before = kept.size;
    for (const [pid, entry] of table) if (kept.has(entry.parent)) kept.add(pid);
  }
  let cpuSeconds = 0;
  let rssBytes = 0;
  for (const pid of kept) {
    cpuSeconds += table.get(pid)?.cpuSeconds ?? 0;
    rssBytes += table.get(pid)?.rssBytes ?? 0;
  }
  return { cpuSeconds, rssBytes, pids: [...kept] };
}

/** µs that the threads of one process ran so far; finer than the ticks of treeUse. */
export function threadMicros(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ", 1)[0]);
    } catch {
      // It ended meanwhile.
    }
  }
  return nanoseconds / 1000;
}

/** Seconds since boot: of all processors together busy, and in total. */
export function machineUse(): { readonly busySeconds: number; readonly totalSeconds: number } {
  const fields = (readFileSync("/proc/stat", "latin1").split("\n", 1)[0] ?? "")
    .trim()
    .split(/\s+/)
    .slice(1, 9)
    .map(Number);
  const total = fields.reduce((sum, value) => sum + value, 0);
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0);
  return { busySeconds: (total - idle) / TICKS_PER_SECOND, totalSeconds: total / TICKS_PER_SECOND };
}
