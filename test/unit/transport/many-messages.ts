// What tests of full and of held queues do with a house: mail it, look at its queues, and hold up its sinks or let them fail.
import type { RunScripts } from "../../../src/events/script-run.ts";
import type { BoundSink } from "../../../src/events/sink.ts";
import type { QueueSummary } from "../../../src/transport/queues/queue-view.ts";
import { type House, nativeSink, until } from "./transport-house.ts";

export async function acceptMany(house: House, count: number, domain = "far.example"): Promise<string[]> {
  const ids: string[] = [];
  for (let at = 0; at < count; at += 1) ids.push(await house.accept([`user${at}@${domain}`]));
  return ids;
}

export const summaryOf = (house: House, name: string): QueueSummary | undefined =>
  house.transport.admin.queues().find(({ queue }) => queue === name);

/** Lets the time go on until the store has nothing left. */
export const emptied = (house: House, stepMs = 1000): Promise<unknown> =>
  until(async () => {
    await house.clock.advance(stepMs);
    return house.transport.depths().messages === 0;
  }, "an empty store");

/** A run of scripts that throws as long as `fails` says so. */
export const failingScripts =
  (fails: () => boolean): RunScripts<string> =>
  () =>
    Promise.resolve(
      fails()
        ? { called: 1, result: 0 as const, fault: { kind: "throw", message: "boom" } }
        : { called: 1, result: 0 as const },
    );

/** A sink that keeps the first message until `go`, and notes the ids of all that it gets. */
export function slowSink(): { sink: BoundSink<string>; seen: string[]; go: () => void } {
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const sink = nativeSink(async (msg) => {
    seen.push(msg.id);
    if (seen.length === 1) await promise;
  });
  return { sink, seen, go: resolve };
}
