// What sinks or the categorizer split off from a message becomes durable as a whole.
import type { StoreDriver } from "../store/store-driver.ts";
import type { QueuedMessage } from "./queued-message.ts";

/** All of them or none: throws what the store answered when one cannot be stored. */
export async function commitAll(
  store: Pick<StoreDriver, "commit" | "remove">,
  messages: readonly QueuedMessage[],
): Promise<void> {
  const outcomes = await Promise.allSettled(
    messages.map(async ({ id, origin, envelope, content }) => {
      if (content !== undefined) await store.commit(id, origin, envelope, content);
    }),
  );
  const refused = outcomes.find((outcome) => outcome.status === "rejected");
  if (refused === undefined) return;
  for (const [index, { id }] of messages.entries())
    if (outcomes[index]?.status === "fulfilled") store.remove(id);
  throw refused.reason;
}
