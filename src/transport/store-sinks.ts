// Steps 2, 10 and 11, for those who bind sinks to StoreDriver: what the store does, and local delivery in place of Drop.
import { sameMailbox } from "../core/address.ts";
import { type Reply, parseFailure, reply } from "../core/reply.ts";
import { EVENTS } from "../events/catalog.ts";
import type { StoreNotice, StoreSubject, StoredMessage } from "../events/contexts/store-contexts.ts";
import type { SystemChain, SystemSinks } from "../events/system-chain.ts";
import type { OutboundMessage } from "../smtp/client/destination.ts";
import { NO_PROPERTIES, type QueuedMessage } from "./queued-message.ts";

export interface StoreSinksParts {
  readonly chain: () => SystemChain<StoreSubject>;
  readonly sinks: SystemSinks;
  /** Calls sinks that nobody waits for. */
  readonly unawaited: SystemSinks;
}

/** Of a recipient that a sink has taken over. */
export const TAKEN = reply(250, "2.0", "delivered by a sink");

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
      // What it tells of has happened.
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
      onFault: EVENTS.StoreDriver.onFault,
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
