// A message for more recipients than one transaction may have goes in several (REFERENCE 6.3, RFC 5321 §4.5.3.1.8).
import type { Reply } from "../core/reply.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import type { Courier } from "./destination-queue.ts";

export class SplittingCourier implements Courier {
  readonly #inner: Courier;
  readonly #maxRecipients: number;

  constructor(inner: Courier, maxRecipients: number) {
    this.#inner = inner;
    this.#maxRecipients = maxRecipients;
  }

  get capacity(): number {
    return this.#inner.capacity;
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    return message.recipients.length <= this.#maxRecipients
      ? this.#inner.deliver(message)
      : this.#deliverInTurns(message);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** One after the other: a large message must not take all connections. */
  async #deliverInTurns(message: OutboundMessage): Promise<DeliveryOutcome> {
    const replies: Reply[] = [];
    let remote = "";
    let dsn = true;
    while (replies.length < message.recipients.length) {
      const recipients = message.recipients.slice(replies.length, replies.length + this.#maxRecipients);
      // oxlint-disable-next-line no-await-in-loop -- in turns
      const outcome = await this.#inner.deliver({ ...message, recipients });
      if (outcome.kind === "report") {
        replies.push(...outcome.report.replies);
        remote = outcome.report.remote;
        dsn &&= outcome.report.dsn;
        continue;
      }
      if (replies.length === 0) return outcome;
      // Those who have their answer keep it.
      while (replies.length < message.recipients.length) replies.push(outcome.reply);
    }
    return { kind: "report", report: { replies, remote, dsn } };
  }
}
