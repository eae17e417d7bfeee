// The session and the message under construction as sinks of protocol events see them (REFERENCE 3.1).
import type { Recipient } from "../../core/envelope.ts";
import type { ProtocolMessage, ProtocolSession } from "../../events/contexts/protocol-contexts.ts";
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

/**
 * Of _EOD: sinks behind the built-in handler see the message that it has taken over. What they set then is kept nowhere. A class,
 * because there is one for each message: V8 makes a hidden class for each object literal with an accessor.
 */
export class CompleteMessage implements ProtocolMessage {
  readonly sender: string | undefined;
  readonly recipients: readonly Recipient[];
  readonly #state: SessionState;
  readonly #transaction: SessionState["transaction"];
  readonly #properties: Map<string, PropertyValue>;
  #copy: Map<string, PropertyValue> | undefined;

  constructor(state: SessionState) {
    const { transaction, messageProperties } = state;
    this.sender = transaction?.sender;
    this.recipients = transaction?.recipients ?? NO_RECIPIENTS;
    this.#state = state;
    this.#transaction = transaction;
    this.#properties = messageProperties;
  }

  get properties(): Map<string, PropertyValue> {
    if (this.#state.transaction === this.#transaction) return this.#properties;
    return (this.#copy ??= new Map(this.#properties));
  }
}
