// What sinks of StoreDriver receive (REFERENCE 4.1). The storage itself is not replaceable: that a message survives any crash is
// the promise of this service's own store. Sinks watch it, and may take over local delivery.
import type { Origin, Recipient } from "../../core/envelope.ts";
import type { Content } from "../../message/content.ts";
import type { PropertyValue } from "../../message/properties.ts";

export interface StoredMessage {
  readonly id: string;
  /** How it came: fixed at arrival. */
  readonly origin: Origin;
  /** Reverse path without angle brackets; "" is the null sender. */
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  /** In bytes. */
  readonly size: number;
}

/**
 * `written`: it is durable. `enumerated`: at the start, an earlier run left it unfinished. `read`: memory did not have its content,
 * and a delivery, the sinks of an event or a report got it from disk. `deleted`: it came to its end.
 */
export interface StoreNotice {
  readonly kind: "written" | "enumerated" | "read" | "deleted";
  readonly msg: StoredMessage;
}

/** Before a message is written to Drop. Nobody waits behind a sink that promises but this message, as long as it has fewer than 200 of a virtual server. */
export interface LocalDeliveryContext {
  readonly kind: "localDelivery";
  /** The recipients of this delivery; those of other domains are not among them. */
  readonly msg: StoredMessage & {
    readonly content: Content;
    readonly properties: ReadonlyMap<string, PropertyValue>;
  };
  /** The sink has stored the message for the recipient: it counts as delivered, and Drop does not get it. */
  deliver(address: string): void;
  /** "550 5.2.2 Mailbox full" fails the recipient, "452 4.2.2 …" lets it wait. Throws RangeError on what is no such reply. */
  refuse(address: string, reply: string): void;
}

export type StoreSubject = StoreNotice | LocalDeliveryContext;
