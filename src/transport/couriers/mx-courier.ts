// Takes mail to the hosts of a domain: looks them up when there is mail, and again when the answer has aged.
import { type Reply, isPermanent } from "../../core/reply.ts";
import {
  CLOSED,
  type DeliveryOutcome,
  type Destination,
  type NextHop,
  type OutboundMessage,
} from "../../smtp/client/destination.ts";
import type { Courier } from "../queues/destination-queue.ts";
import type { MxLookup } from "../routing/mx.ts";

const NULL_MX = 556;

export interface MxCourierParts {
  readonly domain: string;
  readonly maxConnections: number;
  readonly lookup: MxLookup;
  readonly connect: (nextHops: readonly NextHop[]) => Destination;
  /** Somebody else takes mail of domains that DNS does not know: they count as not reached. */
  readonly hasFallback?: boolean | undefined;
}

export class MxCourier implements Courier {
  readonly #parts: MxCourierParts;
  #current: { readonly hosts: string; readonly destination: Destination } | undefined;
  /** Destinations of earlier answers that still finish their mail. */
  readonly #closing = new Set<Promise<void>>();
  #active = 0;
  #closed = false;

  constructor(parts: MxCourierParts) {
    this.#parts = parts;
  }

  get capacity(): number {
    return this.#closed ? 0 : this.#parts.maxConnections - this.#active;
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    this.#active += 1;
    try {
      const answer = await this.#parts.lookup.nextHops(this.#parts.domain);
      // A destination made now would be closed by nobody.
      if (this.#closed) return refused(this.#parts.domain, CLOSED, message);
      if (answer.kind === "failed")
        return refused(this.#parts.domain, answer.reply, message, this.#parts.hasFallback);
      return await this.#destinationOf(answer.hops).deliver(message);
    } finally {
      this.#active -= 1;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#closing, this.#current?.destination.close()]);
  }

  #destinationOf(hops: readonly NextHop[]): Destination {
    // In their order: it is the preference, and among equals the draw of this look-up (RFC 5321 §5.1).
    const hosts = JSON.stringify(hops);
    if (this.#current?.hosts === hosts) return this.#current.destination;
    this.#retire();
    const destination = this.#parts.connect(hops);
    this.#current = { hosts, destination };
    return destination;
  }

  #retire(): void {
    if (this.#current === undefined) return;
    const closing = this.#current.destination.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}

/** DNS has the last word: 5xx for every recipient, or the whole domain waits. */
function refused(
  domain: string,
  reply: Reply,
  message: OutboundMessage,
  hasFallback = false,
): DeliveryOutcome {
  // RFC 7505 §4.1: a domain that says that it takes no mail gets none by another way either.
  if (isPermanent(reply) && (!hasFallback || reply.code === NULL_MX)) {
    return {
      kind: "report",
      report: { replies: message.recipients.map(() => reply), remote: domain, dsn: false },
    };
  }
  return {
    kind: "unreachable",
    reason: reply.text,
    transient: !isPermanent(reply),
    reply,
    remote: domain,
    mayDuplicate: false,
  };
}
