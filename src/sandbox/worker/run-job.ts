// One message through a run of scripts, in one turn or in several: each call's outcome, all or nothing, and where the run ends.
import { MAX_ANSWER_HEAD_BYTES, MAX_FRAME_BYTES } from "../../core/frames.ts";
import type { Splice } from "../../core/splice.ts";
import type {
  CallOutcome,
  CapabilityAnswer,
  DoneFrame,
  JobFrame,
  ScriptCall,
  ScriptFault,
  SentHead,
  SpliceHead,
  WaitingFrame,
} from "../../../runtime/contract.ts";
import { AnswerHead } from "./answer-head.ts";
import { countBytes, raise } from "./calls/asking.ts";
import { CallState, type EnvelopeState, type SentMail } from "./call-state.ts";
import { CallAsks, type JobAsks, JobSource } from "./content-channel.ts";
import { JobDocument } from "./content/job-document.ts";
import { type CallEnd, type LoadedScript, WaitingCall } from "./isolates/loaded-script.ts";
import { RequestNumbers } from "./calls/open-requests.ts";
import { positionAt } from "./isolates/script-fault.ts";
import type { ScriptStore } from "./isolates/script-store.ts";
import type { WorkerSettings } from "./settings.ts";

/** The answer to a frame about the job: it waits, or it is done. */
export interface JobAnswer {
  readonly head: DoneFrame | WaitingFrame;
  readonly bytes: readonly Buffer[];
}

/** A call on its way: what it started from, and what it has used up. */
interface RunningCall {
  readonly call: ScriptCall;
  readonly savedBefore: readonly Splice[];
  state: CallState;
  script: LoadedScript | undefined;
  waiting: WaitingCall | undefined;
  /** Running time of the turns so far. */
  ranMs: number;
}

export class JobRun {
  readonly #job: JobFrame;
  readonly #calls: readonly ScriptCall[];
  readonly #source: JobSource;
  readonly #document: JobDocument;
  readonly #scripts: ScriptStore;
  readonly #settings: WorkerSettings;
  readonly #asks: JobAsks;
  readonly #numbers = new RequestNumbers();
  readonly #head: AnswerHead;
  readonly #bytes: Buffer[] = [];
  #room = MAX_FRAME_BYTES - MAX_ANSWER_HEAD_BYTES;
  #envelope: EnvelopeState;
  #current: RunningCall | undefined;

  constructor(
    job: JobFrame,
    calls: readonly ScriptCall[],
    sent: Buffer,
    scripts: ScriptStore,
    settings: WorkerSettings,
    asks: JobAsks,
  ) {
    this.#job = job;
    this.#calls = calls;
    this.#head = new AnswerHead(calls.length);
    this.#scripts = scripts;
    this.#settings = settings;
    this.#asks = asks;
    this.#source = new JobSource(sent, job.contentSize, job.headerBytes, asks, settings.wholeRestBytes);
    this.#document = new JobDocument(this.#source);
    const { sender, recipients, status } = job.envelope;
    this.#envelope = { sender, recipients, status };
  }

  start(): JobAnswer {
    return this.#callFrom(0);
  }

