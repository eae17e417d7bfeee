// Messages that wait before the sinks and are not in memory: by event and by who holds them, each group is a queue among those
// that are parked. So a changed script finds what it held.
import type { HeldKind } from "./queue-view.ts";
import type { HoldReason, QueuedMessage, SubmissionStage } from "../queued-message.ts";

export interface WaitingGroup {
  /** Before whose sinks. */
  readonly stage: SubmissionStage;
  /** Absent: they wait for another attempt. */
  readonly heldBy?: HeldKind | undefined;
  /** The script that failed on them, or asked for another time. */
  readonly scriptName?: string | undefined;
  readonly isReport: boolean;
}

/** No key of a next hop begins so. */
const PREFIX = "before the sinks: ";

/** When those are due that wait for people: no clock gets there. */
export const NEVER_DUE = 8_640_000_000_000_000;

export function groupKeyOf({ stage, held, origin }: QueuedMessage, reason: HoldReason | undefined): string {
  const group: WaitingGroup = {
    stage,
    heldBy: held === undefined ? undefined : heldKind(held),
    scriptName: reason?.scriptName,
    isReport: origin.via === "dsn",
  };
  return PREFIX + JSON.stringify(group);
}

export const isGroupKey = (key: string): boolean => key.startsWith(PREFIX);

/** Behind the sinks. */
export const isOfNextHops = (key: string): boolean => !isGroupKey(key);

/** Undefined: it is the key of another queue. */
export function groupOf(key: string): WaitingGroup | undefined {
  if (!isGroupKey(key)) return undefined;
  const group: WaitingGroup = JSON.parse(key.slice(PREFIX.length));
  return group;
}

export const heldKind = ({ by, poison }: HoldReason): HeldKind => (poison === true ? "poison" : by);
