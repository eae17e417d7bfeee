// The sinks of the events that get the message itself, made of the metabase (DESIGN 4, steps 3, 4 and 6).
import type { MailEvent } from "../events/catalog.ts";
import { SinkChain } from "../events/dispatcher.ts";
import type { NativeBound } from "../events/sink.ts";
import type { ScriptTarget } from "../sandbox/script-sink.ts";
import { type ChainParts, buildChain, nativeBound } from "./bindings.ts";

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
