// The real service as a child process in a folder of its own: `await using service = await startService({ … })`.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { callControl } from "../../src/admin/control-client.ts";
import { MAIN } from "./compiled.ts";
import { eventually } from "./eventually.ts";
import { tempFolder, type TempFolder } from "./temp-folder.ts";
import type { QueueEntry } from "../../src/transport/queues/queue-view.ts";

const NODE = fileURLToPath(new URL("../../node_modules/.bin/node", import.meta.url));
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 15_000;

export interface ServiceOptions {
  /** Content of onarrival.yaml; none: the service runs on its defaults. Sandbox processes, unless it says so: vitest.config.ts. */
  readonly config?: Record<string, unknown>;
  /** File name → text, written before the start. A name may hold folders. */
  readonly scripts?: Record<string, string>;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Command line that starts the service, as `["unshare", "-r"]`. */
  readonly through?: readonly string[];
  /** false: do not wait for the ready line (a start that is expected to fail). */
  readonly waitForReady?: boolean;
  /** How long a start or a stop may take beside other load. */
  readonly patienceMs?: number;
  /** Another mailroot than the one in the temporary folder. */
  readonly mailroot?: string;
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `onarrival ARGS` to its end. */
export function runCommand(
  args: readonly string[],
  options: { cwd: string; timeoutMs?: number; env?: Record<string, string> },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(NODE, [MAIN, ...args], {
      cwd: options.cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      timeout: options.timeoutMs ?? 30_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** Live processes below `root`, itself not included. Linux only; elsewhere none are seen. */
export function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  let names: string[] = [];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  for (const name of names) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const found = new Set([root]);
  for (let before = 0; before !== found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  found.delete(root);
  return [...found];
}

/** A file of Drop, Badmail or Pickup. */
export interface StoredFile {
  readonly name: string;
  readonly content: Buffer;
}

async function readFolder(folder: string): Promise<StoredFile[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const files: StoredFile[] = [];
  // A name with a leading dot is a file that is still being written.
  for (const name of names.filter((entry) => !entry.startsWith(".")).sort()) {
    const content = await readFile(join(folder, name)).catch(() => undefined);
    if (content !== undefined) files.push({ name, content });
  }
  return files;
}

export class Service implements AsyncDisposable {
  readonly folder: string;
  readonly mailroot: string;
  readonly scriptsFolder: string;
  readonly configFile: string;
  /** Lines of stdout and stderr of all runs so far. */
  readonly log: string[] = [];
  port = 0;
  #temp: TempFolder;
  #options: ServiceOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<number | string | null> = Promise.resolve(null);

  constructor(temp: TempFolder, options: ServiceOptions) {
    this.#temp = temp;
    this.#options = options;
    this.folder = temp.path;
    this.mailroot = options.mailroot ?? join(temp.path, "mailroot");
    this.scriptsFolder = join(temp.path, "scripts");
    this.configFile = join(temp.path, "onarrival.yaml");
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Exit code or signal of the present run. */
  get exited(): Promise<number | string | null> {
    return this.#exited;
  }

  async prepare(): Promise<void> {
    await mkdir(this.scriptsFolder, { recursive: true });
    for (const [name, text] of Object.entries(this.#options.scripts ?? {}))
      await this.writeScript(name, text);
    if (this.#options.config !== undefined) await this.writeConfig(this.#options.config);
  }

  async start(): Promise<void> {
    const config = this.#options.config === undefined ? [] : ["--config", this.configFile];
    // A restart keeps the port: clients of the test have it.
    const listen = ["--listen", `127.0.0.1:${this.port}`];
    const args = [
      MAIN,
      "serve",
      ...config,
      ...listen,
      "--mailroot",
      this.mailroot,
      "--scripts",
      this.scriptsFolder,
      ...(this.#options.args ?? []),
    ];
    const [program, ...before] = [...(this.#options.through ?? []), NODE];
    const child = spawn(program, [...before, ...args], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...this.#options.env },
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));
    const from = this.log.length;
    this.#collect(child);
    if (this.#options.waitForReady === false) return;
    const ready = await eventually(
      () => {
        if (!this.running) return this.log.slice(from).join("\n") || "ended without a word";
        return this.log.slice(from).find((line) => /\bready\b/.test(line) && /127\.0\.0\.1:\d+/.test(line));
      },
      { timeoutMs: this.#options.patienceMs ?? START_TIMEOUT_MS, what: "the ready line" },
    ).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw new Error(`the service did not start:\n${this.log.slice(from).join("\n")}`, { cause: error });
    });
    if (!this.running) throw new Error(`the service ended at once:\n${ready}`);
    this.port = Number(/127\.0\.0\.1:(\d+)/.exec(ready)?.[1]);
  }

  #collect(child: ChildProcess): void {
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream?.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        this.log.push(...lines);
      });
      stream?.on("end", () => {
        if (rest !== "") this.log.push(rest);
      });
    }
  }

  /** Sends the signal and, for one that ends the process, waits for the end. Answers the exit code or signal. */
  async kill(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string | null> {
    const child = this.#child;
    if (child === undefined || !this.running) return this.#exited;
    child.kill(signal);
    if (signal === "SIGHUP") return null;
    const timer = setTimeout(() => child.kill("SIGKILL"), this.#options.patienceMs ?? STOP_TIMEOUT_MS);
    try {
      return await this.#exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the service (SIGTERM unless told otherwise) and starts it again on the same port and folders. */
  async restart(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.kill(signal);
    await this.start();
  }

  async writeScript(name: string, text: string): Promise<void> {
    const path = join(this.scriptsFolder, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
  }

  async removeScript(name: string): Promise<void> {
    await rm(join(this.scriptsFolder, name), { force: true });
  }

  /** YAML is a superset of JSON. */
  async writeConfig(config: Record<string, unknown>): Promise<void> {
    const workers = Number(process.env["TEST_SANDBOX_WORKERS"] ?? 1);
    const sandbox = { workers, ...(config["sandbox"] as object | undefined) };
    await writeFile(this.configFile, `${JSON.stringify({ ...config, sandbox }, undefined, 2)}\n`);
  }

  /** `onarrival ARGS` against this service's folders. */
  command(...args: string[]): Promise<CommandResult> {
    return runCommand(args, { cwd: this.folder });
  }

  /** What `queue list --json` prints, without a process for each look. */
  async queue(): Promise<QueueEntry[]> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the command checks what the service answers
    return (await callControl(this.mailroot, "queue.list", {})) as QueueEntry[];
  }

  /** `server`: a virtual server behind the first one. */
  drop(server = ""): Promise<StoredFile[]> {
    return readFolder(join(this.mailroot, server, "Drop"));
  }

  pickup(): Promise<StoredFile[]> {
    return readFolder(join(this.mailroot, "Pickup"));
  }

  badmail(): Promise<StoredFile[]> {
    return readFolder(join(this.mailroot, "Badmail"));
  }

  /** Empties Drop and Badmail, for tests that share a service. */
  async clear(): Promise<void> {
    for (const name of ["Drop", "Badmail"]) {
      const folder = join(this.mailroot, name);
      const files = await readdir(folder).catch(() => [] as string[]);
      await Promise.all(files.map((file) => rm(join(folder, file), { force: true })));
    }
  }

  /** Waits until Drop holds `count` messages. */
  async dropped(count: number, timeoutMs = 15_000): Promise<StoredFile[]> {
    return eventually(
      async () => {
        const files = await this.drop();
        return files.length >= count && files;
      },
      { timeoutMs, what: `${count} files in Drop` },
    );
  }

  /** Waits for a line of the log. */
  logged(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    return eventually(() => this.log.find((line) => pattern.test(line)), {
      timeoutMs,
      what: `a log line like ${String(pattern)}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const below = this.running ? descendants(this.pid) : [];
    await this.kill("SIGTERM");
    for (const pid of below) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone, as it should be.
      }
    }
    await this.#temp[Symbol.asyncDispose]();
  }
}

export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const service = new Service(await tempFolder("service"), options);
  try {
    await service.prepare();
    await service.start();
  } catch (error) {
    await service[Symbol.asyncDispose]();
    throw error;
  }
  return service;
}
