// A session with a next hop as sinks of outbound events see it (REFERENCE 3.1).
import { randomUUID } from "node:crypto";
import type { ProtocolMessage, ProtocolSession } from "../../events/protocol-contexts.ts";
import type { Wire } from "./wire.ts";

/** Between two messages. */
export const NO_MESSAGE: ProtocolMessage = { sender: undefined, recipients: [], properties: new Map() };

export function outboundSession(wire: Wire): ProtocolSession {
  return {
    id: randomUUID(),
    get localAddress() {
      return wire.localAddress;
    },
    get remoteAddress() {
      return wire.remoteAddress;
    },
    remoteName: wire.host,
    get isSecure() {
      return wire.encrypted;
    },
    userName: undefined,
    mayRelay: true,
    properties: new Map(),
  };
}
