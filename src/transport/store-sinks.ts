// Steps 2, 10 and 11, for those who bind sinks to StoreDriver: what the store does, and local delivery in place of Drop.
import { sameMailbox } from "../core/address.ts";
import type { Recipient } from "../core/envelope.ts";
import { type Reply, parseFailure, reply } from "../core/reply.ts";
import type { StoreNotice, StoreSubject, StoredMessage } from "../events/store-contexts.ts";
import type { SystemChain, SystemSinks } from "../events/system-chain.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import type { Courier } from "./destination-queue.ts";
import { DROP_NAME } from "./mta-name.ts";
import { NO_PROPERTIES, type QueuedMessage } from "./queued-message.ts";

export interface StoreSinksParts {
  readonly chain: () => SystemChain<StoreSubject>;
  readonly sinks: SystemSinks;
  /** Calls sinks that nobody waits for. */
  readonly unawaited: SystemSinks;
}

const TAKEN = reply(250, "2.0", "delivered by a sink");

export class StoreSinks {
  readonly #parts: StoreSinksParts;

  constructor(parts: StoreSinksParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#parts.chain().isEmpty;
  }

  /**
   * Nobody waits for what sinks make of it. `uncounted`: for notices whose number is bounded already and which come in one turn, in
   * which no promise can be settled.
   */
  tell(
    kind: StoreNotice["kind"],
    message: QueuedMessage,
    promises: "counted" | "uncounted" = "counted",
  ): void {
    const chain = this.#parts.chain();
    if (chain.isEmpty) return;
    const { id, origin, envelope, size } = message;
    const { sender, recipients } = envelope;
    const subject = { kind, msg: { id, origin, sender, recipients, size } };
    // Never rejects.
    void this.#parts.unawaited.run<StoreSubject>(chain, {
      subject,
      server: origin.server,
      onFault: "next-sink",
      promises: promises === "counted" ? promises : undefined,
    });
  }

  /** What sinks say of the recipients, in their order; undefined: Drop gets it. */
  async localDelivery(message: OutboundMessage): Promise<readonly (Reply | undefined)[]> {
    const { recipients, content, sender, id } = message;
    const origin = message.origin ?? { via: "smtp", arrivalTime: 0, server: "" };
    let said: (Reply | undefined)[] = recipients.map(() => undefined);
    const answer = (address: string, outcome: Reply): void => {
      recipients.forEach((recipient, index) => {
        if (sameMailbox(recipient.address, address)) said[index] = outcome;
      });
    };
    const properties = message.properties ?? NO_PROPERTIES;
    const msg: StoredMessage = { id, origin, sender, recipients, size: content.size };
    const outcome = await this.#parts.sinks.run<StoreSubject>(this.#parts.chain(), {
      subject: {
        kind: "localDelivery",
        msg: { ...msg, content, properties },
        deliver: (address) => answer(address, TAKEN),
        refuse: (address, text) => answer(address, parseFailure(text)),
      },
      server: origin.server,
      onFault: "binding",
      remember: () => {
        const before = said;
        said = [...said];
        return () => {
          said = before;
        };
      },
    });
    if (outcome.kind === "passed") return said;
    // Drop must not get what the failed sink would have kept from it: the others wait.
    const wait = reply(451, "3.0", `${outcome.binding.displayName}: ${outcome.message.slice(0, 200)}`);
    return said.map((known) => known ?? wait);
  }
}

/** Local delivery with sinks in front of Drop. */
export class SinkCourier implements Courier {
  readonly #drop: Courier;
  readonly #sinks: StoreSinks;
  readonly #maxConcurrent: number;
  #asking = 0;
  #onIdle: (() => void) | undefined;

  constructor(drop: Courier, sinks: StoreSinks, maxConcurrent: number) {
    this.#drop = drop;
    this.#sinks = sinks;
    this.#maxConcurrent = maxConcurrent;
  }

  get capacity(): number {
    return Math.min(this.#drop.capacity, this.#maxConcurrent - this.#asking);
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    return this.#sinks.isEmpty ? this.#drop.deliver(message) : this.#deliver(message);
  }

  async #deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    this.#asking += 1;
    try {
      const said = await this.#sinks.localDelivery(message);
      const left = message.recipients.filter((_recipient, index) => said[index] === undefined);
      if (left.length === message.recipients.length) return await this.#drop.deliver(message);
      return merged(said, left.length === 0 ? [] : await this.#deliverTo(message, left));
    } finally {
      this.#asking -= 1;
      if (this.#asking === 0) this.#onIdle?.();
    }
  }

  async #deliverTo(message: OutboundMessage, recipients: readonly Recipient[]): Promise<readonly Reply[]> {
    const outcome = await this.#drop.deliver({ ...message, recipients });
    // What a sink has stored must not be delivered again because Drop is full.
    return outcome.kind === "report" ? outcome.report.replies : recipients.map(() => outcome.reply);
  }

  async close(): Promise<void> {
    if (this.#asking > 0)
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    await this.#drop.close();
  }
}

function merged(said: readonly (Reply | undefined)[], dropped: readonly Reply[]): DeliveryOutcome {
  const rest = [...dropped];
  const replies = said.map((known) => known ?? rest.shift() ?? TAKEN);
  return { kind: "report", report: { replies, remote: DROP_NAME, dsn: false } };
}
