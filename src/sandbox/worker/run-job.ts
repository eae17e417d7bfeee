// One message through a run of scripts: each call's outcome, all or nothing, and where the run ends.
import { MAX_FRAME_BYTES } from "../../core/frames.ts";
import type { Splice } from "../../core/splice.ts";
import type { CallOutcome, DoneFrame, JobFrame, ScriptCall, ScriptFault } from "../../../runtime/contract.ts";
import { CallState, type EnvelopeState } from "./call-state.ts";
import { type JobAsks, JobSource } from "./content-channel.ts";
import { JobDocument } from "./job-document.ts";
import type { ScriptStore } from "./script-store.ts";
import type { WorkerSettings } from "./settings.ts";

/** What an answer may carry beside its bytes: envelope and logs of the calls. */
const ANSWER_RESERVE_BYTES = 4 * 1024 * 1024;

export interface JobAnswer {
  readonly head: DoneFrame;
  readonly bytes: readonly Buffer[];
}

interface Run {
  readonly job: JobFrame;
  readonly source: JobSource;
  readonly document: JobDocument;
  readonly settings: WorkerSettings;
  readonly asks: JobAsks;
  readonly bytes: Buffer[];
  room: number;
  envelope: EnvelopeState;
}

export function runJob(
  job: JobFrame,
  sent: Buffer,
  scripts: ScriptStore,
  settings: WorkerSettings,
  asks: JobAsks,
): JobAnswer {
  const source = new JobSource(sent, job.contentSize, job.headerBytes, asks.fetch, settings.wholeRestBytes);
  const { sender, recipients, status } = job.envelope;
  const run: Run = {
    job,
    source,
    document: new JobDocument(source),
    settings,
    asks,
    bytes: [],
    room: MAX_FRAME_BYTES - ANSWER_RESERVE_BYTES,
    envelope: { sender, recipients, status },
  };
  const outcomes: CallOutcome[] = [];
  for (const call of job.calls) {
    const outcome = runCall(run, call, scripts);
    outcomes.push(outcome);
    if (endsRun(outcome, call)) break;
  }
  return { head: { type: "done", job: job.job, outcomes }, bytes: run.bytes };
}

function runCall(run: Run, call: ScriptCall, scripts: ScriptStore): CallOutcome {
  const { document, source, job } = run;
  const savedBefore = document.startCall();
  source.bodyWasRead = false;
  const state = new CallState(call.limits, document, job.envelope, run.envelope);
  state.allow = call.allow;
  state.readFile = run.asks.readFile;
  state.perform = (request, waitMs, bytes) =>
    run.asks.perform({ call: job.calls.indexOf(call), waitMs, request }, bytes);
  state.settings = run.settings;
  const started = performance.now();
  const script = scripts.use(call.version, started);
  const result = script === undefined ? unknownVersion(call) : script.run(state, call, job.messageId);
  const fault = state.fault ?? (typeof result === "number" ? tooLarge(run, savedBefore, state) : result);
  const micros = Math.round((performance.now() - started) * 1000);
  if (fault === undefined) warnOfDropped(state);
  document.rollBackTo(fault === undefined ? document.saved : savedBefore);
  const heapBytes = job.measureHeap === true ? script?.heapBytes : undefined;
  const common = {
    logs: state.logs,
    logsDropped: state.logsDropped,
    micros,
    readBody: source.bodyWasRead,
    ...(heapBytes === undefined ? {} : { heapBytes }),
  };
  if (fault !== undefined || typeof result !== "number")
    return { verdict: 0, ...common, ...(fault === undefined ? {} : { fault }) };
  run.envelope = state.envelope;
  return {
    verdict: result,
    ...state.committed,
    ...takeChanges(state, isChanged(document.saved, savedBefore)),
    ...takeSplices(run, savedBefore),
    ...takeSent(run, state),
    ...common,
  };
}

const unknownVersion = (call: ScriptCall): ScriptFault => ({
  kind: "load",
  message: `script version ${call.version} is not loaded`,
});

/** Whether the saved list is another than before. A save without effect is no change. */
const isChanged = (saved: readonly Splice[], before: readonly Splice[]): boolean =>
  saved !== before && saved.length + before.length > 0;

function tooLarge(run: Run, savedBefore: readonly Splice[], { sent }: CallState): ScriptFault | undefined {
  const { saved } = run.document;
  const changed = isChanged(saved, savedBefore) ? saved : [];
  if (changed.length + sent.length === 0) return undefined;
  const length = [...changed, ...sent].reduce((sum, { bytes }) => sum + bytes.length, 0);
  return length <= run.room
    ? undefined
    : { kind: "limit", message: `the changed message needs ${length} bytes in one answer` };
}

function takeChanges({ changes }: CallState, isContentChanged: boolean): Pick<CallOutcome, "changes"> {
  if (changes.count === 0) return {};
  const notes = changes.committed(isContentChanged);
  return notes.length === 0 ? {} : { changes: notes };
}

function takeSplices(run: Run, savedBefore: readonly Splice[]): Pick<CallOutcome, "splices"> {
  const { saved } = run.document;
  if (!isChanged(saved, savedBefore)) return {};
  for (const { bytes } of saved) {
    run.bytes.push(bytes);
    run.room -= bytes.length;
  }
  return { splices: saved.map(({ start, end, bytes }) => ({ start, end, length: bytes.length })) };
}

function takeSent(run: Run, { sent }: CallState): Pick<CallOutcome, "sent"> {
  if (sent.length === 0) return {};
  return {
    sent: sent.map(({ bytes, ...head }) => {
      run.bytes.push(bytes);
      run.room -= bytes.length;
      return { ...head, length: bytes.length };
    }),
  };
}

/** Nothing is dropped silently: what a script set and did not commit is named. */
function warnOfDropped(state: CallState): void {
  const dropped: string[] = [];
  if (state.uncommitted !== "") dropped.push(state.uncommitted);
  if (state.document.isDirty) dropped.push(`${state.document.unsaved.join(", ")} (no DataSource.Save)`);
  if (dropped.length > 0) state.warn(`changed but not committed, and dropped: ${dropped.join("; ")}`);
}

/** After a change of sender or recipients the relay evaluates the rules of the remaining bindings anew. */
function endsRun(outcome: CallOutcome, call: ScriptCall): boolean {
  if (outcome.fault !== undefined) return !call.continueOnFault;
  if (outcome.verdict === 1) return true;
  if (outcome.status !== undefined && outcome.status !== 0) return true;
  return outcome.sender !== undefined || outcome.recipients !== undefined;
}
