// The jobs of one sandbox process that wait for answers: has their requests performed, gives them the answers one per turn,
// and ends those whose wall time is over. While a turn of a job runs, what comes for it waits here.
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import { MAX_FRAME_BYTES } from "../../core/frames.ts";
import type { Logger } from "../../core/logger.ts";
import type { AbandonFrame, CapabilityAnswer, ResumeFrame } from "../../../runtime/contract.ts";
import {
  type CapabilityBroker,
  type PerformedRequest,
  refuse,
  type WaitsFor,
} from "../capabilities/broker-contract.ts";
import { FrameViolation } from "./outcome-validation.ts";
import { answerRoom, type AskedSoFar, type CheckedRequest, checkWaiting } from "./request-validation.ts";
import type { CheckedOutcome, JobTask } from "./tasks.ts";

export interface WaitingParts {
  /** Absent: every request is refused. */
  readonly broker: CapabilityBroker | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What it does to the process: one frame, which the process answers. false: it is ending, and gets none. */
export type SendTurn<T> = (held: T, job: number, frame: ResumeFrame | AbandonFrame, bytes: Buffer) => boolean;

interface Ready {
  readonly request: number;
  readonly answer: CapabilityAnswer;
  readonly bytes: Buffer;
}

interface WaitingJob<T> {
  readonly job: number;
  readonly task: JobTask;
  /** What the caller keeps with it. */
  readonly held: T;
  readonly asked: AskedSoFar;
  /** Requests of the call that waits which are being performed, and those of them whose turn has not come. */
  open: number;
  queued: number;
  /** The setting that its requests waited for when none of them had its turn. */
  heldBackBy: string | undefined;
  /** Calls whose time was over in waiting for answers, after they had been held back so. */
  readonly heldBack: Map<number, string>;
  readonly ready: Ready[];
  /** Ends the requests of the call that waits. */
  ending: AbortController;
  cancelDeadline: () => void;
  /** The process has a frame of it that it has not answered. */
  isInTurn: boolean;
  isOverdue: boolean;
  /** The process knows that the time of the call is over. */
  isAbandoned: boolean;
}

/** Bytes kept free in a frame for what stands beside the bytes of an answer. */
const FRAME_RESERVE_BYTES = 1024 * 1024;

export class WaitingJobs<T> {
  readonly #parts: WaitingParts;
  readonly #send: SendTurn<T>;
  readonly #jobs = new Map<number, WaitingJob<T>>();
  #bytes = 0;

  constructor(parts: WaitingParts, send: SendTurn<T>) {
    this.#parts = parts;
    this.#send = send;
  }

  get count(): number {
    return this.#jobs.size;
  }

  /** Bytes of the messages that wait: what the process may hold of them at most. */
  get bytes(): number {
    return this.#bytes;
  }

  taskOf(job: number): JobTask | undefined {
    return this.#jobs.get(job)?.task;
  }

  holdsVersion(version: string): boolean {
    for (const { task } of this.#jobs.values())
      if (task.bundles.some((bundle) => bundle.version === version)) return true;
    return false;
  }

  /** A turn of the job ended with a waiting frame. Throws a FrameViolation. */
  waits(job: number, task: JobTask, held: T, head: Readonly<Record<string, unknown>>, bytes: Buffer): void {
    const waiting = this.#jobs.get(job) ?? this.#added(job, task, held);
    const before = waiting.asked.call;
    const requests = checkWaiting(head, bytes, task, waiting.asked);
    if (waiting.asked.call > before) this.#callBegins(waiting);
    else if (waiting.isAbandoned) throw new FrameViolation("waiting: beyond its time");
    if (!waiting.isOverdue && waiting.open + waiting.ready.length + requests.length === 0)
      throw new FrameViolation("waiting: for nothing");
    waiting.isInTurn = false;
    // The time may have ended with this frame on its way: the process did not know.
    if (!waiting.isOverdue) for (const request of requests) this.#perform(waiting, request);
    this.#next(waiting);
  }

  /** What a job answered at its end, with what only this side knows: which of its calls we held back. */
  noteHeldBack(job: number, outcomes: readonly CheckedOutcome[]): readonly CheckedOutcome[] {
    const heldBack = this.#jobs.get(job)?.heldBack;
    if (heldBack === undefined || heldBack.size === 0) return outcomes;
    return outcomes.map((outcome, call) => {
      const by = outcome.fault?.kind === "timeout" ? heldBack.get(call) : undefined;
      return by === undefined ? outcome : { ...outcome, heldBackBy: by };
    });
  }

  /** The job is done. */
  ended(job: number): void {
    const waiting = this.#jobs.get(job);
    if (waiting === undefined) return;
    this.#jobs.delete(job);
    this.#bytes -= waiting.task.content.size;
    waiting.cancelDeadline();
    waiting.ending.abort();
  }

  /** The process is gone: what it held of the jobs that were between two turns. */
  close(): readonly T[] {
    const between = [...this.#jobs.values()].filter(({ isInTurn }) => !isInTurn);
    for (const job of this.#jobs.keys()) this.ended(job);
    return between.map(({ held }) => held);
  }

  #added(job: number, task: JobTask, held: T): WaitingJob<T> {
    const waiting: WaitingJob<T> = {
      job,
      task,
      held,
      asked: { call: -1, request: 0, requests: 0, bytes: 0 },
      open: 0,
      queued: 0,
      heldBackBy: undefined,
      heldBack: new Map(),
      ready: [],
      ending: new AbortController(),
      cancelDeadline: () => undefined,
      isInTurn: true,
      isOverdue: false,
      isAbandoned: false,
    };
    this.#jobs.set(job, waiting);
    this.#bytes += task.content.size;
    return waiting;
  }

  /** Its wall time counts from its first turn's end: the process itself counts from the start of the call. */
  #callBegins(waiting: WaitingJob<T>): void {
    waiting.cancelDeadline();
    waiting.ending.abort();
    waiting.ending = new AbortController();
    waiting.open = 0;
    waiting.queued = 0;
    waiting.heldBackBy = undefined;
    waiting.ready.length = 0;
    waiting.isOverdue = false;
    waiting.isAbandoned = false;
    const { limits } = this.#callOf(waiting);
    waiting.cancelDeadline = this.#parts.clock.after(limits.timeoutMs, () => {
      waiting.isOverdue = true;
      waiting.ending.abort();
      this.#next(waiting);
    });
  }

