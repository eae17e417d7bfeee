// The process that makes the load of all runs. It stays: one that has just started compiles in its first tenths of a second, on
// the processors of what is measured, and the busier these are the more that costs.
import type { ChildProcess } from "node:child_process";
import { ask, forkProgram } from "./forked-program.ts";
import type { LoadOrder, LoadResult } from "./load-generator.ts";

let running: ChildProcess | undefined;

function generator(): ChildProcess {
  if (running !== undefined) return running;
  const child = forkProgram("load-generator");
  child.once("exit", () => {
    running = undefined;
  });
  // It ends with us, and does not keep us.
  child.unref();
  child.channel?.unref();
  running = child;
  return child;
}

/** One run at a time. Rejects, and ends the process, when the run takes longer than `limitMs`. */
export async function makeLoad(order: LoadOrder, limitMs: number): Promise<LoadResult> {
  const child = generator();
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  try {
    return await ask(child, order, "load");
  } catch (error) {
    throw new Error(`the load generator ${child.killed ? "was stopped at its time limit" : "ended"}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}
