// The protocol events and MaxMsgSize: real sockets, a client that talks to the listener, and a next hop that is talked to.
import type {
  InboundCommandContext,
  OutboundCommandContext,
  ServerResponseContext,
} from "../../../../src/events/contexts/protocol-contexts.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { SystemSinks } from "../../../../src/events/system-chain.ts";
import type {
  OutboundEventName,
  OutboundProtocol,
} from "../../../../src/smtp/client/sinks/outbound-events.ts";
import { protocolChain, runParts, type TestSink } from "../../../support/protocol-sinks.ts";
import { destinationTo, messageOf, startPeer } from "../../smtp/client/support.ts";
import { protocolOf } from "../../smtp/client/watched.ts";
import { startListener } from "../../smtp/server/support.ts";
import { systemChain } from "../../transport/transport-house.ts";
import type { Act, Stage } from "./act.ts";

const DEADLINE_MS = 20;
const server = { name: "default", defaultDomain: "example.com", properties: new Map<string, unknown>() };

export const inboundStage: Stage = async (act) => {
  const chain = protocolChain<InboundCommandContext>("OnInboundCommand", [
    {
      rule: "MAIL",
      priority: 100,
      onError: act.onError,
      onEvent: (context) => act.perform(context, () => context.setResponse("250 changed")),
    },
    { rule: "MAIL", priority: 200, onEvent: () => act.next() },
  ]);
  await using run = await startListener({
    protocol: { ...runParts, sinkDeadlineMs: DEADLINE_MS, chain: () => chain, server },
  });
  const talk = await run.open();
  await talk.greet();
  const said = await talk.say("MAIL FROM:<a@example.net>");
  if (said.startsWith("451")) return { ending: "refused" };
  const isBegun = (await talk.say("RCPT TO:<b@example.com>")).startsWith("250");
  return { ending: isBegun ? "goes on" : "answered", changed: said === "250 changed" };
};

const protocolWith = (...sinks: Parameters<typeof protocolOf>): OutboundProtocol => ({
  ...protocolOf(...sinks),
  sinkDeadlineMs: DEADLINE_MS,
});

/** What the built-in handler of an event sends. */
const NATIVE: Readonly<Record<OutboundEventName, string>> = {
  OnSessionStart: "EHLO",
  OnMessageStart: "MAIL",
  OnPerRecipient: "RCPT",
  OnBeforeData: "DATA",
  OnSessionEnd: "QUIT",
};

export const outboundStage =
  (event: OutboundEventName): Stage =>
  async (act) => {
    const sinks: TestSink<OutboundCommandContext>[] = [
      {
        priority: 100,
        onError: act.onError,
        onEvent: (context) => act.perform(context, () => context.setCommand("XCHANGED")),
      },
      { priority: 200, onEvent: () => act.next() },
    ];
    await using peer = await startPeer({ answers: { XCHANGED: "250 noted" } });
    const destination = destinationTo(peer, { protocol: protocolWith({ [event]: sinks }) });
    const outcome = await destination.deliver(messageOf());
    await destination.close();
    const lines = peer.sessions.flatMap((session) => session.lines);
    const isDelivered = outcome.kind === "report" && outcome.report.replies[0]?.code === 250;
    const isSent = lines.some((line) => line.startsWith(NATIVE[event]));
    const changed = lines.includes("XCHANGED");
    if (isSent) return { ending: isDelivered ? "goes on" : "given up", changed };
    if (changed) return { ending: "answered", changed };
    return { ending: isDelivered ? "closed" : "given up", changed };
  };

/** The reply to RCPT, which a sink may count as a failure. */
export const responseStage: Stage = async (act) => {
  const sinks: TestSink<ServerResponseContext>[] = [
    {
      priority: 100,
      rule: "RCPT",
      onError: act.onError,
      onEvent: (context) =>
        act.perform(context, () => {
          context.judgement = "complete-failure";
        }),
    },
    { priority: 200, rule: "RCPT", onEvent: () => act.next() },
  ];
  await using peer = await startPeer();
  const destination = destinationTo(peer, { protocol: protocolWith({}, sinks) });
  const outcome = await destination.deliver(messageOf());
  await destination.close();
  if (outcome.kind !== "report") return { ending: "given up" };
  return { ending: "goes on", changed: (outcome.report.replies[0]?.code ?? 0) >= 500 };
};

/** A message above the limit at MAIL and then at the end of data, taken when the sink raises the limit. */
export const sizeStage: Stage = async (act: Act) => {
  const chain = systemChain("MaxMsgSize", [
    (context) =>
      act.perform(context, () => {
        context.limit = 5000;
      }),
    () => act.next(),
  ]);
  const sinks = new SystemSinks({ clock: systemClock, log: silentLogger, sinkDeadlineMs: DEADLINE_MS });
  await using run = await startListener({
    settings: { maxMessageSize: 1000 },
    sizeSinks: { chain: () => chain, sinks },
  });
  const talk = await run.open();
  await talk.greet();
  const said = await talk.say("MAIL FROM:<a@example.net> SIZE=2000");
  return { ending: "goes on", changed: said.startsWith("250") };
};
