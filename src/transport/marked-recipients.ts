// Step 7, before the routes: recipients that sinks have brought to their end themselves, by the RP_* flags they gave them
// (REFERENCE 4.6.4).
import { type Reply, parseFailure, reply } from "../core/reply.ts";
import { hasFlags, recipientFlags } from "../message/recipient-flags.ts";
import type { DsnKind } from "./reports/dsn-text.ts";
import type { EndState } from "./message-steps.ts";
import type { QueuedMessage, RecipientRecord } from "./queued-message.ts";
import { type DueReport, addReport } from "./settlement.ts";

export interface MarkedEnd {
  readonly state: EndState;
  readonly records: readonly RecipientRecord[];
  readonly why: string;
}

export interface MarkedRecipients {
  readonly ends: readonly MarkedEnd[];
  readonly reports: readonly DueReport[];
}

interface Mark {
  readonly end: EndState;
  readonly state: RecipientRecord["state"];
  readonly report?: DsnKind;
  readonly why: string;
}

const FAILED: Mark = { end: "bounced", state: "bounced", report: "failed", why: "failed by a sink" };
const DELIVERED: Mark = {
  end: "delivered",
  state: "delivered",
  report: "delivered",
  why: "delivered by a sink",
};
const EXPANDED: Mark = { end: "expanded", state: "delivered", report: "expanded", why: "expanded by a sink" };
const DISCARDED: Mark = { end: "discarded", state: "discarded", why: "marked as handled by a sink" };

const UNRESOLVED_REPLY = reply(550, "1.1", "The recipient could not be resolved");
const FAILED_REPLY = reply(554, "0.0", "The recipient was failed by a sink");
const DELIVERED_REPLY = reply(250, "0.0", "delivered by a sink");
const EXPANDED_REPLY = reply(250, "1.5", "The list was expanded");

/** Gives the marked recipients their states. Undefined when there are none, as nearly always. */
export function settleMarked({ recipients, envelope }: QueuedMessage): MarkedRecipients | undefined {
  if (!recipients.some(hasMark)) return undefined;
  const ends = new Map<Mark, RecipientRecord[]>();
  const reports: DueReport[] = [];
  for (const record of recipients) {
    const { flags } = record.recipient;
    const mark = flags === undefined ? undefined : markOf(flags);
    if (flags === undefined || mark === undefined) continue;
    record.state = mark.state;
    record.lastReply = replyOf(record, mark, flags);
    const alike = ends.get(mark);
    if (alike === undefined) ends.set(mark, [record]);
    else alike.push(record);
  }
  for (const [{ report }, records] of ends) {
    if (report === undefined) continue;
    addReport(reports, envelope.sender, report, records.filter(isReportedByUs));
  }
  return { reports, ends: [...ends].map(([{ end: state, why }, records]) => ({ state, records, why })) };
}

const hasMark = ({ recipient: { flags } }: RecipientRecord): boolean =>
  flags !== undefined && markOf(flags) !== undefined;

/** A failure counts before everything else. */
function markOf(flags: number): Mark | undefined {
  if (hasFlags(flags, recipientFlags.generalFailure)) return FAILED;
  if (!hasFlags(flags, recipientFlags.handled)) return undefined;
  if (hasFlags(flags, recipientFlags.delivered)) return DELIVERED;
  return hasFlags(flags, recipientFlags.expanded) ? EXPANDED : DISCARDED;
}

const isReportedByUs = ({ recipient: { flags = 0 } }: RecipientRecord): boolean =>
  !hasFlags(flags, recipientFlags.dsnHandled);

function replyOf({ recipient }: RecipientRecord, mark: Mark, flags: number): Reply | undefined {
  if (mark === DELIVERED) return DELIVERED_REPLY;
  if (mark === EXPANDED) return EXPANDED_REPLY;
  if (mark === DISCARDED) return undefined;
  const status = recipient.properties?.["RP_SMTP_STATUS_STRING"];
  const said = typeof status === "string" ? failureSaid(status) : undefined;
  return said ?? (hasFlags(flags, recipientFlags.unresolved) ? UNRESOLVED_REPLY : FAILED_REPLY);
}

/** The sink's own words; a bare code, or one of success, says nothing of the failure. */
function failureSaid(status: string): Reply | undefined {
  try {
    return parseFailure(status);
  } catch {
    return undefined;
  }
}
