// A message on its way from submission to its end: what the transport holds of it in memory, and saves as its state.
import { OnArrivalError } from "../core/errors.ts";
import type { Envelope, Origin, Recipient } from "../core/envelope.ts";
import { type Reply, reply } from "../core/reply.ts";
import type { MailEvent } from "../events/catalog.ts";
import type { Content } from "../message/content.ts";
import type { PropertyValue } from "../message/properties.ts";
import { withoutVolatileFlags } from "../message/recipient-flags.ts";
import type { Priority } from "./queues/parked-messages.ts";
import type { RecipientState } from "./queues/queue-view.ts";

/** One recipient and how it stands. */
export interface RecipientRecord {
  readonly recipient: Recipient;
  state: RecipientState;
  /** Last reply of the next hop, or ours that says why it is not delivered. */
  lastReply?: Reply | undefined;
  /** Next hop that gave it, for reports. */
  remote?: string | undefined;
  /** When it said so, ms since the epoch; absent: no attempt was made. Saved of those that wait. */
  lastAttempt?: number | undefined;
  /** Of one whose next hop is not that of all others: when it is due, ms since the epoch. */
  nextAttempt?: number | undefined;
  /** The report on `state` is not durable yet: after a crash the recipient is pending again. */
  unreported?: boolean | undefined;
}

/** Why a message waits: the binding that failed on it, or the operator. */
export interface HoldReason {
  readonly by: "script" | "operator" | "sink";
  /** Display name of the binding. */
  readonly binding?: string | undefined;
  /** Script file, when a script holds it: a change of the file releases the message. */
  readonly scriptName?: string | undefined;
  /** What went wrong with the script or sink, as "timeout" or "missing": kind of its fault. */
  readonly faultKind?: string | undefined;
  /** It ended a sandbox process twice: not tried again before the script changes or somebody releases it. */
  readonly poison?: boolean | undefined;
  /** A sink wants it left alone until the service restarts; not saved, so the restart does not know of it. */
  readonly abandoned?: boolean | undefined;
  readonly text: string;
}

/** Whose sinks a message meets before it is routed. OnCategorize is more than its sinks: a directory has its part in it. */
export type SubmissionStage = MailEvent | "OnCategorize";

export interface QueuedMessage {
  readonly id: string;
  readonly origin: Origin;
  /** As the sinks left it; before submission as it was committed. */
  envelope: Envelope;
  /** In memory while the message is worked on; loaded from the store otherwise. */
  content: Content | undefined;
  size: number;
  phase: "submission" | "delivery";
  /** In submission: whose sinks the message meets next. What waits or is held starts there. */
  stage: SubmissionStage;
  /** Filled when the submission is over. */
  recipients: RecipientRecord[];
  /** Attempts of the submission (sinks failed) or of the delivery. */
  attempts: number;
  nextAttempt: number | undefined;
  /** The sinks see it before its time; this is when it would have been due, ms since the epoch. Not saved. */
  triedBefore: number | undefined;
  held: HoldReason | undefined;
  /** Sinks want it delivered no earlier, ms since the epoch. */
  notBefore: number | undefined;
  delayNoticeSent: boolean;
  /** Whether the store has what the sinks changed of the content. */
  edits: "none" | "unsaved" | "saving";
  /** The store has it between two of its events: taken out of memory as it goes on, it would come back to the later one. */
  isSavedMidway?: true;
  /** As the protocol promised and no sink has touched it: goes out without another look for stray CR and LF. */
  crlfOnly: boolean;
  /** Position in the chain from which a fork goes on. */
  resumeAt: number;
  /** Copies that it is being split into: until it stands behind them, they are none (unfinished-copies.ts). */
  copies: readonly string[] | undefined;
  properties: ReadonlyMap<string, PropertyValue>;
  /** Before which others it leaves; as the property MP_X_PRIORITY says when the submission is over. */
  priority: Priority;
}

export function createQueuedMessage(
  id: string,
  origin: Origin,
  envelope: Envelope,
  content: Content | undefined,
): QueuedMessage {
  return {
    id,
    origin,
    envelope,
    content,
    size: content?.size ?? 0,
    phase: "submission",
    stage: "OnTransportSubmission",
    recipients: [],
    attempts: 0,
    nextAttempt: undefined,
    triedBefore: undefined,
    held: undefined,
    notBefore: undefined,
    delayNoticeSent: false,
    edits: "none",
    crlfOnly: content !== undefined && origin.crlfOnly === true,
    resumeAt: 0,
    copies: undefined,
    properties:
      envelope.properties === undefined ? NO_PROPERTIES : new Map(Object.entries(envelope.properties)),
    priority: "normal",
  };
}

/** X-Priority counts from 1, the highest, to 5 (REFERENCE 4.6.2). Only what a sink has set counts: senders call everything urgent. */
export function priorityOf({ properties }: QueuedMessage): Priority {
  const number = properties.size === 0 ? undefined : properties.get("MP_X_PRIORITY");
  if (typeof number !== "number" || number === 3) return "normal";
  return number < 3 ? "high" : "low";
}

export const NO_PROPERTIES: ReadonlyMap<string, PropertyValue> = new Map();