  /** The answer to one request of the call that waits. One that the call no longer waits for changes nothing. */
  resume(request: number, answer: CapabilityAnswer, bytes: Buffer): JobAnswer {
    const { current, waiting } = this.#waitingCall();
    const { state } = current;
    // Its isolate is gone through no fault of its own: it starts again, alone, and asks again.
    if (waiting.isLost) return this.#continue(current, this.#again(current));
    if (!state.requests.close(request)) return this.#waitingFrame(current);
    const size = JSON.stringify(answer).length + bytes.length;
    const over = countBytes(state, size);
    if (over !== undefined) {
      raise(state, over);
      return this.#continue(current, this.#ended(current));
    }
    return this.#continue(
      current,
      this.#turn(current, () => waiting.resume(request, answer, bytes)),
    );
  }

  /** The wall time of the call that waits is over. */
  abandon(): JobAnswer {
    const { current } = this.#waitingCall();
    const { state } = current;
    state.fault ??= {
      kind: "timeout",
      message: `the script did not end within ${state.limits.timeoutMs} ms; it was waiting for ${state.requests.kinds}`,
      ...positionAt(state.requests.firstPlace),
    };
    return this.#continue(current, this.#ended(current));
  }

  #waitingCall(): { current: RunningCall; waiting: WaitingCall } {
    const current = this.#current;
    if (current?.waiting === undefined) throw new Error(`job ${this.#job.job} does not wait`);
    return { current, waiting: current.waiting };
  }

  #callFrom(first: number): JobAnswer {
    for (const call of first === 0 ? this.#calls : this.#calls.slice(first)) {
      const current = this.#startCall(call);
      const end = this.#firstTurn(current, false);
      if (end instanceof WaitingCall) return this.#suspend(current, end);
      const outcome = this.#outcomeOf(current, end);
      if (endsRun(outcome, call)) break;
    }
    return { head: { type: "done", job: this.#job.job, outcomes: this.#head.outcomes }, bytes: this.#bytes };
  }

  #continue(current: RunningCall, end: Ended | WaitingCall): JobAnswer {
    this.#current = undefined;
    if (end instanceof WaitingCall) return this.#suspend(current, end);
    const outcome = this.#outcomeOf(current, end);
    return this.#callFrom(endsRun(outcome, current.call) ? this.#calls.length : this.#head.outcomes.length);
  }

  #suspend(current: RunningCall, waiting: WaitingCall): JobAnswer {
    current.waiting = waiting;
    this.#current = current;
    return this.#waitingFrame(current);
  }

  #waitingFrame(current: RunningCall): JobAnswer {
    const untold = current.state.requests.takeUntold();
    return {
      head: {
        type: "waiting",
        job: this.#job.job,
        call: this.#head.outcomes.length,
        requests: untold.map(({ request, body, bytes }) => ({ request, body, length: bytes.length })),
      },
      bytes: untold.map(({ bytes }) => bytes),
    };
  }

  #startCall(call: ScriptCall): RunningCall {
    const savedBefore = this.#document.startCall();
    this.#source.bodyWasRead = false;
    return {
      call,
      savedBefore,
      state: this.#stateFor(call),
      script: undefined,
      waiting: undefined,
      ranMs: 0,
    };
  }

  #stateFor(call: ScriptCall): CallState {
    const { envelope } = this.#job;
    const state = new CallState(call.limits, this.#document, envelope, this.#envelope, this.#numbers);
    state.allow = call.allow;
    state.secrets = call.secrets;
    state.asks = new CallAsks(this.#asks, this.#head.outcomes.length);
    state.settings = this.#settings;
    return state;
  }

  #firstTurn(current: RunningCall, alone: boolean): Ended | WaitingCall {
    const { call, state } = current;
    const started = performance.now();
    const script = (current.script = this.#scripts.use(call.version, started));
    if (script === undefined) return unknownVersion(call);
    const end = script.run(state, call, this.#job.messageId, alone);
    current.ranMs += performance.now() - started;
    return end === "displaced" ? this.#again(current) : end;
  }

  #turn(current: RunningCall, run: () => CallEnd): Ended | WaitingCall {
    const started = performance.now();
    const end = run();
    current.ranMs += performance.now() - started;
    return end === "displaced" ? this.#again(current) : end;
  }

  /** Runs the call again from its start, as if it had never run, in an isolate of its own. */
  #again(current: RunningCall): Ended | WaitingCall {
    this.#document.rollBackTo(current.savedBefore);
    current.state = this.#stateFor(current.call);
    current.waiting = undefined;
    return this.#firstTurn(current, true);
  }

  /** A call that ends while it waits: the fault is in its state. */
  #ended({ waiting, state }: RunningCall): Ended {
    waiting?.abandon();
    return state.fault ?? 0;
  }

  #outcomeOf({ call, state, savedBefore, script, ranMs }: RunningCall, result: Ended): CallOutcome {
    const document = this.#document;
    const fault = state.fault ?? (typeof result === "number" ? this.#tooLarge(savedBefore, state) : result);
    if (fault === undefined) warnOfDropped(state);
    const isMeasured = this.#job.measureHeap === true || ranMs >= this.#settings.measureAfterMs;
    const heapBytes = isMeasured ? script?.heapBytes(call) : undefined;
    const common = {
      logs: state.logs,
      logsDropped: state.logsDropped,
      micros: Math.round(ranMs * 1000),
      readBody: this.#source.bodyWasRead,
      ...(heapBytes === undefined ? {} : { heapBytes }),
    };
    const outcome = this.#head.fitted(
      fault !== undefined || typeof result !== "number"
        ? { verdict: 0, ...common, ...(fault === undefined ? {} : { fault }) }
        : { verdict: result, ...this.#effects(state, savedBefore), ...common },
    );
    this.#head.add(outcome);
    if (outcome.fault === undefined) this.#takeEffects(state, savedBefore);
    document.rollBackTo(outcome.fault === undefined ? document.saved : savedBefore);
    return outcome;
  }

  #effects(state: CallState, savedBefore: readonly Splice[]): Partial<CallOutcome> {
    const { saved } = this.#document;
    const isContentChanged = isChanged(saved, savedBefore);
    return {
      ...state.committed,
      ...takeChanges(state, isContentChanged),
      ...(isContentChanged ? { splices: saved.map(spliceHead) } : undefined),
      ...(state.sent.length === 0 ? undefined : { sent: state.sent.map(sentHead) }),
    };
  }

  #takeEffects(state: CallState, savedBefore: readonly Splice[]): void {
    const { saved } = this.#document;
    this.#envelope = state.envelope;
    if (isChanged(saved, savedBefore)) for (const { bytes } of saved) this.#take(bytes);
    for (const { bytes } of state.sent) this.#take(bytes);
  }

  #tooLarge(savedBefore: readonly Splice[], { sent }: CallState): ScriptFault | undefined {
    const { saved } = this.#document;
    const changed = isChanged(saved, savedBefore) ? saved : [];
    if (changed.length + sent.length === 0) return undefined;
    const length = [...changed, ...sent].reduce((sum, { bytes }) => sum + bytes.length, 0);
    return length <= this.#room
      ? undefined
      : { kind: "limit", message: `the changed message needs ${length} bytes in one answer` };
  }

  #take(bytes: Buffer): void {
    this.#bytes.push(bytes);
    this.#room -= bytes.length;
  }
}

