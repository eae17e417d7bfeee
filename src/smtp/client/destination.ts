// The contract of the outbound client: who has mail for a next hop calls deliver() and learns each recipient's reply.
// Order: createDestination(), any number of deliver() (at most `capacity` at a time run at once, more wait), close().
import type { Envelope, Origin, Recipient } from "../../core/envelope.ts";
import type { OutboundKeyword } from "../../core/esmtp-keywords.ts";
import { ownReply, type Reply } from "../../core/reply.ts";
import type { Content } from "../../message/content.ts";
import type { PropertyValue } from "../../message/properties.ts";
import type { ConnectionBudget } from "./connection-budget.ts";
import type { CutOff } from "./cut-off.ts";
import type { OutboundProtocol } from "./sinks/outbound-events.ts";
import type { WireLog } from "./wire-log.ts";

export interface OutboundMessage {
  readonly id: string;
  /** Reverse path; "" is the null sender. */
  readonly sender: string;
  /** The recipients of this transaction: those of the envelope that share the next hop. */
  readonly recipients: readonly Recipient[];
  /** BODY, SMTPUTF8, ENVID and RET come from here. */
  readonly envelope: Envelope;
  readonly content: Content;
  /** Promises that every line ends in CRLF and no CR or LF stands alone, which saves one scan of the bytes. */
  readonly crlfOnly?: boolean | undefined;
  /** Where the message came from, for XFORWARD and signatures. */
  readonly origin?: Origin | undefined;
  /** Private properties that sinks gave it. */
  readonly properties?: ReadonlyMap<string, PropertyValue> | undefined;
}

export interface DeliveryReport {
  /** One per recipient, in order: the reply to its RCPT when refused there, else the reply to the end of data. */
  readonly replies: readonly Reply[];
  /** "host [address]:port", for logs and reports. */
  readonly remote: string;
  /** Whether the peer took over the DSN parameters (RFC 3461 §5.2): if not, a requested success report is ours ("relayed"). */
  readonly dsn: boolean;
}

export type DeliveryOutcome =
  | { readonly kind: "report"; readonly report: DeliveryReport }
  | {
      /** No transaction took place, or it broke off: nothing is known per recipient. */
      readonly kind: "unreachable";
      readonly reason: string;
      /** False only when every host of the next hop refused service with 5xx. */
      readonly transient: boolean;
      /** What a report would quote: the peer's refusal, or our own 4.4.x. */
      readonly reply: Reply;
      readonly remote: string;
      /** The final dot was sent and no reply came: the peer may have the message (RFC 1047), a retry may duplicate it. */
      readonly mayDuplicate: boolean;
    };

export interface NextHop {
  /** Host name or IP address: for TLS verification and logs, and to connect to when no addresses are given. */
  readonly host: string;
  readonly port: number;
  /** IP addresses to try in this order. */
  readonly addresses?: readonly string[] | undefined;
  /** The file name of a Unix domain socket; then host and port are for logs only. */
  readonly socketPath?: string | undefined;
}

export interface TlsPolicy {
  /** `opportunistic`: STARTTLS when offered, in clear otherwise. `required`: never in clear. */
  readonly mode: "none" | "opportunistic" | "required";
  /** TLS from the first byte (RFC 8314 §3), whatever `mode` says. */
  readonly implicit?: boolean | undefined;
  /** Whether the certificate must be trusted and name the host. */
  readonly verify: boolean;
  /** Opportunistic only: whether a failed TLS negotiation is followed by a connection in clear. */
  readonly clearAfterFailure: boolean;
  /** PEM of the authorities to trust instead of the built-in ones. */
  readonly authorities?: string | undefined;
  /** Names of which the certificate must carry one, instead of the host's. */
  readonly names?: readonly string[] | undefined;
  /** SHA-256 of certificates or of their public keys, lower-case hex: one must match, and no authority is asked. */
  readonly pins?: readonly string[] | undefined;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3" | undefined;
}

export const AUTH_MECHANISMS = ["XOAUTH2", "CRAM-MD5", "PLAIN", "LOGIN"] as const;
export type AuthMechanism = (typeof AUTH_MECHANISMS)[number];

export interface OutboundCredentials {
  readonly user: string;
  readonly password?: string | undefined;
  /** The bearer token of XOAUTH2, asked for anew at each authentication because it expires. */
  readonly token?: (() => Promise<string>) | undefined;
  /** The only one to use; otherwise the strongest that is offered. */
  readonly mechanism?: AuthMechanism | undefined;
  /** Whether they may be sent without TLS. */
  readonly allowInClear: boolean;
}

/**
 * Content that the peer takes, or the reply for all recipients when there is none (decision 0020).
 * `isBinary`: the message is declared BINARYMIME.
 */
export type ConvertBody = (
  content: Content,
  target: "7bit" | "8bit",
  isBinary: boolean,
) => Promise<Content | Reply>;

