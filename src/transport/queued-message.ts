// A message on its way from submission to its end: what the transport holds of it in memory, and saves as its state.
import { z } from "zod";
import type { Envelope, NotifyCondition, Origin, Recipient } from "../core/envelope.ts";
import type { Reply } from "../core/reply.ts";
import type { Content } from "../message/content.ts";
import type { PropertyValue } from "../message/mail-msg.ts";
import type { RecipientState } from "./queue-view.ts";

/** One recipient and how it stands. */
export interface RecipientRecord {
  readonly recipient: Recipient;
  state: RecipientState;
  /** Last reply of the next hop, or ours that says why it is not delivered. */
  lastReply?: Reply | undefined;
  /** Next hop that gave it, for reports. */
  remote?: string | undefined;
}

/** Why a message waits: the binding that failed on it, or the operator. */
export interface HoldReason {
  readonly by: "script" | "operator" | "sink";
  /** Display name of the binding. */
  readonly binding?: string | undefined;
  /** Script file, when a script holds it: a change of the file releases the message. */
  readonly scriptName?: string | undefined;
  readonly text: string;
}

export interface QueuedMessage {
  readonly id: string;
  readonly origin: Origin;
  /** As the sinks left it; before submission as it was committed. */
  envelope: Envelope;
  /** In memory while the message is worked on; loaded from the store otherwise. */
  content: Content | undefined;
  size: number;
  phase: "submission" | "delivery";
  /** Filled when the submission is over. */
  recipients: RecipientRecord[];
  /** Attempts of the submission (sinks failed) or of the delivery. */
  attempts: number;
  nextAttempt: number | undefined;
  held: HoldReason | undefined;
  delayNoticeSent: boolean;
  /** The sinks changed the content and the store does not have it yet. */
  contentUnsaved: boolean;
  /** Position in the chain from which a fork goes on. */
  resumeAt: number;
  properties: ReadonlyMap<string, PropertyValue>;
}

export function createQueuedMessage(id: string, origin: Origin, envelope: Envelope, content: Content | undefined): QueuedMessage {
  return {
    id,
    origin,
    envelope,
    content,
    size: content?.size ?? 0,
    phase: "submission",
    recipients: [],
    attempts: 0,
    nextAttempt: undefined,
    held: undefined,
    delayNoticeSent: false,
    contentUnsaved: false,
    resumeAt: 0,
    properties: NO_PROPERTIES,
  };
}

export const NO_PROPERTIES: ReadonlyMap<string, PropertyValue> = new Map();

const recipientSchema = z.object({
  address: z.string(),
  notify: z.array(z.enum(["NEVER", "SUCCESS", "FAILURE", "DELAY"])).optional(),
  originalRecipient: z.string().optional(),
  state: z.enum(["pending", "delivered", "relayed", "bounced", "expired", "discarded", "badmail"]),
  lastReply: z.object({ code: z.number(), detail: z.string().optional(), text: z.string() }).optional(),
  remote: z.string().optional(),
});

const stateSchema = z.object({
  version: z.literal(1),
  phase: z.enum(["submission", "delivery"]),
  sender: z.string(),
  size: z.number(),
  recipients: z.array(recipientSchema),
  attempts: z.number(),
  nextAttempt: z.number().optional(),
  held: z
    .object({
      by: z.enum(["script", "operator", "sink"]),
      binding: z.string().optional(),
      scriptName: z.string().optional(),
      text: z.string(),
    })
    .optional(),
  delayNoticeSent: z.boolean(),
  resumeAt: z.number(),
  properties: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** The state as the store keeps it. */
export function formatState(message: QueuedMessage): string {
  const records: readonly RecipientRecord[] =
    message.phase === "delivery" ? message.recipients : message.envelope.recipients.map((recipient) => ({ recipient, state: "pending" }));
  const state: z.input<typeof stateSchema> = {
    version: 1,
    phase: message.phase,
    sender: message.envelope.sender,
    size: message.size,
    recipients: records.map(({ recipient, state: recipientState, lastReply, remote }) => ({
      address: recipient.address,
      notify: recipient.notify as NotifyCondition[] | undefined,
      originalRecipient: recipient.originalRecipient,
      state: recipientState,
      lastReply,
      remote,
    })),
    attempts: message.attempts,
    nextAttempt: message.nextAttempt,
    held: message.held,
    delayNoticeSent: message.delayNoticeSent,
    resumeAt: message.resumeAt,
    properties: Object.fromEntries(message.properties),
  };
  return JSON.stringify(state);
}

/** Puts a saved state back into a message made from the committed envelope. Throws on a state that is none. */
export function applyState(message: QueuedMessage, json: string): void {
  const state = stateSchema.parse(JSON.parse(json));
  const records = state.recipients.map(
    ({ address, notify, originalRecipient, state: recipientState, lastReply, remote }): RecipientRecord => ({
      recipient: { address, notify, originalRecipient },
      state: recipientState,
      lastReply,
      remote,
    }),
  );
  message.phase = state.phase;
  message.envelope = { ...message.envelope, sender: state.sender, recipients: records.map((record) => record.recipient) };
  message.recipients = state.phase === "delivery" ? records : [];
  message.size = state.size;
  message.attempts = state.attempts;
  message.nextAttempt = state.nextAttempt;
  message.held = state.held;
  message.delayNoticeSent = state.delayNoticeSent;
  message.resumeAt = state.resumeAt;
  message.properties = new Map(Object.entries(state.properties));
}