  #callOf({ task, asked }: WaitingJob<T>): JobTask["calls"][number] {
    const call = task.calls[asked.call];
    if (call === undefined) throw new FrameViolation("waiting: call");
    return call;
  }

  #perform(waiting: WaitingJob<T>, request: CheckedRequest): void {
    const { signal } = waiting.ending;
    waiting.open += 1;
    let isQueued = false;
    const waitsFor: WaitsFor = (setting) => {
      if (signal.aborted) return;
      if (isQueued !== (setting !== undefined)) waiting.queued += isQueued ? -1 : 1;
      isQueued = setting !== undefined;
      // What another request of the call has under way, it waits for itself.
      if (isQueued && waiting.queued === waiting.open) waiting.heldBackBy = setting;
    };
    void this.#answerTo(waiting, request, signal, waitsFor).then((performed) => {
      if (signal.aborted) return undefined;
      waitsFor(undefined);
      this.#answered(waiting, request.request, performed);
      return undefined;
    });
  }

  #answered(waiting: WaitingJob<T>, request: number, { answer, bytes }: PerformedRequest): void {
    waiting.open -= 1;
    waiting.asked.bytes += bytes.length;
    waiting.ready.push({ request, answer, bytes });
    this.#next(waiting);
  }

  async #answerTo(
    waiting: WaitingJob<T>,
    { body, bytes }: CheckedRequest,
    signal: AbortSignal,
    waitsFor: WaitsFor,
  ): Promise<PerformedRequest> {
    const { broker, log } = this.#parts;
    if (broker === undefined) return refuse(`${body.kind}: no capability is served here`);
    const { task, asked } = waiting;
    const call = this.#callOf(waiting);
    const { version, allow } = call;
    const script = task.bundles[asked.call]?.scriptName ?? "";
    const most = (): number => Math.min(answerRoom(call, asked), MAX_FRAME_BYTES - FRAME_RESERVE_BYTES);
    const { messageId } = task;
    const grant = { allow, script, version, messageId, maxAnswerBytes: most(), signal, waitsFor };
    try {
      const performed = await broker.perform(body, bytes, grant);
      return performed.bytes.length <= most() ? performed : refuse(`${body.kind}: the answer is too long`);
    } catch (error) {
      if (!signal.aborted)
        log.error(
          { script, message: messageId, error: describeError(error) },
          "a request of a script failed",
        );
      return refuse(`${body.kind}: the service could not perform it; its log says why`);
    }
  }

  /** One frame per job at a time: each is answered before the next, so none can meet a job that is over. */
  #next(waiting: WaitingJob<T>): void {
    if (waiting.isInTurn) return;
    const { job, held } = waiting;
    if (waiting.isOverdue) {
      if (waiting.heldBackBy !== undefined) waiting.heldBack.set(waiting.asked.call, waiting.heldBackBy);
      waiting.isAbandoned = true;
      waiting.isInTurn = this.#send(held, job, { type: "abandon", job }, NO_BYTES);
      return;
    }
    const ready = waiting.ready.shift();
    if (ready === undefined) return;
    const { request, answer, bytes } = ready;
    waiting.isInTurn = this.#send(held, job, { type: "resume", job, request, answer }, bytes);
  }
}

const NO_BYTES = Buffer.alloc(0);
