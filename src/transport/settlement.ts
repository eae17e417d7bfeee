// What the replies of a next hop mean for each recipient, and which reports they call for (RFC 5321 §4.2.1, RFC 3461 §5).
import { isNullSender } from "../core/address.ts";
import { oneLine } from "../core/printable.ts";
import { type Reply, enhancedStatus, isPermanent, isPositive, reply } from "../core/reply.ts";
import type { AttemptResult, Delivery } from "./queues/destination-queue.ts";
import type { DsnKind } from "./reports/dsn-text.ts";
import { reportsDue } from "./reports/dsn.ts";
import type { RecipientRecord } from "./queued-message.ts";

/** A report that is due: recipients by what happened to them. */
export interface DueReport {
  readonly kind: DsnKind;
  readonly records: readonly RecipientRecord[];
  /** Of a delay: until then attempts go on, ms since the epoch. */
  readonly willRetryUntil?: number | undefined;
}

export interface Settlement {
  /** Recipients that still wait and are tried again. */
  readonly pending: readonly RecipientRecord[];
  readonly reports: readonly DueReport[];
}

/** "550 5.1.1 text": what people and reports see of a reply. */
export function describeReply(said: Reply): string {
  return `${said.code} ${enhancedStatus(said)} ${oneLine(said.text)}`;
}

/** RFC 3463 §3.5: X.4.7, delivery time expired. It is our reply: what the next hop said at last, and which, is its text. */
export function expiredReply(last: Reply | undefined, remote = ""): Reply {
  const where = remote === "" ? "" : ` at ${remote}`;
  const why = last === undefined ? "" : `; last${where}: ${describeReply(last)}`;
  return reply(554, "4.7", `Delivery time expired${why}`);
}

/** Records the outcome of one attempt on each recipient of the delivery. */
export function settle(
  delivery: Pick<Delivery, "message" | "records">,
  result: AttemptResult,
  local: boolean,
  now: number,
): Settlement {
  const pending: RecipientRecord[] = [];
  const succeeded: RecipientRecord[] = [];
  const failed: RecipientRecord[] = [];
  delivery.records.forEach((record, index) => {
    const answer = result.kind === "replies" ? result.replies[index] : result.reply;
    if (answer === undefined) {
      pending.push(record);
      return;
    }
    record.lastReply = answer;
    record.remote = result.remote;
    record.lastAttempt = now;
    if (isPositive(answer)) {
      record.state = local ? "delivered" : "relayed";
      succeeded.push(record);
    } else if (isPermanent(answer)) {
      record.state = "bounced";
      failed.push(record);
    } else {
      pending.push(record);
    }
  });
  const reports: DueReport[] = [];
  const { sender } = delivery.message.envelope;
  // RFC 3461 §5.2: a next hop that took the DSN parameters reports the success itself, an LMTP server too.
  if (result.kind === "replies" && !result.dsn)
    addReport(reports, sender, local ? "delivered" : "relayed", succeeded);
  addReport(reports, sender, "failed", failed);
  return { pending, reports };
}

/** Adds the report of an event for those recipients that asked for it. A failure that has nobody to hear it is one as well. */
export function addReport(
  reports: DueReport[],
  sender: string,
  kind: DsnKind,
  records: readonly RecipientRecord[],
  willRetryUntil?: number,
): void {
  const due =
    isNullSender(sender) && kind === "failed"
      ? records
      : records.filter((record) => reportsDue(sender, record.recipient, kind));
  if (due.length > 0) reports.push({ kind, records: due, willRetryUntil });
}
