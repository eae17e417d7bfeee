// `onarrival queue summary`, `freeze`, `thaw` and `force`: the queues themselves, not the messages in them.
import { suggest } from "../config/suggest.ts";
import { OnArrivalError } from "../core/errors.ts";
import { comparable, isMeant } from "../transport/queues/queue-names.ts";
import type { ShownQueue } from "../admin/queue-methods.ts";
import { printable } from "../core/printable.ts";
import { frozenOn, whyFrozen } from "./frozen-advice.ts";
import { type Output, formatTable, formatTime, printResult } from "./output.ts";

export const STEERING = [
  ["freeze", "no attempts of a queue until it is thawed, over restarts too"],
  ["thaw", "let a frozen queue go on"],
  ["force", "try all messages of a queue now, whatever their retry intervals say"],
] as const;

export type Steering = (typeof STEERING)[number][0];

const FROZEN = { operator: "frozen", router: "frozen by a router" } as const;

export function printSummary(output: Output, json: boolean | undefined, answer: unknown): void {
  const queues = queuesOf(answer);
  const isOfMany = new Set(queues.map(({ server }) => server)).size > 1;
  const rows = queues.map(({ server, queue, frozen, frozenBy, nextAttempt, ...counts }) => [
    ...(isOfMany ? [server] : []),
    queue,
    ...[counts.messages, counts.active, counts.ready, counts.retry, counts.held].map(String),
    frozen ? FROZEN[frozenBy ?? "operator"] : nextAttempt === undefined ? "-" : formatTime(nextAttempt),
  ]);
  const head = ["QUEUE", "MESSAGES", "ACTIVE", "READY", "RETRY", "HELD", "NEXT"];
  printResult(output, json, answer, formatTable(isOfMany ? ["SERVER", ...head] : head, rows));
}

/** Which queues of the summary a name means, and how the service is to be asked for them. */
export interface MeantQueues {
  readonly names: readonly string[];
  /** They are called otherwise than the operator did. */
  readonly isOther: boolean;
  /** A queue of each name has mail, or is frozen. */
  readonly areThere: boolean;
  /** Where none does: names like it. */
  readonly near: readonly string[];
}

const ASKED = { isOther: false, areThere: true, near: [] } as const;

/**
 * A smart host may be written as in the settings, [192.0.2.1]:25, and means all queues of that next hop: the service
 * freezes and thaws them together, also those that have no mail yet. `force` needs a queue with mail, so the beginning of
 * its name is enough where no other begins so. A next hop can be frozen before it has mail, so the service is asked for an
 * unknown name too, and names like it are told.
 */
export function meantQueues(answer: unknown, verb: Steering, name: string): MeantQueues {
  const wanted = comparable(name);
  const there = [...new Set(queuesOf(answer).map(({ queue }) => queue))];
  const meant = there.filter((queue) => isMeant(wanted, comparable(queue)));
  const isOfHop = meant.some((queue) => comparable(queue) !== wanted);
  if (verb === "force" && isOfHop) return { ...ASKED, names: meant, isOther: true };
  if (meant.length > 0) return { ...ASKED, names: [name] };
  const begun = there.filter((queue) => comparable(queue).startsWith(wanted));
  if (verb === "force" && begun.length === 1) return { ...ASKED, names: begun, isOther: true };
  return { names: [name], isOther: false, areThere: false, near: nearTo(wanted, begun, there) };
}

const MAX_NEAR = 5;

function nearTo(wanted: string, begun: readonly string[], there: readonly string[]): readonly string[] {
  const within = there.filter((queue) => queue.toLowerCase().includes(wanted));
  const misspelt = suggest(wanted, there);
  return [...new Set([...begun, ...within, ...(misspelt === undefined ? [] : [misspelt])])].slice(
    0,
    MAX_NEAR,
  );
}

/** What the service has answered for one of the queues. */
export interface Steered {
  readonly queue: string;
  readonly answer: unknown;
}

export function printSteered(
  output: Output,
  json: boolean | undefined,
  verb: Steering,
  steered: readonly Steered[],
  meant: MeantQueues,
): void {
  const changed = steered.reduce((sum, { answer }) => sum + changedBy(answer), 0);
  const frozen = steered.flatMap(({ answer }) => frozenOn(answer));
  const why = steered.flatMap(({ queue, answer }) => {
    const on = frozenOn(answer);
    return on.length === 0 ? [] : [whyFrozen(queue, on)];
  });
  if (changed === 0 && why.length > 0) throw new OnArrivalError("QUEUE_FROZEN", why.join("\n"));
  const stopped = [...new Set(steered.flatMap(({ answer }) => stoppedOf(answer)))];
  const value = {
    changed,
    ...(meant.isOther ? { queues: meant.names } : {}),
    ...(frozen.length === 0 ? {} : { frozen }),
    ...(stopped.length === 0 ? {} : { stopped }),
  };
  const lines = steered.map(({ queue, answer }) => steeredText(verb, queue, changedBy(answer), meant));
  const left = stopped.map((server) => `${server} does not run: its queues stay as they were`);
  printResult(output, json, value, [...lines, ...why, ...left].join("\n"));
}

function steeredText(verb: Steering, queue: string, changed: number, meant: MeantQueues): string {
  const near = meant.near.map((name) => `"${printable(name)}"`).join(", ");
  const like = near === "" ? "" : `; did you mean ${near}?`;
  const noMail = meant.areThere ? "" : `; no queue of this name has mail now${like}`;
  switch (verb) {
    case "freeze":
      return changed > 0 ? `${queue} is frozen${noMail}` : `${queue} was frozen already`;
    case "thaw":
      return changed > 0 ? `${queue} goes on` : `${queue} was not frozen by the operator${like}`;
    case "force": {
      const where = meant.isOther ? ` of ${printable(queue)}` : "";
      return `force: ${changed} message${changed === 1 ? "" : "s"}${where}${noMail}`;
    }
  }
}

const changedBy = (answer: unknown): number =>
  typeof answer === "object" && answer !== null && "changed" in answer ? Number(answer.changed) : 0;

const stoppedOf = (answer: unknown): readonly string[] =>
  typeof answer === "object" && answer !== null && "stopped" in answer && Array.isArray(answer.stopped)
    ? answer.stopped.map(String)
    : [];

function queuesOf(answer: unknown): ShownQueue[] {
  if (Array.isArray(answer) && answer.every(isQueue)) return answer;
  throw new OnArrivalError("INTERNAL", "the service answered no list of queues");
}

const isQueue = (value: unknown): value is ShownQueue =>
  typeof value === "object" && value !== null && "queue" in value && "messages" in value && "frozen" in value;
