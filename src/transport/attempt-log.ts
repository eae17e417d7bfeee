// One log line for each recipient of an attempt: what became of it.
import type { Logger } from "../core/logger.ts";
import type { Delivery } from "./destination-queue.ts";
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
      delayMs: now - message.origin.arrivalTime,
    };
    if (record.state === "pending") log.warn(fields, "recipient deferred");
    else log.info(fields, "recipient done");
  }
}
