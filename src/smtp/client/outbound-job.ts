// A message on its way through the connections of one destination.
import type { DeliveryOutcome, OutboundMessage } from "./destination.ts";

/** A message and who waits for its outcome. */
export interface Job {
  readonly message: OutboundMessage;
  /** When a connection got it. */
  sentAt: number;
  readonly resolve: (outcome: DeliveryOutcome) => void;
  /** A peer offered CHUNKING and did not know BDAT. */
  readonly noChunks?: true;
}

export interface ConnectionOwner<Connection> {
  /** Free for the next message. */
  onReady(connection: Connection): void;
  /** The peer had closed a kept connection before it saw the message: not a failure, it goes over another one. */
  onUnsent(job: Job): void;
  /** Takes no more messages. */
  onEnded(connection: Connection): void;
}
