// Copies that were durable when a run ended, and whose messages did not stand behind them yet: the messages are split anew, and
// these, which have gone nowhere, are dropped. Otherwise a crash would have lists expanded twice (docs/decisions/0026).
import type { RecoveredMessage, Recovery } from "../store/store-driver.ts";

export function withoutUnfinishedCopies(recovery: Recovery, drop: (id: string) => void): Recovery {
  const ids = unfinishedCopies(recovery.messages);
  if (ids.size === 0) return recovery;
  for (const id of ids) drop(id);
  return {
    ...recovery,
    messages: recovery.messages.filter(({ id }) => !ids.has(id)),
    later: recovery.later.filter((id) => !ids.has(id)),
  };
}

/** Ids of the copies that these messages were being split into. */
export function unfinishedCopies(messages: readonly RecoveredMessage[]): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { state } of messages) {
    // Seen without parsing: a queue may hold a million of them.
    if (state?.includes('"copies":[') !== true) continue;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what formatState wrote, behind the store's checksum
    for (const id of (JSON.parse(state) as { copies?: readonly string[] }).copies ?? []) ids.add(id);
  }
  return ids;
}
