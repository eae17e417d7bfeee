// A command of `onarrival` that runs until it is told to end: `await using program = startProgram(["dev"], { cwd })`.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { MAIN } from "./compiled.ts";
import { eventually } from "./eventually.ts";

const NODE = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));

export interface Program extends AsyncDisposable {
  /** All that it wrote to stdout and stderr so far. */
  readonly text: string;
  readonly stdout: string;
  /** Waits until text that was not claimed by an earlier call matches, and claims all up to its end. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code or signal, when it has ended. */
  readonly exited: Promise<number | string | null>;
  /** Sends the signal and answers exit code or signal. */
  end(signal?: NodeJS.Signals): Promise<number | string | null>;
}

export function startProgram(
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Record<string, string>; readonly main?: string },
): Program {
  const child = spawn(NODE, [options.main ?? MAIN, ...args], {
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  const exited = new Promise<number | string | null>((resolve) =>
    child.once("close", (code, signal) => resolve(code ?? signal)),
  );
  let text = "";
  let stdout = "";
  let claimed = 0;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  child.stdout.on("data", (chunk: string) => (stdout += chunk));
  const end = (signal: NodeJS.Signals = "SIGINT"): Promise<number | string | null> => {
    child.kill(signal);
    return exited;
  };
  return {
    get text() {
      return text;
    },
    get stdout() {
      return stdout;
    },
    async says(pattern) {
      const found = await eventually(() => pattern.exec(text.slice(claimed)) ?? undefined, {
        timeoutMs: 30_000,
        what: String(pattern),
      }).catch((error: unknown) => {
        throw new Error(`it did not say ${String(pattern)}:\n${text.slice(claimed)}`, { cause: error });
      });
      claimed += found.index + found[0].length;
      return found;
    },
    exited,
    end,
    [Symbol.asyncDispose]: async () => {
      await end("SIGKILL");
    },
  };
}
