// "TLS-Required: No" (RFC 8689 §4.2.2): the sender would rather have a message delivered than protected. It goes out as if the
// next hop had no TLS policy, over connections of its own; all other mail keeps to the policy.
import type { DeliveryOutcome, Destination, OutboundMessage } from "./destination.ts";

const TLS_REQUIRED_NO = /^TLS-Required:[ \t]*No[ \t]*\r?$/im;

/** RFC 8689 §3: REQUIRETLS on the same message wins. */
const wantsDelivery = ({ envelope, content }: OutboundMessage): boolean =>
  envelope.requireTls !== true && TLS_REQUIRED_NO.test(content.header.toString("latin1"));

export class RelaxedDestination implements Destination {
  readonly #strict: Destination;
  readonly #createRelaxed: () => Destination;
  #relaxed: Destination | undefined;
  #active = 0;

  /** Worth its search of the header only where `strict` insists on TLS. */
  constructor(strict: Destination, createRelaxed: () => Destination) {
    this.#strict = strict;
    this.#createRelaxed = createRelaxed;
  }

  get capacity(): number {
    return Math.max(0, this.#strict.capacity - this.#active);
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    if (!wantsDelivery(message)) return this.#strict.deliver(message);
    this.#relaxed ??= this.#createRelaxed();
    this.#active += 1;
    try {
      return await this.#relaxed.deliver(message);
    } finally {
      this.#active -= 1;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#strict.close(), this.#relaxed?.close()]);
  }
}
