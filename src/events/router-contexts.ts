// What sinks of OnGetMessageRouter receive (REFERENCE 4.4), under idiomatic names.
import type { Origin, Recipient } from "../core/envelope.ts";
import type { PropertyValue } from "../message/mail-msg.ts";

/** A message whose sinks are through: only its way can still be chosen. */
export interface RoutedMessage {
  readonly id: string;
  readonly origin: Origin;
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  readonly size: number;
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
  | { readonly unreachable: string };

/** IMessageRouter. Both members answer at once: who has to ask somebody does so in onEvent, which may promise. */
export interface MessageRouter {
  /** 0 … 4294967295; messages of different types do not share the queue of a next hop. Absent: 0. */
  getMessageType?(msg: RoutedMessage): number;
  getNextHop(msg: RoutedMessage, recipient: Recipient): NextHopAnswer;
}

/** Before a message is routed: at first, at each retry, and when routes are reset. */
export interface RouteContext {
  readonly kind: "route";
  readonly msg: RoutedMessage;
  /** The router so far: that of the sinks before, at first one that answers `default`. A sink may replace or wrap it. */
  router: MessageRouter;
  readonly links: LinkControl;
}

/** A next hop became unreachable, failed once more, or answers again. */
export interface LinkContext {
  readonly kind: "link";
  readonly link: LinkState;
  readonly links: LinkControl;
}

export interface LinkState {
  /** "host:port", or a domain that is looked up. */
  readonly nextHop: string;
  readonly isUp: boolean;
  /** Attempts in a row at which it was unreachable. */
  readonly failures: number;
  /** ms since the epoch: when it is tried again. */
  readonly nextAttempt: number | undefined;
}

/** IMailTransportRouterReset and IMailTransportRouterSetLinkState. */
export interface LinkControl {
  /** Routes everything that waits anew, at most once a second. */
  reset(): void;
  /** Leaves the next hop alone: what is for it waits. After `forMs` (1 hour unless given, at most 7 days) it is tried again. */
  down(nextHop: string, forMs?: number): void;
  /** Tries the next hop at once. */
  up(nextHop: string): void;
}

export type RouterSubject = RouteContext | LinkContext;