const spliceHead = ({ start, end, bytes }: Splice): SpliceHead => ({ start, end, length: bytes.length });

const sentHead = ({ bytes, ...head }: SentMail): SentHead => ({ ...head, length: bytes.length });

type Ended = 0 | 1 | ScriptFault;

const unknownVersion = (call: ScriptCall): ScriptFault => ({
  kind: "load",
  message: `script version ${call.version} is not loaded`,
});

/** Whether the call saved edits. A save without effect is no change. */
const isChanged = (saved: readonly Splice[], before: readonly Splice[]): boolean =>
  saved !== before && saved.length + before.length > 0;

function takeChanges({ changes }: CallState, isContentChanged: boolean): Pick<CallOutcome, "changes"> {
  if (changes.count === 0) return {};
  const notes = changes.committed(isContentChanged);
  return notes.length === 0 ? {} : { changes: notes };
}

/** Nothing is dropped silently: what a script set and did not commit is named. */
function warnOfDropped(state: CallState): void {
  const dropped: string[] = [];
  if (state.uncommitted !== "") dropped.push(state.uncommitted);
  if (state.document.isDirty) dropped.push(`${state.document.unsaved.join(", ")} (no DataSource.Save)`);
  if (dropped.length > 0) state.warn(`changed but not committed, and dropped: ${dropped.join("; ")}`);
  if (state.openRequests > 0)
    state.warn(`not awaited: ${state.requests.kinds}; what was not performed by then is dropped`);
}

/** After a change of sender or recipients the relay evaluates the rules of the remaining bindings anew. */
function endsRun(outcome: CallOutcome, call: ScriptCall): boolean {
  if (outcome.fault !== undefined) return !call.continueOnFault;
  if (outcome.verdict === 1) return true;
  if (outcome.status !== undefined && outcome.status !== 0) return true;
  return outcome.sender !== undefined || outcome.recipients !== undefined;
}
