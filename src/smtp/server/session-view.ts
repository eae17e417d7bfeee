// The session and the message under construction as sinks of protocol events see them (REFERENCE 3.1).
import type { Recipient } from "../../core/envelope.ts";
import type { ProtocolMessage, ProtocolSession } from "../../events/protocol-contexts.ts";
import type { PropertyValue } from "../../message/properties.ts";
import type { SessionState } from "./session-state.ts";
import type { Wire } from "./wire.ts";

const NO_RECIPIENTS: readonly Recipient[] = [];

export function sessionView(state: SessionState, wire: Wire): ProtocolSession {
  return {
    get id() {
      return state.id;
    },
    get localAddress() {
      return state.localAddress;
    },
    get remoteAddress() {
      return state.remoteAddress;
    },
    get remoteName() {
      return state.client?.heloDomain;
    },
    routeAddress: undefined,
    get isSecure() {
      return wire.isSecure;
    },
    get userName() {
      return state.user;
    },
    set userName(user: string | undefined) {
      state.setUser(user);
    },
    get mayRelay() {
      return state.mayRelay;
    },
    set mayRelay(isGranted: boolean) {
      state.grantRelay(isGranted);
    },
    get properties() {
      return state.properties;
    },
  };
}

export function messageView(state: SessionState): ProtocolMessage {
  return {
    get sender(): string | undefined {
      return state.transaction?.sender;
    },
    get recipients(): readonly Recipient[] {
      return state.transaction?.recipients ?? NO_RECIPIENTS;
    },
    get properties(): Map<string, PropertyValue> {
      return state.messageProperties;
    },
  };
}

/** Of _EOD: sinks behind the built-in handler see the message that it has taken over. What they set then is kept nowhere. */
export function completeMessageView(state: SessionState): ProtocolMessage {
  const { transaction, messageProperties } = state;
  let takenOver: Map<string, PropertyValue> | undefined;
  return {
    sender: transaction?.sender,
    recipients: transaction?.recipients ?? NO_RECIPIENTS,
    get properties(): Map<string, PropertyValue> {
      if (state.transaction === transaction) return messageProperties;
      return (takenOver ??= new Map(messageProperties));
    },
  };
}
