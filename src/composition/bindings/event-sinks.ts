// The native sinks of one event, made of the metabase: what the chains of protocol events and of the transport consist of.
import type { EventName, EventSubject } from "../../events/catalog.ts";
import { isSinkOf } from "../../events/sink.ts";
import type { SystemBound } from "../../events/system-chain.ts";
import { type ChainParts, type OnEvent, bindingOf, sinkContext } from "./bindings.ts";

export type EventSinkParts = Pick<
  ChainParts,
  "configured" | "log" | "nextMessageId" | "propertyIds" | "timed"
>;

/** In the order of the metabase. */
export function eventSinks<Name extends EventName>(
  parts: EventSinkParts,
  event: Name,
): SystemBound<EventSubject<Name>>[] {
  const sinks: SystemBound<EventSubject<Name>>[] = [];
  for (const { settings, sink } of parts.configured) {
    if (sink === undefined || !isSinkOf(sink, event)) continue;
    const binding = bindingOf(settings, sink);
    const onEvent: OnEvent<EventSubject<Name>> = (subject, context) => sink.onEvent(subject, context);
    sinks.push({
      binding,
      onEvent: parts.timed?.(binding, onEvent) ?? onEvent,
      context: sinkContext(binding, parts),
    });
  }
  return sinks;
}
