// Checks every frame of a sandbox process as input from an enemy: a script that broke out of its isolate writes them.
/* oxlint-disable typescript/no-unsafe-type-assertion -- the assertions name what the checks beside them have shown */
import { isMailbox } from "../../core/address.ts";
import type { Frame } from "../../core/frames.ts";
import { isPrintable } from "../../core/printable.ts";
import { areValidSplices, type Splice } from "../../core/splice.ts";
import { isScriptStatus } from "../../core/status.ts";
import {
  type CallOutcome,
  type Capabilities,
  type ChangeNote,
  type LoadedFrame,
  type LogLine,
  MAX_CHANGE_CHARS,
  MAX_CHANGE_NOTES,
  type ScriptCall,
  type ScriptFault,
  type SentHead,
  type SpliceHead,
  type WorkerFrame,
} from "../../../runtime/contract.ts";
import type { CheckedOutcome, JobPlace, JobTask, SentMessage } from "./tasks.ts";

/** The peer broke the contract. The process is ended. */
export class FrameViolation extends Error {
  constructor(what: string) {
    super(`the sandbox process sent a malformed frame: ${what}`);
    this.name = "FrameViolation";
  }
}

const MAX_FAULT_MESSAGE = 1000;
const MAX_FAULT_STACK = 4000;
const MAX_NEEDS = 100;
/** "secret " and a name. */
const MAX_NEED = 200;
const MAX_BINDING_JSON = 64 * 1024;
const MAX_SPLICES = 100_000;
/** The runtime itself warns beside the script's own lines (changes that were not committed). */
const RUNTIME_LOG_LINES = 32;
const RUNTIME_LOG_CHARS = 16 * 1024;
/** Below this a splice is copied out, so that a few changed bytes do not keep a whole batch of frames in memory. */
const COPY_BELOW_BYTES = 64 * 1024;

const FAULT_KINDS: ReadonlySet<unknown> = new Set<ScriptFault["kind"]>([
  "throw",
  "timeout",
  "memory",
  "limit",
  "invalid",
  "load",
]);
const FRAME_TYPES: ReadonlySet<unknown> = new Set<WorkerFrame["type"]>([
  "ready",
  "loaded",
  "done",
  "waiting",
]);
const LOG_LEVELS: ReadonlySet<unknown> = new Set<LogLine["level"]>(["debug", "info", "warn", "error"]);

type Fields = Record<string, unknown>;

function require(condition: boolean, what: string): asserts condition {
  if (!condition) throw new FrameViolation(what);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const isText = (value: unknown, max: number): value is string =>
  typeof value === "string" && value.length <= max;
/** Lines go into logs, lists and reports that people read on a terminal. */
const isLine = (value: unknown, max: number): value is string => isText(value, max) && isPrintable(value);
const areLines = (value: unknown, max: number): value is string =>
  isText(value, max) && isPrintable(value.replaceAll("\n", ""));
const isOptional = (value: unknown, check: (value: unknown) => boolean): boolean =>
  value === undefined || check(value);

/** The fields of a frame and its type. */
export function frameHead(frame: Frame): Fields & { type: WorkerFrame["type"] } {
  const { head } = frame;
  require(isFields(head), "no object");
  const { type } = head;
  require(FRAME_TYPES.has(type), "unknown type");
  return head as Fields & { type: WorkerFrame["type"] };
}

export function checkLoaded(head: Fields, version: string): LoadedFrame {
  require(head["version"] === version, "loaded: another version than expected");
  const { fault, binding, entryPoint } = head;
  require(isOptional(fault, isFault), "loaded: fault");
  require(isOptional(entryPoint, (name) => isText(name, 100)), "loaded: entryPoint");
  require(isOptional(head["needs"], areNeeds), "loaded: needs");
  require(binding === undefined ||
    JSON.stringify(binding).length <= MAX_BINDING_JSON, "loaded: binding too large");
  return head as unknown as LoadedFrame;
}

const areNeeds = (needs: unknown): boolean =>
  Array.isArray(needs) && needs.length <= MAX_NEEDS && needs.every((need) => isText(need, MAX_NEED));

function isFault(value: unknown): value is ScriptFault {
  return (
    isFields(value) &&
    FAULT_KINDS.has(value["kind"]) &&
    isLine(value["message"], MAX_FAULT_MESSAGE) &&
    isOptional(value["stack"], (stack) => areLines(stack, MAX_FAULT_STACK)) &&
    isOptional(value["line"], isCount) &&
    isOptional(value["column"], isCount)
  );
}

const isGranted = (nextHop: unknown, { smtp = [] }: Capabilities): boolean =>
  smtp.some((server) => server.toLowerCase() === nextHop);

function isChangeNote(value: unknown): value is ChangeNote {
  return (
    isFields(value) &&
    isLine(value["what"], MAX_CHANGE_CHARS) &&
    isOptional(value["line"], isCount) &&
    isOptional(value["column"], isCount)
  );
}

/** What the process put beside them goes nowhere. */
function takeNotes(changes: unknown, faulted: boolean): ChangeNote[] {
  require(Array.isArray(changes) && changes.length <= MAX_CHANGE_NOTES && !faulted, "done: changes");
  return (changes as unknown[]).map((note) => {
    require(isChangeNote(note), "done: change");
    const { what, line, column } = note;
    return { what, ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) };
  });
}

