// The rows of native sinks of the protocol events (steps 1 and 9 of ARCHITECTURE.md), made of the metabase.
import type { EventName, EventSubject } from "../events/catalog.ts";
import { type ProtocolBound, ProtocolChain } from "../events/protocol-chain.ts";
import type { InboundCommandContext } from "../events/protocol-contexts.ts";
import type { AnyNativeSink, NativeSink } from "../events/sink.ts";
import { parseVerbRule, type VerbRule } from "../events/verb-rule.ts";
import type { OutboundChains } from "../smtp/client/outbound-events.ts";
import { type ChainParts, type ConfiguredBinding, type OnEvent, bindingOf, sinkContext } from "./bindings.ts";

export type ProtocolChainParts = Pick<
  ChainParts,
  "configured" | "log" | "nextMessageId" | "propertyIds" | "timed"
>;
type Parts = ProtocolChainParts;

export interface ProtocolChains {
  readonly inbound: ProtocolChain<InboundCommandContext>;
  readonly outbound: OutboundChains;
}

const chainsOf = (parts: Parts): ProtocolChains => ({
  inbound: buildProtocolChain(parts, "OnInboundCommand"),
  outbound: buildOutboundChains(parts),
});

export interface ServerChains {
  /** Of virtual servers without bindings of their own. */
  readonly shared: ProtocolChains;
  readonly own: ReadonlyMap<string, ProtocolChains>;
}

export function buildProtocolChains(parts: Parts): ServerChains {
  const { configured } = parts;
  const chainsFor = (server: string | undefined): ProtocolChains =>
    chainsOf({ ...parts, configured: configured.filter((binding) => isOfServer(binding, server)) });
  const servers = new Set(configured.flatMap(({ settings }) => settings.server ?? []));
  return {
    shared: chainsFor(undefined),
    own: new Map([...servers].map((server) => [server, chainsFor(server)])),
  };
}

const isOfServer = ({ settings }: ConfiguredBinding, server: string | undefined): boolean =>
  settings.server === undefined || settings.server === server;

/** The sinks of everything that is said to next hops. */
const buildOutboundChains = (parts: Parts): OutboundChains => ({
  commands: {
    OnSessionStart: buildProtocolChain(parts, "OnSessionStart"),
    OnMessageStart: buildProtocolChain(parts, "OnMessageStart"),
    OnPerRecipient: buildProtocolChain(parts, "OnPerRecipient"),
    OnBeforeData: buildProtocolChain(parts, "OnBeforeData"),
    OnSessionEnd: buildProtocolChain(parts, "OnSessionEnd"),
  },
  responses: buildProtocolChain(parts, "OnServerResponse"),
});

/** Equal priorities keep the order of the metabase. */
function buildProtocolChain<Name extends EventName>(
  parts: Parts,
  event: Name,
): ProtocolChain<EventSubject<Name>> {
  const sinks: ProtocolBound<EventSubject<Name>>[] = [];
  for (const { settings, sink } of parts.configured) {
    if (sink === undefined || !isOf(sink, event)) continue;
    const binding = bindingOf(settings, sink);
    const onEvent: OnEvent<EventSubject<Name>> = (subject, context) => sink.onEvent(subject, context);
    sinks.push({
      binding,
      rule: verbRuleOf(parts, binding.displayName, binding.rule),
      onEvent: parts.timed?.(binding, onEvent) ?? onEvent,
      context: sinkContext(binding, parts),
    });
  }
  return new ProtocolChain(sinks);
}

function isOf<Name extends EventName>(
  sink: AnyNativeSink | NativeSink<Name>,
  event: Name,
): sink is NativeSink<Name> {
  return sink.event === event;
}

function verbRuleOf({ log }: Parts, displayName: string, text: string | undefined): VerbRule | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const rule = parseVerbRule(text);
  if (rule.ignored.length > 0)
    log.warn(
      { binding: displayName, ignored: rule.ignored },
      "rule has conditions that cannot be parsed; they are ignored",
    );
  return rule;
}
