// Ids of messages as people write them: whole, or the first characters of one.
import { OnArrivalError } from "../core/errors.ts";
import type { QueueAdmin } from "../transport/queues/queue-view.ts";

type Queues = readonly { readonly admin: Pick<QueueAdmin, "idsWith"> }[];

/** Ids begin with their time: fewer characters would mean all messages of half an hour. */
const MIN_PREFIX = 6;
const MAX_CANDIDATES = 5;

/** The ids that are meant. What no message begins with stays as it is: whoever asks for it finds none. */
export function wholeIds(queues: Queues, given: readonly string[]): readonly string[] {
  return [...new Set(given.map((id) => (id.length < MIN_PREFIX ? id : wholeId(queues, id))))];
}

function wholeId(queues: Queues, prefix: string): string {
  const found = queues.flatMap(({ admin }) => admin.idsWith(prefix, MAX_CANDIDATES + 1));
  const [first = prefix, another] = found;
  if (another === undefined) return first;
  const more = found.length > MAX_CANDIDATES ? " and others" : "";
  throw new OnArrivalError(
    "MESSAGE_AMBIGUOUS",
    `${prefix} begins the ids of several messages: ${found.slice(0, MAX_CANDIDATES).join(", ")}${more}`,
  );
}
