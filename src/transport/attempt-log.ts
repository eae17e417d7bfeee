// What the log says of attempts: one line for each recipient, and one when a next hop stops or begins to answer.
import type { Logger } from "../core/logger.ts";
import type { LinkState } from "../events/contexts/router-contexts.ts";
import type { Delivery } from "./queues/destination-queue.ts";
import { describeReply } from "./settlement.ts";

export function logAttempt(log: Logger, delivery: Delivery, now: number): void {
  const { message, records, queue } = delivery;
  for (const record of records) {
    const fields = {
      message: message.id,
      queue: queue.key,
      recipient: record.recipient.address,
      state: record.state,
      reply: record.lastReply === undefined ? undefined : describeReply(record.lastReply),
      own: record.lastReply?.own,
      delayMs: now - message.origin.arrivalTime,
    };
    if (record.state === "pending") log.warn(fields, "recipient deferred");
    else log.info(fields, "recipient done");
  }
}

export function logLink(
  log: Logger,
  { nextHop, isUp, failures, nextAttempt }: Omit<LinkState, "flags">,
): void {
  if (isUp) log.info({ nextHop }, "next hop answers again");
  else log.warn({ nextHop, failures, nextAttempt: timeText(nextAttempt) }, "next hop cannot be reached");
}

const timeText = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString();
