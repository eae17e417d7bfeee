// The place of the built-in sink among those of the bindings (REFERENCE 4.1).
import { silentLogger } from "../../core/logger.ts";
import { createBinding } from "../../events/binding.ts";
import type { CategorizeSubject } from "../../events/contexts/categorize-contexts.ts";
import { createPropertyBag } from "../../events/sink.ts";
import { type SystemBound, SystemChain } from "../../events/system-chain.ts";
import { PropertyIdRanges } from "../../message/property-ids.ts";

/** SMTP_TRANSPORT_DEFAULT_PRIORITY: of the system's own handlers. */
export const SYSTEM_PRIORITY = 16_384;

const BINDING = createBinding({
  id: "onarrival.categorizer",
  displayName: "directory",
  event: "OnCategorize",
  sinkClass: "",
  priority: SYSTEM_PRIORITY,
});

const CONTEXT: SystemBound<unknown>["context"] = {
  properties: createPropertyBag({}),
  log: silentLogger,
  binding: BINDING,
  nextMessageId: () => "",
  allocPropertyIds: (owner, count) => new PropertyIdRanges().allocate(owner, count),
};

/** Among sinks of the same priority it comes first: it was there before them. */
export const withSystemSink = (
  chain: SystemChain<CategorizeSubject>,
  onEvent: (subject: CategorizeSubject) => unknown,
): SystemChain<CategorizeSubject> =>
  new SystemChain([{ binding: BINDING, onEvent, context: CONTEXT }, ...chain.sinks]);
