// One sandbox process: its start, its frames and its end. SIGKILL is the only end: after a fault of V8 nothing else works.
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import { FrameReader, MAX_ANSWER_HEAD_BYTES, MAX_FRAME_BYTES } from "../../core/frames.ts";
import type { Logger } from "../../core/logger.ts";
import {
  type AbandonFrame,
  CONTENT_FD,
  FRAME_FD,
  type LoadFrame,
  type ResumeFrame,
  type ScriptLimits,
} from "../../../runtime/contract.ts";
import { type BlockingParts, BlockingRequests, blockingBytesOf } from "../capabilities/blocking-requests.ts";
import { ContentChannel } from "./content-channel.ts";
import type { Entry } from "./entry.ts";
import { ExpectedAnswers } from "./expected-answers.ts";
import { FrameOutbox } from "./frame-outbox.ts";
import { readGrantedFile } from "../capabilities/granted-files.ts";
import { bytesToSend, type ContentSending, jobFrame } from "./job-frame.ts";
import { LastWords } from "./last-words.ts";
import { LoadedVersions } from "./loaded-versions.ts";
import { KnownCalls } from "./known-calls.ts";
import { checkDone, checkLoaded, frameHead, FrameViolation } from "./outcome-validation.ts";
import { becomeFirstVictim, rssBytes, yieldOnLane, yieldWhenWarm } from "./process-standing.ts";
import type { EndKind } from "./sandbox-counts.ts";
import { type ProcessHardening, sandboxCommand, type SandboxProgram } from "./sandbox-program.ts";
import {
  type Bundle,
  type InspectTask,
  type JobTask,
  type Task,
  type TaskAnswer,
  timeBudgetMs,
} from "./tasks.ts";
import { WaitingJobs } from "./waiting-jobs.ts";

export interface WorkerOptions extends ContentSending {
  readonly program: SandboxProgram;
  readonly hardening: ProcessHardening;
  readonly runtimeBundle: Buffer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly killGraceMs: number;
  readonly startTimeoutMs: number;
  readonly maxRssBytes: number;
  readonly niceness: number;
  /** No longer live: it stays in a process no longer than its messages. */
  readonly isRetired: (version: string) => boolean;
  /** Also what `allow.read` is relative to. */
  readonly blocking: BlockingParts;
}

export interface WorkerListener {
  ready(worker: WorkerProcess): void;
  answered(worker: WorkerProcess, entry: Entry, answer: TaskAnswer): void;
  /** The task waits: until its next turn the process has nothing to do for it. */
  waits(worker: WorkerProcess, entry: Entry, version: string): void;
  /** Once, when the process is gone. `unanswered` in the order in which they were sent; `waiting` were between two turns. */
  ended(worker: WorkerProcess, reason: string, unanswered: readonly Entry[], waiting: readonly Entry[]): void;
}

export class WorkerProcess {
  readonly options: WorkerOptions;
  /** Sum of the estimated costs of what is outstanding. */
  load = 0;
  outstanding = 0;
  readonly #waiting: WaitingJobs<Entry>;
  /** No longer live, but jobs in hand go on with them. */
  #toUnload = new Set<string>();
  /** Tasks that this process answered in its life. */
  answers = 0;
  isReady = false;
  #listener: WorkerListener;
  #child: ChildProcess | undefined;
  readonly #reader = new FrameReader(MAX_FRAME_BYTES, MAX_ANSWER_HEAD_BYTES);
  readonly #expected = new ExpectedAnswers();
  readonly #versions = new LoadedVersions();
  #servesOneAtATime = false;
  readonly #outbox: FrameOutbox;
  readonly #knownCalls = new KnownCalls((frame) => this.#outbox.write(frame, []));
  #nextJob = 1;
  #headSince: number;
  #overdue = false;
  #endReason: string | undefined;
  endKind: EndKind = "exit";
  #isGone = false;
  readonly #lastWords = new LastWords();
  #unreadable = new Map<number, string>();
  readonly #blocking: BlockingRequests;

