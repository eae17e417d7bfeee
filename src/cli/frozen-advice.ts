// Advice on mail that waits in a frozen queue: who has frozen the queue, and what lets the mail go on.
import type { FrozenOn } from "../admin/queue-methods.ts";

/** One line for each who froze it. */
export function whyFrozen(queue: string, frozen: readonly FrozenOn[]): string {
  return [...Map.groupBy(frozen, (on) => whatLetsGo(queue, on))]
    .map(([what, on]) => `${queue} is frozen on ${on.map(({ server }) => server).join(", ")}: ${what}`)
    .join("\n");
}

function whatLetsGo(queue: string, { frozenBy, frozenWith }: FrozenOn): string {
  if (frozenBy === "router") return "a router has halted the next hop, and lets it go on";
  const frozen = frozenWith ?? queue;
  const thaw = `\`onarrival queue thaw ${frozen.includes(" ") ? `"${frozen}"` : frozen}\``;
  return `${thaw} lets it go on${frozenWith === undefined ? "" : " with all queues of the next hop"}`;
}

export function frozenOn(answer: unknown): readonly FrozenOn[] {
  if (typeof answer !== "object" || answer === null || !("frozen" in answer)) return [];
  return Array.isArray(answer.frozen) && answer.frozen.every(isFrozenOn) ? answer.frozen : [];
}

const isFrozenOn = (value: unknown): value is FrozenOn =>
  typeof value === "object" && value !== null && "server" in value && "frozenBy" in value;

const MAX_NAMED = 5;

/** Why messages stay although they were released or retried: a line or more for each queue. */
export function whyKeptBack(answer: unknown): string {
  const byQueue = Map.groupBy(frozenOn(answer), (on) => ("queue" in on ? String(on.queue) : ""));
  const lines = [...byQueue].slice(0, MAX_NAMED).map(([queue, frozen]) => whyFrozen(queue, frozen));
  const more = byQueue.size - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more: \`onarrival queue summary\` names them`] : [])].join(
    "\n",
  );
}
