// Deliveries to a peer past sinks of the outbound events, and the two ways of a message: pipelined, and command by command.
import type {
  OutboundCommandContext,
  ServerResponseContext,
} from "../../../../src/events/contexts/protocol-contexts.ts";
import type {
  OutboundChains,
  OutboundEventName,
  OutboundProtocol,
} from "../../../../src/smtp/client/sinks/outbound-events.ts";
import { protocolChain, runParts, type TestSink } from "../../../support/protocol-sinks.ts";
import { codesOf, destinationTo, messageOf, type PeerScript, startPeer } from "./support.ts";

export type CommandSinks = Partial<Record<OutboundEventName, readonly TestSink<OutboundCommandContext>[]>>;

export function protocolOf(
  sinks: CommandSinks,
  responses: readonly TestSink<ServerResponseContext>[] = [],
): OutboundProtocol {
  const chain = (event: OutboundEventName): OutboundChains["commands"][OutboundEventName] =>
    protocolChain(event, sinks[event] ?? []);
  const chains: OutboundChains = {
    commands: {
      OnSessionStart: chain("OnSessionStart"),
      OnMessageStart: chain("OnMessageStart"),
      OnPerRecipient: chain("OnPerRecipient"),
      OnBeforeData: chain("OnBeforeData"),
      OnSessionEnd: chain("OnSessionEnd"),
    },
    responses: protocolChain("OnServerResponse", responses),
  };
  const server = { name: "default", defaultDomain: "example.com", properties: new Map<string, unknown>() };
  return { ...runParts, chains: () => chains, server, maxSinkCommands: 20 };
}

export const TWO = messageOf({ to: ["bob@example.net", "eve@example.net"] });

export async function linesFor(
  sinks: CommandSinks,
  responses: readonly TestSink<ServerResponseContext>[] = [],
  script: PeerScript = {},
): Promise<{ lines: readonly string[]; codes: number[]; messages: readonly string[] }> {
  await using peer = await startPeer(script);
  const destination = destinationTo(peer, { protocol: protocolOf(sinks, responses) });
  const outcome = await destination.deliver(TWO);
  await destination.close();
  const [session] = peer.sessions;
  return { lines: session?.lines ?? [], codes: codesOf(outcome), messages: session?.messages ?? [] };
}

/** What the peer hears of one such message when no sink changes anything. */
export const SENT = [
  "EHLO relay.example",
  "MAIL FROM:<alice@example.com> SIZE=25",
  "RCPT TO:<bob@example.net>",
  "RCPT TO:<eve@example.net>",
  "DATA",
  "QUIT",
];

const WATCH: readonly TestSink<OutboundCommandContext>[] = [{ priority: 100, onEvent: () => undefined }];

export const idleSinks = (): OutboundProtocol =>
  protocolOf({
    OnSessionStart: WATCH,
    OnMessageStart: WATCH,
    OnPerRecipient: WATCH,
    OnBeforeData: WATCH,
    OnSessionEnd: WATCH,
  });

/** For describe.each: what to add to the options of a destination. */
export const BOTH_PATHS: readonly (readonly [string, () => { protocol?: OutboundProtocol }])[] = [
  ["pipelined", () => ({})],
  ["past sinks", () => ({ protocol: idleSinks() })],
];