/** The outcomes of a done frame against the job that was asked for. */
export function checkDone(head: Fields, bytes: Buffer, task: JobTask, place: JobPlace): CheckedOutcome[] {
  const { outcomes } = head;
  require(Array.isArray(outcomes) && outcomes.length <= task.calls.length, "done: outcomes");
  const reader = new OutcomeReader(task, bytes, place);
  const checked = outcomes.map((outcome: unknown) => reader.next(outcome));
  reader.end();
  return checked;
}

/** Goes through the outcomes of one job in order: their splices share the bytes of the frame. */
class OutcomeReader {
  #task: JobTask;
  #bytes: Buffer;
  #place: JobPlace;
  #offset = 0;
  #index = 0;
  #growthAllowed = 0;
  #recipientsAllowed: number;
  #ended = false;
  #mayEnd = false;

  constructor(task: JobTask, bytes: Buffer, place: JobPlace) {
    this.#task = task;
    this.#bytes = bytes;
    this.#place = place;
    this.#recipientsAllowed = task.envelope.recipients.length;
  }

  next(value: unknown): CheckedOutcome {
    const call = this.#task.calls[this.#index];
    this.#index += 1;
    require(isFields(value) && call !== undefined && !this.#ended, "done: outcome");
    const outcome = value as unknown as CallOutcome;
    require(outcome.verdict === 0 || outcome.verdict === 1, "done: verdict");
    require(typeof outcome.readBody === "boolean" &&
      isCount(outcome.micros) &&
      isCount(outcome.logsDropped), "done: counters");
    require(outcome.status === undefined || isScriptStatus(outcome.status), "done: status");
    require(isOptional(outcome.fault, isFault), "done: fault");
    require(isOptional(outcome.heapBytes, isCount), "done: heap");
    // A fault ends the run unless the binding continues; skip ends it always. A status other than success may, and so may
    // another sender or recipient: the rules of the remaining bindings are evaluated anew.
    const faulted = outcome.fault !== undefined;
    this.#ended = faulted ? !call.continueOnFault : outcome.verdict === 1;
    const isRedirected = outcome.sender !== undefined || outcome.recipients !== undefined;
    const hasStatus = outcome.status !== undefined && outcome.status !== 0;
    this.#mayEnd = this.#ended || (!faulted && (hasStatus || isRedirected));
    this.#growthAllowed += call.limits.growthBytes;
    this.#recipientsAllowed += call.limits.recipientsAdded;
    this.#checkLogs(outcome.logs, call.limits.logLines, call.limits.logBytes);
    this.#checkAddresses(outcome);
    return this.#withBytes(outcome, call);
  }

  /** Splices come first in the bytes of an outcome, then what was sent. */
  #withBytes({ splices, sent, changes, ...rest }: CallOutcome, call: ScriptCall): CheckedOutcome {
    const place = this.#place;
    if (splices === undefined && sent === undefined && changes === undefined) return { ...rest, place };
    return {
      ...rest,
      place,
      ...(changes === undefined ? undefined : { changes: takeNotes(changes, rest.fault !== undefined) }),
      ...(splices === undefined ? undefined : { splices: this.#takeSplices(splices) }),
      ...(sent === undefined ? undefined : { sent: this.#takeSent(sent, call, rest.fault !== undefined) }),
    };
  }

  end(): void {
    require(this.#offset === this.#bytes.length, "done: bytes left over");
    const complete = this.#index === this.#task.calls.length;
    // An answer that is too short for no reason would let a message pass unseen.
    require(complete || this.#mayEnd, "done: outcomes missing");
  }

  #checkLogs(logs: unknown, maxLines: number, maxChars: number): void {
    require(Array.isArray(logs) && logs.length <= maxLines + RUNTIME_LOG_LINES, "done: logs");
    let chars = maxChars + RUNTIME_LOG_CHARS;
    for (const line of logs as unknown[]) {
      require(isFields(line) &&
        LOG_LEVELS.has(line["level"]) &&
        isLine(line["text"], chars), "done: log line");
      chars -= line["text"].length;
    }
  }

  #checkAddresses(outcome: CallOutcome): void {
    const { sender, recipients } = outcome;
    const { envelope } = this.#task;
    const isSender =
      sender === undefined ||
      sender === "" ||
      sender === envelope.sender ||
      (typeof sender === "string" && isMailbox(sender));
    require(isSender, "done: sender");
    if (recipients === undefined) return;
    require(Array.isArray(recipients) && recipients.length <= this.#recipientsAllowed, "done: recipients");
    const known = new Set(envelope.recipients);
    for (const address of recipients as unknown[]) {
      require(typeof address === "string" && (known.has(address) || isMailbox(address)), "done: recipient");
    }
  }

  /** Only a call that may send and has no fault sends; each message is bounded as a whole. */
  #takeSent(heads: unknown, { allow, limits }: ScriptCall, faulted: boolean): SentMessage[] {
    const maySend = allow.send === true || (allow.smtp ?? []).length > 0;
    require(maySend && !faulted, "done: sent without the right to");
    require(Array.isArray(heads) && heads.length <= limits.sentMessages, "done: sent");
    let room = limits.growthBytes;
    return (heads as unknown[]).map((head) => {
      require(isFields(head) && isCount(head["length"]) && isCount(head["notify"]), "done: sent message");
      const { sender, recipients, notify, nextHop, length } = head as unknown as SentHead;
      require(nextHop === undefined ? allow.send === true : isGranted(nextHop, allow), "done: sent next hop");
      require(sender === "" || (typeof sender === "string" && isMailbox(sender)), "done: sent sender");
      const bounded = Array.isArray(recipients) && recipients.length <= limits.recipientsAdded;
      require(bounded && recipients.length > 0 && notify < 16, "done: sent recipients");
      require(recipients.every(
        (address: unknown) => typeof address === "string" && isMailbox(address),
      ), "done: sent recipient");
      room -= length;
      const end = this.#offset + length;
      require(room >= 0 && end <= this.#bytes.length, "done: sent bytes");
      const bytes = Buffer.from(this.#bytes.subarray(this.#offset, end));
      this.#offset = end;
      return { sender, recipients, notify, ...(nextHop === undefined ? undefined : { nextHop }), bytes };
    });
  }

  #takeSplices(heads: unknown): Splice[] {
    require(Array.isArray(heads) && heads.length <= MAX_SPLICES, "done: splices");
    let growth = 0;
    const splices: Splice[] = [];
    for (const head of heads as unknown[]) {
      require(isFields(head) &&
        isCount(head["length"]) &&
        isCount(head["start"]) &&
        isCount(head["end"]), "done: splice");
      const { start, end: stop, length } = head as unknown as SpliceHead;
      const end = this.#offset + length;
      require(end <= this.#bytes.length, "done: splice without bytes");
      const slice = this.#bytes.subarray(this.#offset, end);
      splices.push({ start, end: stop, bytes: slice.length < COPY_BELOW_BYTES ? Buffer.from(slice) : slice });
      growth += length - (stop - start);
      this.#offset = end;
    }
    require(areValidSplices(splices, this.#task.content.size), "done: splices out of order or range");
    require(growth <= this.#growthAllowed, "done: message grown beyond its limit");
    return splices;
  }
}
