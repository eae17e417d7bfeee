// The end of a session that sinks watch.
import type { OutboundEvents } from "./outbound-events.ts";
import { noMessage } from "./outbound-session.ts";
import type { Wire } from "../wire.ts";

/** OnSessionEnd: QUIT, or what a sink says instead of it. */
export async function watchedQuit(wire: Wire, events: OutboundEvents, quitMs: number): Promise<void> {
  const quit = { event: "OnSessionEnd", verb: "QUIT", line: "QUIT", argument: "", stage: "QUIT" } as const;
  await events.perform({ ...quit, limitMs: quitMs }, noMessage());
  wire.end(quitMs);
}
