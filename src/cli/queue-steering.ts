// `onarrival queue summary`, `freeze`, `thaw` and `force`: the queues themselves, not the messages in them.
import { OnArrivalError } from "../core/errors.ts";
import type { ShownQueue } from "../admin/queue-methods.ts";
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

/** Whether `summary` names the queue. A smart host may be written as in the settings: [192.0.2.1]:25. */
export function hasQueue(answer: unknown, name: string): boolean {
  const wanted = name.toLowerCase();
  return queuesOf(answer)
    .map(({ queue }) => queue.toLowerCase())
    .some((queue) => queue === wanted || queue === wanted.replace(/^\[([\d.]+)\]/, "$1"));
}

/** What the service has done to the queue. */
export function printSteered(
  output: Output,
  json: boolean | undefined,
  verb: Steering,
  queue: string,
  answer: unknown,
  isThere: boolean,
): void {
  const changed =
    typeof answer === "object" && answer !== null && "changed" in answer ? Number(answer.changed) : 0;
  const noMail = isThere ? "" : "; no queue of this name has mail now";
  const text = {
    freeze: changed > 0 ? `${queue} is frozen${noMail}` : `${queue} was frozen already`,
    thaw: changed > 0 ? `${queue} goes on` : `${queue} was not frozen by the operator`,
    force: `force: ${changed} message${changed === 1 ? "" : "s"}${noMail}`,
  };
  const frozen = frozenOn(answer);
  if (changed === 0 && frozen.length > 0) throw new OnArrivalError("QUEUE_FROZEN", whyFrozen(queue, frozen));
  const rest = frozen.length === 0 ? "" : `\n${whyFrozen(queue, frozen)}`;
  printResult(output, json, frozen.length === 0 ? { changed } : { changed, frozen }, `${text[verb]}${rest}`);
}

function queuesOf(answer: unknown): ShownQueue[] {
  if (Array.isArray(answer) && answer.every(isQueue)) return answer;
  throw new OnArrivalError("INTERNAL", "the service answered no list of queues");
}

const isQueue = (value: unknown): value is ShownQueue =>
  typeof value === "object" && value !== null && "queue" in value && "messages" in value && "frozen" in value;
