// The chains of native sinks of the protocol events (steps 1 and 9 of ARCHITECTURE.md), made of the metabase.
import type { Binding } from "../../events/binding.ts";
import type { EventName, EventSubject } from "../../events/catalog.ts";
import { ProtocolChain } from "../../events/protocol-chain.ts";
import type { InboundCommandContext } from "../../events/contexts/protocol-contexts.ts";
import { parseVerbRule, type VerbRule } from "../../events/verb-rule.ts";
import type { OutboundChains } from "../../smtp/client/sinks/outbound-events.ts";
import type { ConfiguredBinding } from "./bindings.ts";
import { eventSinks, type EventSinkParts } from "./event-sinks.ts";

export interface ProtocolChains {
  readonly inbound: ProtocolChain<InboundCommandContext>;
  readonly outbound: OutboundChains;
}

const chainsOf = (parts: EventSinkParts): ProtocolChains => ({
  inbound: buildProtocolChain(parts, "OnInboundCommand"),
  outbound: buildOutboundChains(parts),
});

export interface ServerChains {
  /** Of virtual servers without bindings of their own. */
  readonly shared: ProtocolChains;
  readonly own: ReadonlyMap<string, ProtocolChains>;
}

export function buildProtocolChains(parts: EventSinkParts): ServerChains {
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
const buildOutboundChains = (parts: EventSinkParts): OutboundChains => ({
  commands: {
    OnSessionStart: buildProtocolChain(parts, "OnSessionStart"),
    OnMessageStart: buildProtocolChain(parts, "OnMessageStart"),
    OnPerRecipient: buildProtocolChain(parts, "OnPerRecipient"),
    OnBeforeData: buildProtocolChain(parts, "OnBeforeData"),
    OnSessionEnd: buildProtocolChain(parts, "OnSessionEnd"),
  },
  responses: buildProtocolChain(parts, "OnServerResponse"),
});

function buildProtocolChain<Name extends EventName>(
  parts: EventSinkParts,
  event: Name,
): ProtocolChain<EventSubject<Name>> {
  return new ProtocolChain(
    eventSinks(parts, event).map((sink) => ({ ...sink, rule: verbRuleOf(parts, sink.binding) })),
  );
}

function verbRuleOf({ log }: EventSinkParts, { displayName, rule: text }: Binding): VerbRule | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const rule = parseVerbRule(text);
  if (rule.ignored.length > 0)
    log.warn(
      { binding: displayName, ignored: rule.ignored },
      "rule has conditions that cannot be parsed; they are ignored",
    );
  return rule;
}
