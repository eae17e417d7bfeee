// What people see of the queues: the answer of `onarrival queue list` and `show`, and what they may ask for.

export type RecipientState =
  | "pending"
  | "delivered"
  | "relayed"
  | "bounced"
  | "expired"
  | "discarded"
  | "badmail";

export interface RecipientView {
  readonly address: string;
  readonly state: RecipientState;
  /** The last reply of the next hop, or why it is not delivered. */
  readonly lastReply?: string | undefined;
}

export interface QueueEntry {
  readonly id: string;
  /** "pre-submission", "pre-categorization", "pre-routing", "local", or the next hop as "host:port" or a domain. */
  readonly queue: string;
  readonly state: "active" | "retry" | "held" | "frozen";
  /** Why it is held or retried: script and version, line and cause, or the last reply of the next hop. */
  readonly reason?: string | undefined;
  /** Of a held message: what lets it go on. */
  readonly advice?: string | undefined;
  readonly sender: string;
  readonly recipients: readonly RecipientView[];
  readonly size: number;
  /** ms since the epoch */
  readonly arrivalTime: number;
  readonly attempts: number;
  readonly nextAttempt?: number | undefined;
}

/** Who keeps a queue from trying: people, or a router sink that has halted its next hop. */
export type Freezer = "operator" | "router";

/** One queue and how many messages are in which state there. */
export interface QueueSummary {
  /** "pre-submission" and the others that messages pass, "local", or a next hop. */
  readonly queue: string;
  readonly messages: number;
  readonly active: number;
  readonly ready: number;
  readonly retry: number;
  readonly held: number;
  /** Somebody keeps it from trying. */
  readonly frozen: boolean;
  readonly frozenBy?: Freezer | undefined;
  /** When an unreachable next hop is tried again, ms since the epoch. */
  readonly nextAttempt?: number | undefined;
}

/** Why messages are held: by a sink or a script that failed, as poison (see HoldReason), or by the operator. */
export type HeldKind = "script" | "sink" | "poison" | "operator";

/** How full the queues are. */
export interface QueueDepths {
  /** Of the store, not finished. A message with several next hops is in several queues. */
  readonly messages: number;
  readonly kinds: Readonly<
    Record<"submission" | "pre-submission" | "local" | "remote" | "unreachable", number>
  >;
  /** Of the queues of next hops. */
  readonly states: Readonly<Record<"active" | "ready" | "retry" | "held", number>>;
  /** The fullest ones. */
  readonly destinations: readonly { readonly queue: string; readonly messages: number }[];
  readonly otherDestinations: number;
  readonly held: Readonly<Record<HeldKind, number>>;
  /** Of the message that waits longest. */
  readonly oldestAgeMs: number;
}

/** Whether a domain, as canonicalDomain() writes it, is one of those that are meant. */
export type IsAsked = (domain: string) => boolean;

/** Messages that people retried or released, and that stay because all that they wait for is frozen. */
export interface KeptBack {
  readonly messages: number;
  /** The frozen queues, each once. */
  readonly queues: readonly string[];
}

/** Each answers how many messages it changed. `ids` empty: all messages of the queue. */
export interface QueueAdmin {
  list(): readonly QueueEntry[];
  show(id: string): QueueEntry | undefined;
  /** The same of messages that are not in memory; `list` and `show` do not know them. */
  listParked(most: number): Promise<readonly QueueEntry[]>;
  showParked(id: string): Promise<QueueEntry | undefined>;
  /** Ids of up to `most` messages that begin so, in memory or not; of none when `prefix` is a whole id. */
  idsWith(prefix: string, most: number): readonly string[];
  queues(): readonly QueueSummary[];
  /** Undefined: the queue tries. */
  frozenBy(queue: string): Freezer | undefined;
  /** What the operator froze, where it is not the queue by this name: its next hop with all its queues, which only go on together. */
  frozenWith(queue: string): string | undefined;
  /**
   * No attempts of the queue of a next hop, of "local", or of one before sinks, until it is thawed. false: it was so already.
   * It is so at once; resolves when it outlives the service. Rejects with WRONG_USE for a name under which messages of several queues
   * are counted, with FREEZE_NOT_KEPT when it does not.
   */
  freeze(queue: string): Promise<boolean>;
  thaw(queue: string): Promise<boolean>;
  /** All of the queue that neither people hold nor sinks defer, now; none of a frozen one. Those of "deferred" too. */
  force(queue: string): number;
  /** Try now, those that are named also before the time that sinks gave them. */
  retry(ids: readonly string[]): number;
  /**
   * Try all that waits for recipients of these domains now (ETRN). `queues`: keys of those that hold nothing else. Undefined: it goes,
   * and how much it is cannot be told yet.
   */
  retryDomains(isAsked: IsAsked, queues?: readonly string[]): number | undefined;
  /** Keep without attempts until released. */
  hold(ids: readonly string[]): number;
  release(ids: readonly string[]): number;
  /** What `retry` or `release` is about to change in vain: asked before. */
  keptBack(verb: "retry" | "release", ids: readonly string[]): KeptBack;
  /** Delete without a report: every recipient still pending is recorded as discarded by the operator. */
  remove(ids: readonly string[]): number;
}
