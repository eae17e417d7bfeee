// The process that makes the load of all runs. It stays: one that has just started compiles in its first tenths of a second, on
// the processors of what is measured, and the busier these are the more that costs.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadOrder, LoadResult } from "./load-generator.ts";
import { NODE } from "./subject.ts";

const PROGRAM = fileURLToPath(new URL("./load-generator.ts", import.meta.url));

let running: ChildProcess | undefined;

function generator(): ChildProcess {
  if (running !== undefined) return running;
  const child = fork(PROGRAM, [], { execPath: NODE, stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.once("exit", () => {
    if (running === child) running = undefined;
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
  return new Promise((resolve, reject) => {
    const end = (finish: () => void): void => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      finish();
    };
    const onMessage = (result: LoadResult): void => end(() => resolve(result));
    const onExit = (): void => end(() => reject(new Error("the load generator ended")));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      running = undefined;
      end(() => reject(new Error("the load generator was stopped at its time limit")));
    }, limitMs);
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(order);
  });
}
