// Rows of native sinks for protocol events, as the composition root would make them of the metabase.
import { systemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { createBinding } from "../../src/events/binding.ts";
import type { EventName } from "../../src/events/catalog.ts";
import { type ProtocolBound, ProtocolChain } from "../../src/events/protocol-chain.ts";
import type { ProtocolAnswer } from "../../src/events/contexts/protocol-contexts.ts";
import { createPropertyBag } from "../../src/events/sink.ts";
import { parseVerbRule } from "../../src/events/verb-rule.ts";
import { allocPropertyIds } from "./property-ids.ts";

export interface TestSink<Context> {
  readonly rule?: string;
  readonly priority?: number;
  readonly onError?: "hold" | "continue" | "badmail";
  readonly properties?: Readonly<Record<string, string>>;
  readonly onEvent: (context: Context, properties: ReadonlyMap<string, unknown>) => ProtocolAnswer;
}

export function protocolChain<Context>(
  event: EventName,
  sinks: readonly TestSink<Context>[],
): ProtocolChain<Context> {
  return new ProtocolChain(sinks.map((sink, index) => bound(event, `sink ${index + 1}`, sink)));
}

function bound<Context>(
  event: EventName,
  displayName: string,
  { rule, priority, onError, properties = {}, onEvent }: TestSink<Context>,
): ProtocolBound<Context> {
  const binding = createBinding({
    displayName,
    event,
    sinkClass: "test",
    ...(priority === undefined ? {} : { priority }),
    ...(onError === undefined ? {} : { onError }),
    sinkProperties: properties,
  });
  return {
    binding,
    rule: rule === undefined ? undefined : parseVerbRule(rule),
    onEvent: (context) => onEvent(context, new Map(Object.entries(properties))),
    context: {
      properties: createPropertyBag(properties),
      log: silentLogger,
      binding,
      nextMessageId: () => "",
      allocPropertyIds,
    },
  };
}

export const runParts = { clock: systemClock, log: silentLogger, sinkDeadlineMs: 2000 };
