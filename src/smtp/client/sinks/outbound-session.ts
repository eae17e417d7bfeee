// A session with a next hop as sinks of outbound events see it (REFERENCE 3.1).
import { randomUUID } from "node:crypto";
import type { ProtocolMessage, ProtocolSession } from "../../../events/contexts/protocol-contexts.ts";
import type { PropertyValue } from "../../../message/properties.ts";
import type { DestinationSettings, OutboundMessage } from "../destination.ts";
import type { Wire } from "../wire.ts";

/** Between two messages. Made anew each time: what a sink keeps there is nobody else's. */
export const noMessage = (): ProtocolMessage => ({
  sender: undefined,
  recipients: [],
  properties: new Map(),
});

export function messageView({ sender, recipients, properties, envelope }: OutboundMessage): ProtocolMessage {
  // Sinks of the transport have changed what came with the envelope.
  const kept = properties ?? Object.entries(envelope.properties ?? {});
  return { sender, recipients, properties: new Map<string, PropertyValue>(kept) };
}

export function outboundSession(wire: Wire, { routeAddress }: DestinationSettings): ProtocolSession {
  return {
    id: randomUUID(),
    get localAddress() {
      return wire.localAddress;
    },
    get remoteAddress() {
      return wire.remoteAddress;
    },
    remoteName: wire.host,
    routeAddress,
    get isSecure() {
      return wire.encrypted;
    },
    userName: undefined,
    mayRelay: true,
    properties: new Map(),
  };
}
