// One sandbox process: its start, its frames and its end. SIGKILL is the only end: after a fault of V8 nothing else works.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import { encodeFrame, FrameReader } from "../core/frames.ts";
import { CONTENT_FD, FRAME_FD, type RelayFrame, type ScriptLimits } from "../../runtime/contract.ts";
import { type BlockingParts, BlockingRequests, blockingBytesOf } from "./blocking-requests.ts";
import { ContentChannel } from "./content-channel.ts";
import { readGrantedFile } from "./granted-files.ts";
import { checkDone, checkLoaded, frameHead, FrameViolation } from "./outcome-validation.ts";
import { nodeArguments, type SandboxProgram } from "./sandbox-program.ts";
import { type Bundle, type JobTask, type Task, type TaskAnswer, timeBudgetMs, versionsOf } from "./tasks.ts";

/** A task on its way through the pool. */
export interface Entry {
  readonly task: Task;
  readonly settle: (answer: TaskAnswer) => void;
  /** Estimated µs, for the choice of a worker. */
  readonly cost: number;
  /** Runs although its version is suspended, to find out whether it still has to be. */
  readonly probe: boolean;
}

export interface WorkerOptions {
  readonly program: SandboxProgram;
  readonly runtimeBundle: Buffer;
  readonly clock: Clock;
  readonly killGraceMs: number;
  readonly startTimeoutMs: number;
  readonly maxRssBytes: number;
  /** Whether the whole content goes with a job of this version, and up to which size. */
  readonly readsBody: (version: string) => boolean;
  readonly wholeContentBytes: number;
  /** Also what `allow.read` is relative to. */
  readonly blocking: BlockingParts;
}

export interface WorkerListener {
  ready(worker: WorkerProcess): void;
  answered(worker: WorkerProcess, entry: Entry, answer: TaskAnswer): void;
  /** Once, when the process is gone. `unanswered` in the order in which they were sent. */
  ended(worker: WorkerProcess, reason: string, unanswered: readonly Entry[]): void;
}

/** An answer that the process owes us, in the order of the requests. */
type Expected =
  | { readonly kind: "load"; readonly bundle: Bundle; readonly budgetMs: number }
  | { readonly kind: "task"; readonly entry: Entry; readonly job: number; readonly budgetMs: number };

const STDERR_KEPT_CHARS = 2000;
const JOIN_BELOW_BYTES = 256 * 1024;
const PAGE_BYTES = 4096;
/** How long a task waits for a busy process to answer before it is written all the same. */
const HOLD_MS = 2;

export class WorkerProcess {
  readonly options: WorkerOptions;
  /** Sum of the estimated costs of what is outstanding. */
  load = 0;
  outstanding = 0;
  /** Tasks that this process answered in its life. */
  answers = 0;
  isReady = false;
  #listener: WorkerListener;
  #child: ChildProcess | undefined;
  #frames: Socket | undefined;
  #reader = new FrameReader();
  #expected: Expected[] = [];
  #loaded = new Set<string>();
  #out: Buffer[] = [];
  #outBytes = 0;
  /** Answers that are owed for what was written. */
  #onWire = 0;
  #cancelHold: (() => void) | undefined;
  #nextJob = 1;
  #headSince: number;
  #overdue = false;
  #endReason: string | undefined;
  #isGone = false;
  #stderr = "";
  #unreadable = new Map<number, string>();
  readonly #blocking: BlockingRequests;

