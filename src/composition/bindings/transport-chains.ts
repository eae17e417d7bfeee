// The sinks of the events of the transport, made of the metabase (steps 3 to 11 of ARCHITECTURE.md).
import type { EventName, EventSubject, MailEvent } from "../../events/catalog.ts";
import { SinkChain } from "../../events/dispatcher.ts";
import { type NativeBound, isSinkOf } from "../../events/sink.ts";
import { SystemChain } from "../../events/system-chain.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";
import type { TransportChains } from "../../transport/transport.ts";
import { type ChainParts, buildChain, nativeBound } from "./bindings.ts";
import { eventSinks, type EventSinkParts } from "./event-sinks.ts";

export type MailChains<Script> = Readonly<Record<MailEvent, SinkChain<Script>>>;

export const buildMailChains = (parts: ChainParts): MailChains<ScriptTarget> => ({
  OnTransportSubmission: buildChain(parts),
  OnPreCategorize: buildNativeChain(parts, "OnPreCategorize"),
  OnPostCategorize: buildNativeChain(parts, "OnPostCategorize"),
});

/** Equal priorities keep the order of the metabase. */
function buildNativeChain<Script>(parts: ChainParts, event: MailEvent): SinkChain<Script> {
  const sinks: NativeBound[] = [];
  for (const { settings, sink } of parts.configured)
    if (sink !== undefined && isSinkOf(sink, event)) sinks.push(nativeBound(parts, settings, sink));
  return new SinkChain(
    sinks.filter(({ binding }) => binding.enabled),
    sinks.filter(({ binding }) => !binding.enabled),
  );
}

export const buildTransportChains = (parts: EventSinkParts): TransportChains => ({
  categorizer: buildSystemChain(parts, "OnCategorize"),
  router: buildSystemChain(parts, "OnGetMessageRouter"),
  dsn: buildSystemChain(parts, "DSN"),
  store: buildSystemChain(parts, "StoreDriver"),
});

export function buildSystemChain<Name extends EventName>(
  parts: EventSinkParts,
  event: Name,
): SystemChain<EventSubject<Name>> {
  return new SystemChain(eventSinks(parts, event));
}
