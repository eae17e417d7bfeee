// SmartHostType 1 (REFERENCE 6.1 row 23): the hosts of the domain are tried first, the smart host takes what cannot reach them.
import type { DeliveryOutcome, OutboundMessage } from "../../smtp/client/destination.ts";
import type { Courier } from "../queues/destination-queue.ts";

export class DirectFirstCourier implements Courier {
  readonly #direct: Courier;
  readonly #smartHost: Courier;

  constructor(direct: Courier, smartHost: Courier) {
    this.#direct = direct;
    this.#smartHost = smartHost;
  }

  get capacity(): number {
    return Math.min(this.#direct.capacity, this.#smartHost.capacity);
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    const outcome = await this.#direct.deliver(message);
    return wasNotReached(outcome) ? this.#smartHost.deliver(message) : outcome;
  }

  async close(): Promise<void> {
    await Promise.all([this.#direct.close(), this.#smartHost.close()]);
  }
}

/** Replies to the message are the last word; and what may have been taken already is not sent a second way (RFC 1047). */
const wasNotReached = (outcome: DeliveryOutcome): boolean =>
  outcome.kind === "unreachable" && !outcome.mayDuplicate;
