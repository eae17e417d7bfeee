// What one call of a script has used up and committed: quotas, log, envelope, and the first fault, which sticks.
import { sameMailbox } from "../../core/address.ts";
import { oneLine } from "../../core/printable.ts";
import {
  type Capabilities,
  type JobEnvelope,
  type LogLine,
  type ScriptFault,
  type ScriptLimits,
  type SentHead,
  cut,
} from "../../../runtime/contract.ts";
import type { CallAsks } from "./content-channel.ts";
import { ChangeNotes } from "./change-notes.ts";
import { Documents } from "./content/documents.ts";
import type { JobDocument } from "./content/job-document.ts";
import { OpenRequests, type RequestNumbers } from "./calls/open-requests.ts";
import { positionAt } from "./isolates/script-fault.ts";
import { DEFAULT_WORKER_SETTINGS, type WorkerSettings } from "./settings.ts";

/** The envelope as the scripts of one job have left it so far. */
export interface EnvelopeState {
  sender: string;
  recipients: readonly string[];
  status: number;
}

/** A message that the script sent, until the call is over. */
export interface SentMail extends Omit<SentHead, "length"> {
  readonly bytes: Buffer;
}

export interface StagedEnvelope {
  sender?: string;
  recipients?: readonly string[];
  status?: number;
}

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** Beside one for each call that failed and for each line of the log: the line that was too much, and three at the end. */
const FURTHER_REPORTS = 4;

export class CallState {
  readonly limits: ScriptLimits;
  /** The arriving message. */
  readonly document: JobDocument;
  /** It and the messages that the script makes. */
  readonly documents: Documents;
  settings: WorkerSettings = DEFAULT_WORKER_SETTINGS;
  readonly received: JobEnvelope;
  /** Committed by this call, on top of what the job had before. */
  readonly envelope: EnvelopeState;
  /** End of the turn, on the clock of performance.now(). Set when the call starts: loading the script does not count. */
  deadline = Number.POSITIVE_INFINITY;
  /** End of the call, its waiting included, on the same clock. */
  #wallDeadline = Number.POSITIVE_INFINITY;
  #turnStarted = 0;
  /** What is left of limits.cpuMs at the start of the turn. */
  #cpuLeftMs = 0;
  fault: ScriptFault | undefined;
  readonly logs: LogLine[] = [];
  logsDropped = 0;
  uncommitted = "";
  /** The script changed String.prototype or the like while it ran: its context must not see another message. */
  changedBuiltIns = false;
  committed: StagedEnvelope = {};
  staged: StagedEnvelope = {};
  /** Why the last host call failed: an error name of the object model and a detail. */
  lastError = "";
  /** Where the script made its last edit or request; 0 when it made none. */
  lastPlace = 0;
  signatureWarned = false;
  readonly changes = new ChangeNotes();
  /** What the binding grants; nothing unless the job says so. */
  allow: Capabilities = {};
  asks: CallAsks | undefined;
  /** What is used of the limits of the same names. */
  readonly used = { requests: 0, requestBytes: 0 };
  secrets: Readonly<Record<string, string>> | undefined;
  #requests: OpenRequests | undefined;
  readonly sent: SentMail[] = [];
  readonly #numbers: RequestNumbers;
  readonly #sizeBefore: number;
  readonly #recipientsBefore: readonly string[];
  #hostCalls = 0;
  #reports = 0;
  #textBytes = 0;
  #copiedBytes = 0;
  #logBytes = 0;

  constructor(
    limits: ScriptLimits,
    document: JobDocument,
    received: JobEnvelope,
    envelope: EnvelopeState,
    numbers: RequestNumbers,
  ) {
    this.limits = limits;
    this.#numbers = numbers;
    this.document = document;
    this.documents = new Documents(document);
    document.watch(this.changes);
    this.received = received;
    this.envelope = { ...envelope };
    this.#sizeBefore = document.savedSize;
    this.#recipientsBefore = envelope.recipients;
  }

  start(now: number): void {
    this.#wallDeadline = now + this.limits.timeoutMs;
    this.#cpuLeftMs = this.limits.cpuMs;
    this.startTurn(now);
  }