  constructor(options: WorkerOptions, listener: WorkerListener) {
    this.options = options;
    this.#blocking = new BlockingRequests(options.blocking);
    this.#listener = listener;
    this.#headSince = options.clock.now();
    try {
      this.#start();
    } catch (error) {
      this.#endReason = `cannot start: ${describeError(error)}`;
      setImmediate(() => this.#gone());
    }
  }

  get isEnding(): boolean {
    return this.#endReason !== undefined || this.#isGone;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  #start(): void {
    const { program, runtimeBundle } = this.options;
    const child = spawn(process.execPath, nodeArguments(program), {
      cwd: "/",
      env: {},
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    });
    this.#child = child;
    child.on("error", (error) => {
      this.#endReason ??= `cannot start: ${describeError(error)}`;
      this.#gone();
    });
    // "close" and not "exit": answers that the process wrote before its end are still in the pipe.
    child.on("close", (code, signal) => {
      this.#endReason ??= `ended by ${signal ?? `exit code ${code}`}${this.#stderrHint()}`;
      this.#gone();
    });
    // With too many open files there are no pipes at all.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a pipe is a Socket
    const frames = child.stdio?.[FRAME_FD] as Socket | undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a pipe is a Socket
    const content = child.stdio?.[CONTENT_FD] as Socket | undefined;
    if (frames === undefined || content === undefined) return;
    this.#frames = frames;
    child.stderr?.on("data", (chunk: Buffer) => {
      if (this.#stderr.length < STDERR_KEPT_CHARS)
        this.#stderr += chunk.toString("latin1").slice(0, STDERR_KEPT_CHARS);
    });
    frames.on("error", () => undefined);
    frames.on("data", (chunk: Buffer) => this.#received(chunk));
    const contentSource = {
      contentOf: (job: number) => this.#taskOf(job)?.content,
      fileOf: (job: number, name: string) => {
        const task = this.#taskOf(job);
        const { scriptFolder } = this.options.blocking;
        return task === undefined ? undefined : readGrantedFile(scriptFolder, task, name);
      },
      blockingBytes: (job: number) => {
        const task = this.#taskOf(job);
        return task === undefined ? undefined : blockingBytesOf(task);
      },
      perform: (job: number, request: Buffer) => {
        const task = this.#taskOf(job);
        return task === undefined ? undefined : this.#blocking.perform(task, request);
      },
      violated: (reason: string) => this.kill(reason),
      unreadable: (job: number, reason: string) => {
        this.#unreadable.set(job, reason);
        this.kill(`the content of a message cannot be read: ${reason}`);
      },
    };
    void new ContentChannel(content, contentSource);
    this.#becomeFirstVictim(child.pid);
    this.#write({ type: "init" }, [runtimeBundle]);
  }

  /** When memory runs out, the kernel shall take a sandbox and not the mail. */
  #becomeFirstVictim(pid: number | undefined): void {
    if (process.platform !== "linux" || pid === undefined) return;
    try {
      writeFileSync(`/proc/${pid}/oom_score_adj`, "1000");
    } catch {
      // Some containers forbid it: the other limits hold all the same.
    }
  }

  #stderrHint(): string {
    const line = this.#stderr.split("\n").find((text) => /fatal|error/i.test(text));
    return line === undefined ? "" : ` (${line.trim().slice(0, 200)})`;
  }

  #taskOf(job: number): JobTask | undefined {
    const found = this.#expected.find((one) => one.kind === "task" && one.job === job);
    return found?.kind === "task" && found.entry.task.kind === "job" ? found.entry.task : undefined;
  }

  // ---- to the process ----

  send(entry: Entry): void {
    if (this.#expected.length === 0) this.#startHead();
    this.outstanding += 1;
    this.load += entry.cost;
    const { task } = entry;
    const budgetMs = timeBudgetMs(task) + this.options.killGraceMs;
    const job = this.#nextJob;
    this.#nextJob = (this.#nextJob + 1) >>> 0;
    if (task.kind === "inspect") {
      this.#writeLoad(task.bundle, task.limits, true);
    } else {
      task.bundles.forEach((bundle, index) => this.#ensureLoaded(bundle, task.calls[index]?.limits));
      this.#writeJob(task, job);
    }
    this.#expected.push({ kind: "task", entry, job, budgetMs });
  }

  unload(version: string): void {
    if (this.#loaded.delete(version)) this.#write({ type: "unload", version }, []);
  }

  #ensureLoaded(bundle: Bundle, limits: ScriptLimits | undefined): void {
    if (limits === undefined || this.#loaded.has(bundle.version)) return;
    this.#loaded.add(bundle.version);
    this.#writeLoad(bundle, limits, false);
    this.#expected.push({ kind: "load", bundle, budgetMs: limits.timeoutMs + this.options.killGraceMs });
  }

  #writeLoad(bundle: Bundle, limits: ScriptLimits, inspectOnly: boolean): void {
    this.#write(
      { type: "load", version: bundle.version, scriptName: bundle.scriptName, inspectOnly, limits },
      [bundle.code],
    );
  }

  #writeJob(task: JobTask, job: number): void {
    const { content, messageId, envelope, calls } = task;
    const head: RelayFrame = {
      type: "job",
      job,
      messageId,
      envelope,
      contentSize: content.size,
      headerBytes: content.header.length,
      calls,
      ...(task.measureHeap === true ? { measureHeap: true } : {}),
    };
    this.#write(head, this.#bytesToSend(task));
  }

