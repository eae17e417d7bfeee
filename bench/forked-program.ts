// Programs of this folder as child processes, and questions to them over IPC.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadResult } from "./load-generator.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
export const NODE = pathOf("../node_modules/.bin/node");

/** `name`: of its file, without the ending. */
export function forkProgram(name: string, args: readonly string[] = []): ChildProcess {
  return fork(pathOf(`./${name}.ts`), args, {
    execPath: NODE,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

/** What they say, each of them some of it. */
export interface Answer {
  readonly port?: number;
  readonly count?: number;
  readonly at?: number;
  readonly load?: LoadResult;
}

/** Waits for the first answer that holds `key`. Rejects when the process ends before. */
export async function ask<Key extends keyof Answer>(
  child: ChildProcess,
  question: object | undefined,
  key: Key,
): Promise<NonNullable<Answer[Key]>> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      child.off("message", onMessage);
      child.off("exit", onExit);
    };
    const onMessage = (answer: Answer): void => {
      const value = answer[key];
      if (value === undefined) return;
      finish();
      resolve(value);
    };
    const onExit = (): void => {
      finish();
      reject(new Error("the process ended"));
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
    if (question !== undefined) child.send(question);
  });
}
