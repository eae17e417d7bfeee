// A message as the store gives it back, after a restart or from where it was parked.
import type { RecoveredMessage } from "../store/store-driver.ts";
import { type HoldReason, type QueuedMessage, applyState, createQueuedMessage } from "./queued-message.ts";
import type { RetryPolicy } from "./retry-policy.ts";

/**
 * Of a message that came by a virtual server which has another mailroot now: nothing is done to it by the rules of this one. It is
 * not saved, so the message goes on where its own server finds it.
 */
export const heldForServer = (server: string): HoldReason => ({
  by: "operator",
  abandoned: true,
  text: `came by the virtual server ${server}, which has another mailroot now: start the service with that server running to hand it over, or release the message to send it by the rules of the server that has it`,
});

/** The clock may have been set back since: no message is younger than new, or waits longer than its interval. */
export function reviveMessage(
  { id, origin, envelope, size, state }: RecoveredMessage,
  now: number,
  retry: RetryPolicy,
): QueuedMessage {
  const arrived = origin.arrivalTime > now ? { ...origin, arrivalTime: now } : origin;
  const message = createQueuedMessage(id, arrived, envelope, undefined);
  message.size = size;
  if (state !== undefined) applyState(message, state);
  const latest = now + 2 * retry.delayMs(Math.max(1, message.attempts));
  // One that a sink deferred waits for that time, whatever its interval.
  const due = Math.max(latest, message.notBefore ?? 0);
  if (message.nextAttempt !== undefined && message.nextAttempt > due) message.nextAttempt = due;
  for (const record of message.recipients)
    if (record.nextAttempt !== undefined && record.nextAttempt > latest) record.nextAttempt = latest;
  return message;
}
