// The courier of what a router says cannot be reached: every recipient gets the reply of the router (REFERENCE 4.4, types 3 and 4).
import type { Reply } from "../../core/reply.ts";
import type { DeliveryOutcome, OutboundMessage } from "../../smtp/client/destination.ts";
import type { Courier } from "../queues/destination-queue.ts";

export class RefusingCourier implements Courier {
  readonly capacity = Infinity;
  readonly #reply: Reply;

  constructor(reply: Reply) {
    this.#reply = reply;
  }

  deliver({ recipients }: OutboundMessage): Promise<DeliveryOutcome> {
    const replies = recipients.map(() => this.#reply);
    return Promise.resolve({ kind: "report", report: { replies, remote: "", dsn: false } });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