  constructor(options: WorkerOptions, listener: WorkerListener) {
    this.options = options;
    this.#blocking = new BlockingRequests(options.blocking);
    this.#listener = listener;
    const { clock, log } = options;
    this.#headSince = clock.now();
    this.#outbox = new FrameOutbox(clock);
    this.#waiting = new WaitingJobs(
      { broker: options.blocking.broker, clock, log },
      (entry, job, frame, bytes) => this.#sendTurn(entry, job, frame, bytes),
    );
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

  /** It ended because the store could not be read: nothing that it worked on is to blame. */
  get isBlameless(): boolean {
    return this.#unreadable.size > 0;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** A process of the suspects' lane: one task at a time, and below us from the start. */
  becomeLane(): void {
    this.#servesOneAtATime = true;
    yieldOnLane(this.pid);
  }

  /** Tasks that it has to do something for. */
  get atWork(): number {
    return this.outstanding - this.#waiting.count;
  }

  get waitingJobs(): number {
    return this.#waiting.count;
  }

  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  #start(): void {
    const { program, hardening, runtimeBundle } = this.options;
    const { file, args } = sandboxCommand(program, hardening);
    const child = spawn(file, args, {
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
      this.#endReason ??= `ended by ${signal ?? `exit code ${code}`}${this.#lastWords.hint}`;
      this.#gone();
    });
    // With too many open files there are no pipes at all.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- pipes are Sockets
    const [frames, content] = [child.stdio?.[FRAME_FD], child.stdio?.[CONTENT_FD]] as (Socket | undefined)[];
    if (frames === undefined || content === undefined) return;
    this.#outbox.open(frames);
    this.#lastWords.listen(child.stderr, (reason) => this.kill(reason));
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
    becomeFirstVictim(child.pid);
    this.#outbox.write({ type: "init" }, [runtimeBundle]);
  }

