// Between the transport's record of a message and the MailMsg that sinks get: out, and back again.
import { type MessageStatus, messageStatus } from "../core/status.ts";
import type { Content } from "../message/content.ts";
import { MailMsg, type MessageSurroundings } from "../message/mail-msg.ts";
import {
  NO_PROPERTIES,
  type QueuedMessage,
  type SubmissionStage,
  createQueuedMessage,
} from "./queued-message.ts";

/** What sinks get; `status` is what those of the event read at first. */
export function mailMsgOf(
  message: QueuedMessage,
  content: Content,
  status: MessageStatus,
  surroundings: MessageSurroundings | undefined,
): MailMsg {
  const msg = new MailMsg(message.id, message.origin, message.envelope, content, surroundings);
  msg.status = status;
  if (message.notBefore !== undefined) msg.deferredDeliveryTime = new Date(message.notBefore);
  if (message.properties.size > 0) msg.properties.takeBack(message.properties);
  return msg;
}

/** The message is as the sinks left it. */
export function adopt(message: QueuedMessage, msg: MailMsg, original: Content): void {
  message.envelope = msg.envelope;
  message.notBefore = msg.deferredDeliveryTime?.getTime();
  keepProperties(message, msg);
  const { content } = msg;
  message.content = content;
  message.size = content.size;
  if (content === original) return;
  message.edits = "unsaved";
  message.crlfOnly &&= content.keepsLinesOf(original);
}

function keepProperties(message: QueuedMessage, { keptProperties }: MailMsg): void {
  if (keptProperties.size > 0) message.properties = new Map(keptProperties);
  else if (message.properties.size > 0) message.properties = NO_PROPERTIES;
}

/** Whether a sink discards it or sends it to Badmail. */
export const isStopped = ({ status }: MailMsg): boolean =>
  status === messageStatus.abortDelivery || status === messageStatus.badMail;

/** A fork as a message of its own, which goes on with the sinks that `from` has not met yet. */
export function forkedMessage(fork: MailMsg, from: Pick<QueuedMessage, "stage">): QueuedMessage {
  const message = createQueuedMessage(fork.id, fork.origin, fork.envelope, fork.content);
  message.stage = stageOf(fork, from.stage);
  message.resumeAt = message.stage === from.stage ? fork.resumeAt : 0;
  message.notBefore = fork.deferredDeliveryTime?.getTime();
  message.crlfOnly = false;
  keepProperties(message, fork);
  return message;
}

/** A sink may say that the fork has come further than the event. */
function stageOf({ status }: MailMsg, stage: SubmissionStage): SubmissionStage {
  if (status === messageStatus.categorized) return "OnPostCategorize";
  return status === messageStatus.submitted && stage === "OnTransportSubmission" ? "OnPreCategorize" : stage;
}