/** Gives a message that waits before submission the records of which reports are made; `why` it waits. */
export function listUnsubmitted(message: QueuedMessage, why: HoldReason | undefined): void {
  if (message.phase !== "submission") return;
  const lastReply = why && reply(451, "3.0", why.text);
  message.recipients = message.envelope.recipients.map((recipient) => ({
    recipient,
    state: "pending",
    lastReply,
  }));
}

/** Due now: only its next hops keep it waiting, and the time before which sinks do not want it to leave. */
export function makeDue(message: QueuedMessage): void {
  message.triedBefore = message.nextAttempt;
  message.nextAttempt = undefined;
  for (const record of message.recipients) record.nextAttempt = undefined;
}

/** As makeDue, and it may leave before the time that sinks set. */
export function makeDueNow(message: QueuedMessage): void {
  makeDue(message);
  message.notBefore = undefined;
}

/** Whether sinks do not want it to leave yet. */
export const isDeferred = ({ phase, notBefore }: QueuedMessage, now: number): boolean =>
  phase === "delivery" && notBefore !== undefined && notBefore > now;

/** Addresses of the recipients that have not come to their end. */
export function pendingAddresses({ phase, envelope, recipients }: QueuedMessage): string[] {
  if (phase === "submission") return envelope.recipients.map(({ address }) => address);
  return recipients.flatMap(({ state, recipient }) => (state === "pending" ? [recipient.address] : []));
}

/** What the store keeps of a message beside its content. */
interface SavedState {
  readonly version: 1;
  readonly phase: QueuedMessage["phase"];
  /** Absent: the first one. */
  readonly stage?: SubmissionStage | undefined;
  readonly sender: string;
  /** Absent: as committed. */
  readonly envelopeId?: string | undefined;
  readonly returnContent?: Envelope["returnContent"];
  readonly size: number;
  readonly recipients: readonly (Recipient & Omit<RecipientRecord, "recipient" | "unreported">)[];
  readonly attempts: number;
  readonly nextAttempt?: number | undefined;
  readonly held?: HoldReason | undefined;
  readonly notBefore?: number | undefined;
  readonly delayNoticeSent: boolean;
  readonly resumeAt: number;
  readonly copies?: readonly string[] | undefined;
  readonly properties: Readonly<Record<string, PropertyValue>>;
}

/** The state as the store keeps it. */
export function formatState(message: QueuedMessage): string {
  const records: readonly RecipientRecord[] =
    message.phase === "delivery"
      ? message.recipients
      : message.envelope.recipients.map((recipient) => ({ recipient, state: "pending" }));
  const saved: SavedState = {
    version: 1,
    phase: message.phase,
    stage: message.stage === "OnTransportSubmission" ? undefined : message.stage,
    sender: message.envelope.sender,
    envelopeId: message.envelope.envelopeId,
    returnContent: message.envelope.returnContent,
    size: message.size,
    recipients: records.map(
      ({ recipient, state, lastReply, remote, lastAttempt, nextAttempt, unreported }) => ({
        ...withoutVolatileFlags(recipient),
        state: unreported === true ? "pending" : state,
        nextAttempt,
        lastReply,
        remote,
        lastAttempt: state === "pending" ? lastAttempt : undefined,
      }),
    ),
    attempts: message.attempts,
    nextAttempt: message.nextAttempt,
    held: message.held?.abandoned === true ? undefined : message.held,
    notBefore: message.notBefore,
    delayNoticeSent: message.delayNoticeSent,
    resumeAt: message.resumeAt,
    copies: message.copies,
    properties: Object.fromEntries(message.properties),
  };
  return JSON.stringify(saved);
}

/** Puts a saved state back into a message made from the committed envelope. Throws on the state of another version. */
export function applyState(message: QueuedMessage, json: string): void {
  // The store has checked the bytes against their checksum: this is what formatState wrote.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const saved = JSON.parse(json) as SavedState;
  if (saved.version !== 1)
    throw new OnArrivalError("STORE_CORRUPT", `${message.id}: saved state of an unknown version`);
  const records = saved.recipients.map(
    ({ state, lastReply, remote, lastAttempt, nextAttempt, ...recipient }): RecipientRecord => ({
      recipient,
      state,
      lastReply,
      remote,
      lastAttempt,
      nextAttempt,
    }),
  );
  message.phase = saved.phase;
  message.stage = saved.stage ?? "OnTransportSubmission";
  message.envelope = {
    ...message.envelope,
    sender: saved.sender,
    envelopeId: saved.envelopeId ?? message.envelope.envelopeId,
    returnContent: saved.returnContent ?? message.envelope.returnContent,
    recipients: records.map((record) => record.recipient),
  };
  message.recipients = saved.phase === "delivery" ? records : [];
  message.size = saved.size;
  message.attempts = saved.attempts;
  message.nextAttempt = saved.nextAttempt;
  message.held = saved.held;
  message.notBefore = saved.notBefore;
  message.delayNoticeSent = saved.delayNoticeSent;
  message.resumeAt = saved.resumeAt;
  message.properties = new Map(Object.entries(saved.properties));
  message.priority = priorityOf(message);
}