  #taskOf(job: number): JobTask | undefined {
    return this.#waiting.taskOf(job) ?? this.#expected.taskOf(job);
  }

  // ---- to the process ----

  send(entry: Entry): void {
    if (this.#expected.head === undefined) this.#startHead();
    this.outstanding += 1;
    const { task } = entry;
    const job = this.#nextJob;
    this.#nextJob = (this.#nextJob + 1) >>> 0;
    if (task.kind === "inspect") {
      this.#writeInspection(task);
    } else {
      task.bundles.forEach((bundle, index) => this.#ensureLoaded(bundle, task.calls[index]?.limits));
      const calls = this.#knownCalls.numbersOf(task.calls);
      this.#outbox.write(jobFrame(task, job, calls), bytesToSend(task, this.options));
      // It would gather with nobody.
      if (this.#servesOneAtATime) this.#outbox.leaveSoon();
    }
    this.#expectTurn(entry, job);
  }

  #sendTurn(entry: Entry, job: number, frame: ResumeFrame | AbandonFrame, bytes: Buffer): boolean {
    if (this.isEnding) return false;
    if (this.#expected.head === undefined) this.#startHead();
    this.#outbox.write(frame, [bytes]);
    this.#expectTurn(entry, job);
    return true;
  }

  #expectTurn(entry: Entry, job: number): void {
    const budgetMs = timeBudgetMs(entry.task) + this.options.killGraceMs;
    this.load += entry.cost;
    this.#expected.add({ kind: "task", entry, job, budgetMs });
  }

  unload(version: string): void {
    // What was sent and is not answered may turn out to wait.
    if (this.holdsAny([version]) || this.#waiting.holdsVersion(version)) this.#toUnload.add(version);
    else if (this.#versions.unload(version)) this.#outbox.write({ type: "unload", version }, []);
  }

  #unloadLeft(): void {
    const versions = [...this.#toUnload];
    this.#toUnload.clear();
    for (const version of versions) this.unload(version);
  }

  #ensureLoaded(bundle: Bundle, limits: ScriptLimits | undefined): void {
    if (limits === undefined || !this.#versions.load(bundle.version, limits.memoryMb)) return;
    if (this.options.isRetired(bundle.version)) this.#toUnload.add(bundle.version);
    this.#writeLoad(bundle, limits);
    this.#expected.add({ kind: "load", bundle, budgetMs: limits.timeoutMs + this.options.killGraceMs });
  }

  #writeInspection({ bundle, limits, keep }: InspectTask): void {
    const stays = keep === true && this.#versions.evaluate(bundle.version, limits.memoryMb);
    this.#writeLoad(bundle, limits, stays ? { evaluate: true } : { inspectOnly: true });
  }

  #writeLoad(bundle: Bundle, limits: ScriptLimits, how: Partial<LoadFrame> = {}): void {
    const { version, scriptName, code } = bundle;
    this.#outbox.write({ type: "load", version, scriptName, inspectOnly: false, limits, ...how }, [code]);
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
    const expected = this.#expected.head;
    if (expected === undefined) throw new FrameViolation("answered without a question");
    if (expected.kind === "load") {
      if (head.type !== "loaded") throw new FrameViolation("skipped an answer");
      // A fault is told again by the calls of that version.
      checkLoaded(head, expected.bundle.version);
      this.#shift();
      return;
    }
    const { entry, job } = expected;
    if (head.type === "waiting") {
      this.#turnEnded(entry, job, head, bytes);
      return;
    }
    const answer = this.#readAnswer(entry.task, job, head, bytes);
    this.#shift();
    this.#waiting.ended(job);
    if (this.#toUnload.size > 0) this.#unloadLeft();
    this.outstanding -= 1;
    this.load -= entry.cost;
    this.answers += 1;
    this.#lastWords.answered();
    if (!this.#servesOneAtATime) yieldWhenWarm(this.pid, this.answers, this.options.niceness);
    this.#listener.answered(this, entry, answer);
  }

  #turnEnded(entry: Entry, job: number, head: Record<string, unknown>, bytes: Buffer): void {
    const { task } = entry;
    if (task.kind !== "job" || head["job"] !== job) throw new FrameViolation("another job waits");
    // First, so that a frame that breaks the contract finds its task where the suspects are looked for.
    this.#waiting.waits(job, task, entry, head, bytes);
    this.#shift();
    this.load -= entry.cost;
    this.#listener.waits(this, entry, task.calls[Number(head["call"])]?.version ?? "");
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
    const outcomes = checkDone(head, bytes, task, { pid: this.pid ?? 0, job });
    return { kind: "outcomes", outcomes: this.#waiting.noteHeldBack(job, outcomes) };
  }

  #shift(): void {
    this.#expected.shift();
    this.#startHead();
  }

  #startHead(): void {
    this.#headSince = this.options.clock.now();
    this.#overdue = false;
  }

  // ---- its end ----

  /** The versions that the process works on now: the first suspects when it dies. */
  headVersions(): readonly Bundle[] {
    return this.#expected.headVersions();
  }

  /** Whether it has not answered a task with one of these versions. */
  holdsAny(versions: readonly string[]): boolean {
    return this.#expected.holdsAny(versions);
  }

  /** Called again and again: deadlines and memory. */
  inspect(): void {
    if (this.isEnding) return;
    const head = this.#expected.head;
    const budgetMs = this.isReady ? head?.budgetMs : this.options.startTimeoutMs;
    if (budgetMs !== undefined && this.options.clock.now() - this.#headSince > budgetMs) {
      // Twice in a row: when the relay itself was held up, the answer may lie unread in the pipe.
      if (this.#overdue)
        this.kill(
          this.isReady ? `no answer within ${budgetMs} ms` : `not ready within ${budgetMs} ms`,
          "deadline",
        );
      this.#overdue = true;
    }
    if (rssBytes(this.pid) > this.options.maxRssBytes)
      this.kill(
        `more than ${Math.round(this.options.maxRssBytes / 1024 / 1024)} MB of memory (sandbox.processMemoryMb)`,
        "memory",
      );
  }

  kill(reason: string, kind: EndKind = "violation"): void {
    if (this.#endReason === undefined) this.endKind = kind;
    this.#endReason ??= reason;
    this.#outbox.close();
    this.#child?.kill("SIGKILL");
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#outbox.close();
    this.#blocking.close();
    const unanswered: Entry[] = [];
    for (const { entry, job } of this.#expected.tasks) {
      const unreadable = this.#unreadable.get(job);
      if (unreadable === undefined) unanswered.push(entry);
      else entry.settle({ kind: "unavailable", reason: unreadable });
    }
    this.#listener.ended(this, this.#endReason ?? "ended", unanswered, this.#waiting.close());
  }
}
