// The sinks of the events of the transport, made of the metabase (steps 3 to 11 of ARCHITECTURE.md).
import type { EventName, EventSubject, MailEvent } from "../events/catalog.ts";
import { SinkChain } from "../events/dispatcher.ts";
import type { AnyNativeSink, NativeBound, NativeSink } from "../events/sink.ts";
import { type SystemBound, SystemChain } from "../events/system-chain.ts";
import type { ScriptTarget } from "../sandbox/script-sink.ts";
import type { TransportChains } from "../transport/transport.ts";
import {
  type ChainParts,
  type OnEvent,
  bindingOf,
  buildChain,
  nativeBound,
  sinkContext,
} from "./bindings.ts";

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
    if (sink?.event === event) sinks.push(nativeBound(parts, settings, sink));
  return new SinkChain(
    sinks.filter(({ binding }) => binding.enabled),
    sinks.filter(({ binding }) => !binding.enabled),
  );
}

type SystemParts = Pick<ChainParts, "configured" | "log" | "nextMessageId" | "propertyIds" | "timed">;

export const buildTransportChains = (parts: SystemParts): TransportChains => ({
  categorizer: buildSystemChain(parts, "OnCategorize"),
  router: buildSystemChain(parts, "OnGetMessageRouter"),
  dsn: buildSystemChain(parts, "DSN"),
  store: buildSystemChain(parts, "StoreDriver"),
});

export function buildSystemChain<Name extends EventName>(
  parts: SystemParts,
  event: Name,
): SystemChain<EventSubject<Name>> {
  const sinks: SystemBound<EventSubject<Name>>[] = [];
  for (const { settings, sink } of parts.configured) {
    if (sink === undefined || !isOf(sink, event)) continue;
    const binding = bindingOf(settings, sink);
    const onEvent: OnEvent<EventSubject<Name>> = (subject, context) => sink.onEvent(subject, context);
    sinks.push({
      binding,
      onEvent: parts.timed?.(binding, onEvent) ?? onEvent,
      context: sinkContext(binding, parts),
    });
  }
  return new SystemChain(sinks);
}

function isOf<Name extends EventName>(
  sink: AnyNativeSink | NativeSink<Name>,
  event: Name,
): sink is NativeSink<Name> {
  return sink.event === event;
}
