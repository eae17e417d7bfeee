// Below the list of messages: what to do about those that are held, once for all that need the same.
import type { ShownEntry } from "../admin/queue-methods.ts";
import { printable } from "../core/printable.ts";

const MAX_NAMED = 3;

export function adviceLines(entries: readonly ShownEntry[]): string[] {
  const ids = new Map<string, string[]>();
  for (const { id, advice } of entries) {
    if (advice === undefined) continue;
    const common = advice.replaceAll(id, "ID");
    const known = ids.get(common);
    if (known === undefined) ids.set(common, [id]);
    else known.push(id);
  }
  return [...ids].map(([common, [first = "", ...others]]) => {
    const advice = others.length === 0 ? common.replaceAll("ID", first) : common;
    return `what to do about ${named([first, ...others])}: ${printable(advice)}`;
  });
}

function named(ids: readonly string[]): string {
  const shown = ids.slice(0, MAX_NAMED).join(", ");
  return ids.length <= MAX_NAMED ? shown : `${shown} and ${ids.length - MAX_NAMED} more`;
}
