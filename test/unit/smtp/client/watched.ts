// The two ways of a message: the pipelined one, and command by command past a sink that changes nothing.
import type { OutboundCommandContext } from "../../../../src/events/protocol-contexts.ts";
import type {
  OutboundChains,
  OutboundEventName,
  OutboundProtocol,
} from "../../../../src/smtp/client/outbound-events.ts";
import { protocolChain, runParts } from "../../../support/protocol-sinks.ts";

export function idleSinks(): OutboundProtocol {
  const chain = (event: OutboundEventName): OutboundChains["commands"]["OnMessageStart"] =>
    protocolChain<OutboundCommandContext>(event, [{ priority: 100, onEvent: () => undefined }]);
  const chains: OutboundChains = {
    commands: {
      OnSessionStart: chain("OnSessionStart"),
      OnMessageStart: chain("OnMessageStart"),
      OnPerRecipient: chain("OnPerRecipient"),
      OnBeforeData: chain("OnBeforeData"),
      OnSessionEnd: chain("OnSessionEnd"),
    },
    responses: protocolChain("OnServerResponse", []),
  };
  const server = { name: "default", defaultDomain: "example.com", properties: new Map<string, unknown>() };
  return { ...runParts, chains: () => chains, server, maxSinkCommands: 20 };
}

/** For describe.each: what to add to the options of a destination. */
export const BOTH_PATHS: readonly (readonly [string, () => { protocol?: OutboundProtocol }])[] = [
  ["pipelined", () => ({})],
  ["past sinks", () => ({ protocol: idleSinks() })],
];