  startTurn(now: number): void {
    this.#turnStarted = now;
    this.deadline = Math.min(this.#wallDeadline, now + this.#cpuLeftMs);
  }

  /** Running time of the turn so far. */
  turnMs(now: number): number {
    return now - this.#turnStarted;
  }

  endTurn(now: number): void {
    this.#cpuLeftMs -= now - this.#turnStarted;
  }

  /** The script stood still for so long, for the answer to a blocking request: that is no running time. */
  stoodStill(ms: number): void {
    this.#cpuLeftMs += ms;
    this.deadline = Math.min(this.#wallDeadline, this.deadline + ms);
  }

  /** The longest that a blocking request may take. */
  waitingMs(now: number): number {
    return this.#wallDeadline - now;
  }

  get timeoutMessage(): string {
    const { timeoutMs, cpuMs } = this.limits;
    return this.deadline < this.#wallDeadline
      ? `the script ran longer than ${cpuMs} ms (cpuMs)`
      : `the script did not end within ${timeoutMs} ms`;
  }

  /** Made at the first request: most scripts have none. */
  get requests(): OpenRequests {
    this.#requests ??= new OpenRequests(this.#numbers);
    return this.#requests;
  }

  get openRequests(): number {
    return this.#requests?.count ?? 0;
  }

  /** Counts one host call and the text or bytes that it brings in. False: the call must not be served. */
  admit(textLength: number): boolean {
    this.#hostCalls += 1;
    this.#textBytes += textLength;
    // Time in the host does not count towards isolated-vm's own timeout, so a flood of calls is ended here.
    if (performance.now() > this.deadline)
      return this.#end({ kind: "timeout", message: this.timeoutMessage });
    if (this.#hostCalls > this.limits.hostCalls) return this.exceeded("hostCalls", this.limits.hostCalls);
    // Rewriting a body several times is legitimate; passing text without end is not.
    if (this.#textBytes > 4 * this.limits.growthBytes)
      return this.exceeded("growthBytes", this.limits.growthBytes);
    return this.fault === undefined;
  }

  /** Counts a report. Each is served: it may tell that the call is over. */
  countReport(): void {
    this.#reports += 1;
    const { hostCalls, logLines } = this.limits;
    if (this.#reports > hostCalls + logLines + FURTHER_REPORTS) this.exceeded("hostCalls", hostCalls);
  }

  /** Counts bytes that are about to be copied beside the message. False: too many of them. */
  admitCopy(length: number): boolean {
    this.#copiedBytes += length;
    const { copiedBytes } = this.limits;
    return this.#copiedBytes <= copiedBytes || this.exceeded("copiedBytes", copiedBytes);
  }

  exceeded(limit: string, value: number): false {
    return this.#end({ kind: "limit", message: `the script exceeded its limit ${limit} (${value})` });
  }

  #end(fault: ScriptFault): false {
    this.fault ??= fault;
    return this.fail("", this.fault.message);
  }

  /** Where the script stood when its fault came up in one of its calls to the host. Only the first place counts. */
  faultedAt(place: number): void {
    const { fault } = this;
    if (fault !== undefined && fault.line === undefined) this.fault = { ...fault, ...positionAt(place) };
  }

  fail(name: string, detail: string): false {
    this.lastError = `${name} ${cut(detail, 300)}`;
    return false;
  }

  /** Whether there is room for more lines after this one was taken. */
  log(level: string, text: string): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.logs.length >= this.limits.logLines || this.#logBytes + bytes > this.limits.logBytes)
      return false;
    this.#logBytes += bytes;
    this.logs.push({ level: LOG_LEVELS.find((known) => known === level) ?? "info", text: oneLine(text) });
    return true;
  }

  /** A line of ours, beside the script's allowance. */
  warn(text: string): void {
    this.logs.push({ level: "warn", text: cut(oneLine(text), 1000) });
  }

  commitEnvelope(): boolean {
    const { staged } = this;
    if (staged.recipients !== undefined) {
      const added = addedRecipients(this.#recipientsBefore, staged.recipients);
      if (added > this.limits.recipientsAdded)
        return this.exceeded("recipientsAdded", this.limits.recipientsAdded);
      this.envelope.recipients = staged.recipients;
    }
    if (staged.sender !== undefined) this.envelope.sender = staged.sender;
    if (staged.status !== undefined) this.envelope.status = staged.status;
    this.committed = { ...this.committed, ...staged };
    this.staged = {};
    return this.#commitChanges("envelope");
  }

  saveContent(): boolean {
    this.document.save();
    const growth = this.document.savedSize - this.#sizeBefore;
    if (growth > this.limits.growthBytes) return this.exceeded("growthBytes", this.limits.growthBytes);
    return this.#commitChanges("content");
  }

  #commitChanges(target: "content" | "envelope"): boolean {
    this.changes.commit(target);
    const { changes } = this.limits;
    return this.changes.count <= changes || this.exceeded("changes", changes);
  }
}

function addedRecipients(before: readonly string[], after: readonly string[]): number {
  if (after.length <= 16 && before.length <= 16)
    return after.filter((address) => !before.some((known) => sameMailbox(known, address))).length;
  const known = new Set(before.map((address) => address.toLowerCase()));
  return after.filter((address) => !known.has(address.toLowerCase())).length;
}
