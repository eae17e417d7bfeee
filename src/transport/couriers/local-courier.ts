// Step 10: local delivery. Recipients of a message that are delivered at a time share one file in Drop (REFERENCE 6.4).
import { describeError } from "../../core/errors.ts";
import { reply } from "../../core/reply.ts";
import type { DeliveryOutcome, OutboundMessage, SignOutbound } from "../../smtp/client/destination.ts";
import type { Drop } from "../../store/drop.ts";
import type { Courier } from "../queues/destination-queue.ts";
import { DROP_NAME } from "../reports/mta-name.ts";

const DELIVERED = reply(250, "2.0", "delivered to Drop");

export class LocalCourier implements Courier {
  readonly #drop: Drop;
  readonly #maxConcurrent: number;
  readonly #sign: SignOutbound | undefined;
  #active = 0;
  #onIdle: (() => void) | undefined;

  constructor(drop: Drop, maxConcurrent: number, sign?: SignOutbound) {
    this.#drop = drop;
    this.#maxConcurrent = maxConcurrent;
    this.#sign = sign;
  }

  get capacity(): number {
    return this.#maxConcurrent - this.#active;
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    this.#active += 1;
    try {
      await this.#drop.deliver(
        message.id,
        message.sender,
        message.recipients.map((recipient) => recipient.address),
        this.#sign === undefined ? message.content : await this.#sign(message),
        message.recipients.length < message.envelope.recipients.length,
      );
      return {
        kind: "report",
        report: { replies: message.recipients.map(() => DELIVERED), remote: DROP_NAME, dsn: false },
      };
    } catch (thrown) {
      const reason = `Drop cannot be written: ${describeError(thrown)}`;
      return {
        kind: "unreachable",
        reason,
        transient: true,
        reply: reply(451, "3.0", reason),
        remote: DROP_NAME,
        mayDuplicate: false,
      };
    } finally {
      this.#active -= 1;
      if (this.#active === 0) this.#onIdle?.();
    }
  }

  /** Resolves when no file is being written. */
  close(): Promise<void> {
    if (this.#active === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
