// What a scenario measures: something that listens for SMTP, the sink behind it, and how to end both.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ask, forkProgram, NODE } from "./forked-program.ts";
import { treeUse } from "./process-tree.ts";

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
export const MAIN = pathOf("../src/main.ts");

export interface Sink {
  readonly port: number;
  readonly pid: number;
  count(): Promise<number>;
  /** Monotonic ms when the total reached `count`; undefined when it did not within the time. */
  until(count: number, timeoutMs: number): Promise<number | undefined>;
  stop(): Promise<void>;
}

export interface Subject {
  readonly port: number;
  readonly pids: readonly number[];
  readonly sink?: Sink | undefined;
  /** Where scripts are saved. */
  readonly scriptsFolder?: string | undefined;
  stop(): Promise<void>;
}

/** Ends a process we started, and what is left below it. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const below = treeUse([child.pid]).pids;
  const ended = once(child, "exit");
  child.kill(signal);
  await Promise.race([ended, sleep(STOP_TIMEOUT_MS)]);
  for (const pid of below) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It is gone.
    }
  }
  await ended;
}

export async function startSink(): Promise<Sink> {
  const child = forkProgram("smtp-sink", ["--port", "0"]);
  const port = await ask(child, undefined, "port");
  return {
    port,
    pid: child.pid ?? 0,
    count: () => ask(child, { count: true }, "count"),
    until: async (count, timeoutMs) => {
      const reached = ask(child, { until: count }, "at").catch(() => undefined);
      const timer = new AbortController();
      const timeout = new Promise<undefined>((resolve) => {
        const handle = setTimeout(() => resolve(undefined), timeoutMs);
        timer.signal.addEventListener("abort", () => clearTimeout(handle));
      });
      const at = await Promise.race([reached, timeout]);
      timer.abort();
      return at;
    },
    stop: () => end(child),
  };
}

/** The listener of src/smtp/server without anything behind it; `sinks` that do nothing are bound to every command. */
export async function startListenerOnly(sinks = 0): Promise<Subject> {
  const child = forkProgram("listener-only", [String(sinks)]);
  const port = await ask(child, undefined, "port");
  return { port, pids: [child.pid ?? 0], stop: () => end(child) };
}

/** Waits until a greeting comes. */
export async function waitForGreeting(port: number, alive: () => boolean): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (!alive()) throw new Error("it ended before it listened");
    const greeted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.setTimeout(3000, () => socket.destroy());
      socket.once("data", () => {
        resolve(true);
        socket.end("QUIT\r\n");
      });
      socket.once("error", () => socket.destroy());
      socket.once("close", () => resolve(false));
    });
    if (greeted) return;
    await sleep(50);
  }
  throw new Error(`no greeting on port ${port}`);
}

const DISCARD = {
  displayName: "discard",
  event: "OnTransportSubmission",
  sinkClass: pathOf("./discard-sink.ts"),
};

export interface ServiceChoices {
  readonly scripts?: Readonly<Record<string, string>>;
  /** Where everything goes: to a sink of its own, to the Drop folder, or nowhere once it is stored. */
  readonly to?: "sink" | "drop" | "nowhere";
  /** A sink of the caller's own instead of a new process. */
  readonly sinkPort?: number;
}

/** The service as a user starts it, on a free port, with an empty mailroot below the temporary folder. */
export async function startService(choices: ServiceChoices = {}): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), "onarrival-bench-"));
  const scriptsFolder = join(folder, "scripts");
  await mkdir(scriptsFolder);
  for (const [name, text] of Object.entries(choices.scripts ?? {}))
    await writeFile(join(scriptsFolder, name), text);
  const { to = "sink" } = choices;
  const sink = to !== "sink" || choices.sinkPort !== undefined ? undefined : await startSink();
  const nextHop = choices.sinkPort ?? sink?.port;
  const config = {
    virtualServers: [
      {
        name: "default",
        domains: { local: [nextHop === undefined ? "example.org" : "localhost"] },
        relay: { networks: ["127.0.0.0/8"] },
        ...(nextHop === undefined ? {} : { delivery: { smartHost: `127.0.0.1:${nextHop}` } }),
      },
    ],
    ...(to === "nowhere" ? { bindings: [DISCARD] } : {}),
  };
  const configFile = join(folder, "onarrival.yaml");
  await writeFile(configFile, JSON.stringify(config));
  const mailroot = join(folder, "mailroot");
  const args = [
    MAIN,
    "serve",
    "--config",
    configFile,
    "--listen",
    "127.0.0.1:0",
    "--mailroot",
    mailroot,
    "--scripts",
    scriptsFolder,
  ];
  const child = spawn(NODE, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const stop = async (): Promise<void> => {
    await end(child);
    await sink?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    return { port: await readyPort(child), pids: [child.pid ?? 0], sink, scriptsFolder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The port of the line that says `ready`. What is printed afterwards is read and thrown away, so that no pipe fills. */
async function readyPort(child: ChildProcess): Promise<number> {
  let printed = "";
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready: ${printed.slice(-2000)}`)), START_TIMEOUT_MS);
    let settled = false;
    const take = (text: string): void => {
      if (settled) return;
      printed += text;
      const port = /^.*\bready\b.*?127\.0\.0\.1:(\d+)/m.exec(printed)?.[1];
      if (port === undefined) return;
      settled = true;
      clearTimeout(timer);
      resolve(Number(port));
    };
    child.stdout?.setEncoding("utf8").on("data", take);
    child.stderr?.setEncoding("utf8").on("data", take);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${String(code)}: ${printed.slice(-2000)}`));
    });
  });
}
