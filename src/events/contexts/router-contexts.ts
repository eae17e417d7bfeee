// What sinks of OnGetMessageRouter receive (REFERENCE 4.4), under idiomatic names.
import type { Origin, Recipient } from "../../core/envelope.ts";
import type { PropertyValue } from "../../message/properties.ts";

/** A message whose sinks are through: only its way can still be chosen. */
export interface RoutedMessage {
  readonly id: string;
  /** How it came: fixed at arrival. */
  readonly origin: Origin;
  /** Reverse path without angle brackets; "" is the null sender. */
  readonly sender: string;
  /** All of the message, those that are delivered already included. */
  readonly recipients: readonly Recipient[];
  /** In bytes. */
  readonly size: number;
  /** What sinks have kept with the message. */
  readonly properties: ReadonlyMap<string, PropertyValue>;
}

/**
 * Where a recipient's copy goes. `local` is Drop, `default` what the settings say. `unreachable` is a reply as "550 5.1.1 text":
 * with 5xx the recipient fails and its sender hears of it, with 4xx it waits and is routed again at its next retry.
 */
export type NextHopAnswer =
  | "local"
  | "default"
  | { readonly host: string; readonly port?: number | undefined }
  | { readonly domain: string }
  | { readonly unreachable: string }
  | TypedNextHop;

/** The next hop types of the original, with its values. */
export const nextHopType = {
  sameVirtualServer: 0,
  /** `address` is connected to as it is, and no entry of `delivery.destinations` is looked up for it. */
  peerSmtp: 1,
  /** `address` goes by the settings: its MX, or the host itself where a port is given. */
  externalSmtp: 2,
  /** The recipient fails, with `reply` or "550 5.4.4 …". */
  unreachable: 3,
  /** The recipient waits, with `reply` or "451 4.4.4 …", and is routed again. */
  currentlyUnreachable: 4,
  /** The other form of `peerSmtp`. */
  peerSmtpAgain: 5,
} as const;

/** An answer of GetNextHop in the terms of the original. */
export interface TypedNextHop {
  readonly type: (typeof nextHopType)[keyof typeof nextHopType];
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly reply?: string | undefined;
}

/** IMessageRouter. All members answer at once: who has to ask somebody does so in onEvent, which may promise. */
export interface MessageRouter {
  /**
   * 0 … 4294967295; messages of different types do not share the queue of a next hop. Absent: 0. Asked once per message, and again
   * after reset("messageTypes") or a change of bindings.
   */
  getMessageType?(msg: RoutedMessage): number;
  /** So many messages that had the type are finished, or have another one now. */
  releaseMessageType?(type: number, count: number): void;
  /** Where the copy of this recipient goes. One for whom it throws, or names no next hop, waits and is routed again at its retry. */
  getNextHop(msg: RoutedMessage, recipient: Recipient): NextHopAnswer;
  /** An attempt found a next hop of a message that this router routed unreachable; `nextHop` is named as in `LinkState`. */
  connectionFailed?(nextHop: string): void;
}

/** Before a message is routed: at first, at each retry, and when routes are reset. */
export interface RouteContext {
  readonly kind: "route";
  /** As the sinks before left it; it cannot be changed here. */
  readonly msg: RoutedMessage;
  /** The router so far: that of the sinks before, at first one that answers `default`. A sink may replace or wrap it. */
  router: MessageRouter;
  /** Leaves next hops alone, tries them, and has routes computed anew. */
  readonly links: LinkControl;
}

/** A next hop became unreachable, failed once more, or answers again. */
export interface LinkContext {
  readonly kind: "link";
  /** The next hop, and how it stands now. */
  readonly link: LinkState;
  /** When an unreachable next hop is tried again, ms since the epoch; a sink may choose another time, within 7 days. */
  nextAttempt: number | undefined;
  /** Bits of `linkFlag` that are to be set when the sinks are through. */
  set: number;
  /** Bits that are to be unset then. */
  unset: number;
  /** The same as of RouteContext. */
  readonly links: LinkControl;
}

/** The link flags of the original that have a meaning here, with its values. */
export const linkFlag = {
  /** Set at first. Without it an unreachable next hop is not tried again by itself. */
  retryEnabled: 0x1,
  /** The queues of the next hop are frozen until the flag is unset: people cannot force them, and see by whom they are frozen. */
  adminHalt: 0x8,
  /** The next hop is tried at once, unless it is halted. Is not kept. */
  forceConnection: 0x10,
} as const;

export interface LinkState {
  /** "host:port", or a domain that is looked up. */
  readonly nextHop: string;
  /** Whether it answered at the last attempt. */
  readonly isUp: boolean;
  /** Attempts in a row at which it was unreachable. */
  readonly failures: number;
  /** ms since the epoch: when it is tried again. */
  readonly nextAttempt: number | undefined;
  /** Bits of `linkFlag`. */
  readonly flags: number;
}

/** IMailTransportRouterReset and IMailTransportRouterSetLinkState. */
export interface LinkControl {
  /** Routes everything that waits anew, at most once a second. With "messageTypes" routers are asked for those anew, too. */
  reset(what?: "nextHops" | "messageTypes"): void;
  /** Leaves the next hop alone: what is for it waits. After `forMs` (1 hour unless given, at most 7 days) it is tried again. */
  down(nextHop: string, forMs?: number): void;
  /** Tries the next hop at once, unless it is halted. */
  up(nextHop: string): void;
  /** SetLinkState: bits of `linkFlag`; others of the original have no meaning here and are ignored. */
  setState(nextHop: string, set: number, unset?: number): void;
}

export type RouterSubject = RouteContext | LinkContext;