  /** The header block is what most scripts look at; the rest is fetched by those that want it. */
  #bytesToSend({ content, calls }: JobTask): readonly Buffer[] {
    const { readsBody, wholeContentBytes } = this.options;
    const isSmall = content.size <= wholeContentBytes && content.inMemory;
    if (!isSmall || !calls.some((call) => readsBody(call.version))) return [content.header];
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- content.inMemory says so
    return content.pieces as readonly Buffer[];
  }

  /**
   * Frames of one turn of the event loop leave in one write. While the process is at work they wait for its next answer,
   * or a little: it takes several tasks as cheaply as one.
   */
  #write(head: RelayFrame, bytes: readonly Buffer[]): void {
    if (this.#out.length === 0) {
      if (this.#onWire === 0) setImmediate(() => this.#flush());
      else this.#cancelHold = this.options.clock.after(HOLD_MS, () => this.#flush());
    }
    for (const part of encodeFrame(head, bytes)) {
      this.#out.push(part);
      this.#outBytes += part.length;
    }
  }

  #flush(): void {
    const parts = this.#out;
    if (parts.length === 0) return;
    this.#cancelHold?.();
    this.#cancelHold = undefined;
    this.#onWire = this.#expected.length;
    const bytes = this.#outBytes;
    this.#out = [];
    this.#outBytes = 0;
    const frames = this.#frames;
    if (frames === undefined || this.isEnding) return;
    if (bytes <= JOIN_BELOW_BYTES) {
      frames.write(Buffer.concat(parts, bytes));
      return;
    }
    frames.cork();
    for (const part of parts) frames.write(part);
    frames.uncork();
  }

  // ---- from the process ----

  #received(chunk: Buffer): void {
    if (this.isEnding) return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        const head = frameHead(frame);
        if (head.type === "ready") this.#becameReady();
        else this.#answered(head, frame.bytes);
      }
      if (this.#onWire === 0) this.#flush();
    } catch (error) {
      this.kill(describeError(error));
    }
  }

  #becameReady(): void {
    if (this.isReady) throw new FrameViolation("ready twice");
    this.isReady = true;
    this.#listener.ready(this);
  }

  #answered(head: Record<string, unknown> & { type: string }, bytes: Buffer): void {
    const expected = this.#expected[0];
    if (expected === undefined) throw new FrameViolation("answered without a question");
    if (expected.kind === "load") {
      if (head.type !== "loaded") throw new FrameViolation("skipped an answer");
      // A fault is told again by the calls of that version.
      checkLoaded(head, expected.bundle.version);
      this.#shift();
      return;
    }
    const { entry, job } = expected;
    const answer = this.#readAnswer(entry.task, job, head, bytes);
    this.#shift();
    this.outstanding -= 1;
    this.load -= entry.cost;
    this.answers += 1;
    this.#listener.answered(this, entry, answer);
  }

  #readAnswer(
    task: Task,
    job: number,
    head: Record<string, unknown> & { type: string },
    bytes: Buffer,
  ): TaskAnswer {
    if (task.kind === "inspect") {
      if (head.type !== "loaded") throw new FrameViolation("skipped an answer");
      return { kind: "inspected", loaded: checkLoaded(head, task.bundle.version) };
    }
    if (head.type !== "done" || head["job"] !== job) throw new FrameViolation("answered another job");
    return { kind: "outcomes", outcomes: checkDone(head, bytes, task) };
  }

  #shift(): void {
    this.#expected.shift();
    if (this.#onWire > 0) this.#onWire -= 1;
    this.#startHead();
  }

  #startHead(): void {
    this.#headSince = this.options.clock.now();
    this.#overdue = false;
  }

  // ---- its end ----

  /** The versions that the process works on now: the first suspects when it dies. */
  headVersions(): readonly Bundle[] {
    const head = this.#expected[0];
    if (head === undefined) return [];
    return head.kind === "load" ? [head.bundle] : versionsOf(head.entry.task);
  }

  /** Called a few times a second: deadlines and memory. */
  inspect(): void {
    if (this.isEnding) return;
    const head = this.#expected[0];
    const budgetMs = this.isReady ? head?.budgetMs : this.options.startTimeoutMs;
    if (budgetMs === undefined) return;
    if (this.options.clock.now() - this.#headSince > budgetMs) {
      // Twice in a row: when the relay itself was held up, the answer may lie unread in the pipe.
      if (this.#overdue)
        this.kill(this.isReady ? `no answer within ${budgetMs} ms` : `not ready within ${budgetMs} ms`);
      this.#overdue = true;
    }
    if (this.#rssBytes() > this.options.maxRssBytes)
      this.kill(`more than ${Math.round(this.options.maxRssBytes / 1024 / 1024)} MB of memory`);
  }

  #rssBytes(): number {
    if (process.platform !== "linux" || this.pid === undefined) return 0;
    try {
      return Number(readFileSync(`/proc/${this.pid}/statm`, "latin1").split(" ")[1]) * PAGE_BYTES;
    } catch {
      return 0;
    }
  }

  kill(reason: string): void {
    this.#endReason ??= reason;
    this.#child?.kill("SIGKILL");
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#blocking.close();
    const unanswered: Entry[] = [];
    for (const one of this.#expected) {
      if (one.kind !== "task") continue;
      const unreadable = this.#unreadable.get(one.job);
      if (unreadable === undefined) unanswered.push(one.entry);
      else one.entry.settle({ kind: "unavailable", reason: unreadable });
    }
    this.#listener.ended(this, this.#endReason ?? "ended", unanswered);
  }
}
