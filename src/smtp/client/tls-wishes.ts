// What single messages wish of TLS (RFC 8689), beside what the settings say of their next hop. REQUIRETLS: verified, or not at
// all. "TLS-Required: No": rather delivered than protected. Such mail has connections of its own, all other mail the usual ones.
import type { DeliveryOutcome, Destination, OutboundMessage } from "./destination.ts";

const TLS_REQUIRED_NO = /^TLS-Required:[ \t]*No[ \t]*\r?$/im;

export interface TlsWishParts {
  readonly usual: Destination;
  /** To hosts that offer REQUIRETLS and are proven to be the ones meant. */
  readonly createRequiring: () => Destination;
  /** Without the TLS policy. Absent where there is none to give up, or where the settings do not honour the wish. */
  readonly createRelaxed?: (() => Destination) | undefined;
}

export class TlsWishes implements Destination {
  readonly #parts: TlsWishParts;
  #requiring: Destination | undefined;
  #relaxed: Destination | undefined;
  /** Deliveries that are not the usual ones. */
  #active = 0;
  #isClosed = false;

  constructor(parts: TlsWishParts) {
    this.#parts = parts;
  }

  get capacity(): number {
    return Math.max(0, this.#parts.usual.capacity - this.#active);
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    // One made now would be closed by nobody.
    const other = this.#isClosed ? undefined : this.#otherFor(message);
    return other === undefined ? this.#parts.usual.deliver(message) : this.#deliverBy(other, message);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#parts.usual.close(), this.#requiring?.close(), this.#relaxed?.close()]);
  }

  #otherFor({ envelope, content }: OutboundMessage): Destination | undefined {
    const { createRequiring, createRelaxed } = this.#parts;
    // RFC 8689 §3: on a message with REQUIRETLS the header field counts for nothing.
    if (envelope.requireTls === true) return (this.#requiring ??= createRequiring());
    if (createRelaxed === undefined || !TLS_REQUIRED_NO.test(content.header.toString("latin1")))
      return undefined;
    return (this.#relaxed ??= createRelaxed());
  }

  async #deliverBy(destination: Destination, message: OutboundMessage): Promise<DeliveryOutcome> {
    this.#active += 1;
    try {
      return await destination.deliver(message);
    } finally {
      this.#active -= 1;
    }
  }
}
