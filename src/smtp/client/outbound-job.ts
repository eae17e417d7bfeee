// A message on its way through the connections of one destination.
import type { Reply } from "../../core/reply.ts";
import type { GroupTrust } from "./group-trust.ts";
import type { DeliveryOutcome, OutboundMessage } from "./destination.ts";

/** What a peer offered and turned out not to have: the message goes over another connection, and does without. */
export interface Lie {
  /** CHUNKING: it did not know BDAT. */
  readonly noChunks?: true;
  /** PIPELINING: it refused MAIL or all RCPT for their parameters and took DATA behind them. */
  readonly noPipelining?: true;
}

/** A message and who waits for its outcome. */
export interface Job extends Lie {
  readonly message: OutboundMessage;
  /** When a connection got it. */
  sentAt: number;
  readonly resolve: (outcome: DeliveryOutcome) => void;
}

/** How the transaction ended, and what the connection is good for afterwards. */
export interface TransactionEnd {
  readonly outcome: DeliveryOutcome;
  readonly next: "ready" | "quit" | "lost";
  /** Why it is lost. */
  readonly lie?: Lie | undefined;
  /** The peer answered something: the connection was alive when the transaction began. */
  readonly answered: boolean;
}

/** No transaction took place, or it broke off. */
export function unreachable(
  why: Reply,
  transient: boolean,
  remote: string,
  mayDuplicate = false,
): DeliveryOutcome {
  return { kind: "unreachable", reason: why.text, transient, reply: why, remote, mayDuplicate };
}

/** Who has the messages of a destination. */
export interface EnvelopeOwner {
  /** An envelope is on the wire whose content can take the next one along, or none any more. */
  onEnvelope(isSent: boolean): void;
  /** Gives away the next message that waits, if it `fits` behind the content of another one. */
  nextBehind(fits: (job: Job) => boolean): void;
  /** The peer had closed a kept connection before it saw the message: not a failure, it goes over another one. */
  onUnsent(job: Job): void;
  readonly groups: GroupTrust;
}

export interface ConnectionOwner<Connection> extends EnvelopeOwner {
  /** Free for the next message. */
  onReady(connection: Connection): void;
  /** Takes no more messages. */
  onEnded(connection: Connection): void;
}