/** The content with its signatures on top, or the same content (decision 0024). A rejection counts as content that cannot be read. */
export type SignOutbound = (message: OutboundMessage) => Content | Promise<Content>;

/** RFC 5321 §4.5.3.2: how long each stage may take, in ms. */
export interface StageDeadlines {
  readonly connectMs: number;
  readonly greetingMs: number;
  readonly commandMs: number;
  readonly dataInitiationMs: number;
  readonly dataBlockMs: number;
  readonly endOfDataMs: number;
  readonly quitMs: number;
}

export interface DestinationSettings {
  /** What mail is routed to by these hosts, for sinks: a domain, a smart host. */
  readonly routeAddress?: string | undefined;
  /** Hosts in the order to try. */
  readonly nextHops: readonly NextHop[];
  /** LMTP (RFC 2033): LHLO, and a reply for each recipient at the end of data. */
  readonly dialect: "smtp" | "lmtp";
  /** Argument of EHLO. */
  readonly heloName: string;
  /** Connections at a time. */
  readonly maxConnections: number;
  /** Shared with the other next hops. Absent: there is no limit to all connections together. */
  readonly budget?: ConnectionBudget | undefined;
  /** Absent: what is under way has all its time, also after close(). */
  readonly cutOff?: CutOff | undefined;
  /** Transactions on one connection; the original's MaxBatchedMessages had 20 (REFERENCE 6.1 row 24). */
  readonly maxMessagesPerConnection: number;
  /**
   * While its transactions take less than this, in ms, a message may wait for a connection in use and leave in one group with the
   * content of the message before it (RFC 2920 §3.1), though connections are free. 0: only when none is free.
   */
  readonly groupWithinMs: number;
  /** An unused connection is ended with QUIT after this time. */
  readonly idleMs: number;
  /** After a refused further connection, how long to do with those that are open. */
  readonly reopenPauseMs: number;
  /** Host addresses tried per connection attempt. */
  readonly maxAddresses: number;
  /** Whether PIPELINING is used when offered (ShouldPipelineOut). */
  readonly pipelining: boolean;
  /** Of the extensions that may be switched off, those that are used where they are offered. Absent: all. */
  readonly keywords?: ReadonlySet<OutboundKeyword> | undefined;
  /** BDAT (RFC 3030) where CHUNKING is offered: for BINARYMIME alone, or for all whose lines are known to end in CRLF. */
  readonly chunking: "never" | "when-needed" | "always";
  /** Absent: 8-bit content goes out as it is, BINARYMIME only to hosts that take it. */
  readonly convertBody?: ConvertBody | undefined;
  /** Called with the content as it is to leave. Absent: nothing is signed. */
  readonly sign?: SignOutbound | undefined;
  /** Tell the next hop of the client behind us, when it offers XFORWARD. */
  readonly xforward: boolean;
  readonly tls: TlsPolicy;
  /** Only hosts that offer REQUIRETLS and are proven to be the ones meant will do (RFC 8689 §4.2.1). */
  readonly requireTls?: boolean | undefined;
  readonly credentials?: OutboundCredentials | undefined;
  /** Bits of `domainFlag`, asked for at each connection. */
  readonly domainFlags?: (() => number) | undefined;
  /** The sinks of outbound events. */
  readonly protocol?: OutboundProtocol | undefined;
  /** Absent: nobody writes down what is said. */
  readonly wireLog?: WireLog | undefined;
  readonly deadlines: StageDeadlines;
}

export const DEFAULT_DEADLINES: StageDeadlines = {
  connectMs: 30_000,
  greetingMs: 300_000,
  commandMs: 300_000,
  dataInitiationMs: 120_000,
  dataBlockMs: 180_000,
  endOfDataMs: 600_000,
  quitMs: 5_000,
};

export const DEFAULT_DESTINATION_SETTINGS: Omit<DestinationSettings, "nextHops" | "heloName"> = {
  maxConnections: 20,
  maxMessagesPerConnection: 100,
  groupWithinMs: 20,
  idleMs: 5_000,
  reopenPauseMs: 60_000,
  maxAddresses: 10,
  pipelining: true,
  dialect: "smtp",
  chunking: "when-needed",
  xforward: false,
  tls: { mode: "opportunistic", verify: false, clearAfterFailure: true },
  deadlines: DEFAULT_DEADLINES,
};

/** No attempt was made: the destination had been told to close before. */
export const CLOSED = ownReply(451, "3.2", "The connections to the next hop are closing");

export interface Destination {
  /** Never rejects. */
  deliver(message: OutboundMessage): Promise<DeliveryOutcome>;
  /** How many more messages can be on the wire now. */
  readonly capacity: number;
  /** Finishes what was given to deliver(), ends all connections with QUIT. */
  close(): Promise<void>;
}
