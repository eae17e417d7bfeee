// What the replies of a next hop mean for each recipient, and which reports they call for (RFC 5321 §4.2.1, RFC 3461 §5).
import { type Reply, enhancedStatus, isPermanent, isPositive } from "../core/reply.ts";
import type { AttemptResult, Delivery } from "./destination-queue.ts";
import { type DsnEvent, reportsDue } from "./dsn.ts";
import type { RecipientRecord } from "./queued-message.ts";

/** A report that is due: recipients by what happened to them. */
export interface DueReport {
  readonly event: DsnEvent;
  readonly records: readonly RecipientRecord[];
}

export interface Settlement {
  /** Recipients that still wait and are tried again. */
  readonly pending: readonly RecipientRecord[];
  readonly reports: readonly DueReport[];
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n]+/g, " ");

/** "550 5.1.1 text": what people and reports see of a reply. */
export function describeReply(reply: Reply): string {
  return `${reply.code} ${enhancedStatus(reply)} ${oneLine(reply.text)}`;
}

/** Records the outcome of one attempt on each recipient of the delivery. */
export function settle(delivery: Delivery, result: AttemptResult, local: boolean): Settlement {
  const pending: RecipientRecord[] = [];
  const succeeded: RecipientRecord[] = [];
  const failed: RecipientRecord[] = [];
  delivery.records.forEach((record, index) => {
    const reply = result.kind === "replies" ? result.replies[index] : result.reply;
    if (reply === undefined) {
      pending.push(record);
      return;
    }
    record.lastReply = describeReply(reply);
    record.remote = result.remote;
    if (isPositive(reply)) {
      record.state = local ? "delivered" : "relayed";
      succeeded.push(record);
    } else if (isPermanent(reply)) {
      record.state = "bounced";
      failed.push(record);
    } else {
      pending.push(record);
    }
  });
  const reports: DueReport[] = [];
  // RFC 3461 §5.2: a next hop that took the DSN parameters reports the success itself.
  if (local) addReport(reports, "delivered", succeeded);
  else if (result.kind === "replies" && !result.dsn) addReport(reports, "relayed", succeeded);
  addReport(reports, "failed", failed);
  return { pending, reports };
}

/** Adds the report of an event for those recipients that asked for it. */
export function addReport(reports: DueReport[], event: DsnEvent, records: readonly RecipientRecord[]): void {
  if (records.length === 0) return;
  const due = records.filter((record) => reportsDue(record.recipient, event));
  if (due.length > 0) reports.push({ event, records: due });
}
