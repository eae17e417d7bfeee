// Delivery status notifications (RFC 3461 to 3464): whether one is due, and the report as bytes.
import { isAscii, isNullSender, sameMailbox } from "../../core/address.ts";
import type { Envelope, NotifyCondition, Origin, Recipient } from "../../core/envelope.ts";
import { mailDate } from "../../core/mail-date.ts";
import { oneLine } from "../../core/printable.ts";
import { enhancedStatus, formatReply, type Reply } from "../../core/reply.ts";
import { Content, type Piece, headerBlockLength } from "../../message/content.ts";
import { mtaName } from "./mta-name.ts";
import { explain, subjectOf, type DsnKind, type ExplainedRecipient } from "./dsn-text.ts";

export interface DsnRecipient {
  readonly recipient: Recipient;
  /** The reply that decided, of the next hop or our own. */
  readonly reply: Reply;
  /** Host whose reply it is; absent when it is ours. */
  readonly remoteMta?: string | undefined;
  /** ms since the epoch; absent when none was made (RFC 3464 §2.3.7). */
  readonly lastAttempt?: number | undefined;
  /** Only of delayed ones. */
  readonly willRetryUntil?: number | undefined;
}

export interface DsnRequest {
  readonly kind: DsnKind;
  readonly original: { readonly envelope: Envelope; readonly origin: Origin; readonly content: Content };
  readonly recipients: readonly DsnRecipient[];
  /** Our host name. */
  readonly reportingMta: string;
  readonly now: number;
  /** Unique: part of Message-ID and boundary. */
  readonly id: string;
  /** What sinks put above and below the text for people. */
  readonly textAbove?: string | undefined;
  readonly textBelow?: string | undefined;
  /** Gets the report as well. */
  readonly copyTo?: string | undefined;
}

export interface ComposedDsn {
  readonly envelope: Envelope;
  readonly content: Content;
}

/** RET=FULL returns the content up to this size, the header block beyond it (FAULTS N10). */
const MAX_RETURNED_BYTES = 1024 * 1024;
const MAX_LINE = 900;
const MAX_DIAGNOSTIC = 500;

/** RFC 3461 §4.1 and §5.2: failure is told by default, success only on request, nothing to a null sender (RFC 5321 §6.1). */
export function reportsDue(sender: string, recipient: Recipient, kind: DsnKind): boolean {
  if (isNullSender(sender)) return false;
  const notify = recipient.notify;
  const wanted = CONDITIONS[kind];
  if (notify === undefined || notify.length === 0) return wanted !== "SUCCESS";
  return !notify.includes("NEVER") && notify.includes(wanted);
}

const CONDITIONS: Record<DsnKind, NotifyCondition> = {
  failed: "FAILURE",
  delayed: "DELAY",
  delivered: "SUCCESS",
  relayed: "SUCCESS",
  expanded: "SUCCESS",
};

/** The report to the sender of the original. Its own sender is null, so that nothing reports on it (RFC 3464 §2). */
export function composeDsn(request: DsnRequest): ComposedDsn {
  const { original, id, kind, recipients } = request;
  const boundary = `=_dsn_${id.replaceAll(/[^A-Za-z0-9]/g, "")}_${request.now.toString(36)}`;
  // RFC 6533 §4: UTF-8 addresses need the global forms of the parts.
  const readers = readersOf(request);
  const utf8 =
    !isAscii(readers.join("")) || recipients.some(needsUtf8) || original.envelope.smtpUtf8 === true;
  const full = returnsAll(request);
  const parts = [
    ...headerLines(request, boundary, utf8),
    "",
    "This is a delivery report in MIME format.",
    "",
    `--${boundary}`,
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    ...textLines(request.textAbove),
    ...explain(kind, request.reportingMta, request.now, recipients.map(toExplain)),
    ...textLines(request.textBelow),
    "",
    `--${boundary}`,
    `Content-Type: message/${utf8 ? "global-delivery-status" : "delivery-status"}`,
    ...(utf8 ? ["Content-Transfer-Encoding: 8bit"] : []),
    "",
    ...(utf8 ? statusLines(request) : statusLines(request).map(asciiOnly)),
    "",
    `--${boundary}`,
    `Content-Type: ${returnedType(full, utf8)}`,
    "Content-Transfer-Encoding: 8bit",
    "",
    "",
  ];
  const start = Buffer.from(parts.join("\r\n"));
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    envelope: {
      sender: "",
      // NEVER: should the report itself fail, nobody is told.
      recipients: readers.map((address) => ({ address, notify: ["NEVER"] })),
      body: "8BITMIME",
      // RFC 8689 §5: what was to be kept from others on its way there is so on its way back.
      ...(original.envelope.requireTls === true ? { requireTls: true } : {}),
      ...(utf8 ? { smtpUtf8: true } : {}),
    },
    content: rope(start, full ? original.content.pieces : [original.content.header], end),
  };
}

function readersOf({ original, copyTo }: DsnRequest): readonly string[] {
  const { sender } = original.envelope;
  return copyTo === undefined || sameMailbox(copyTo, sender) ? [sender] : [sender, copyTo];
}

/** RFC 5322 §2.1.1: lines have an end; a text that sinks wrote has to keep to that as well. */
const textLines = (text = ""): string[] =>
  text === "" ? [] : ["", ...text.split(/\r\n|\r|\n/).map((line) => boundedLine(line, MAX_LINE)), ""];

const needsUtf8 = ({ recipient }: DsnRecipient): boolean =>
  !isAscii(recipient.address) || !isAscii(recipient.originalRecipient ?? "");

const toExplain = (one: DsnRecipient): ExplainedRecipient => ({
  address: boundedLine(one.recipient.address, MAX_LINE),
  said: boundedLine(formatReply(one.reply), MAX_DIAGNOSTIC),
  remoteMta: one.remoteMta === undefined ? undefined : boundedLine(one.remoteMta, MAX_DIAGNOSTIC),
  isOwn: one.reply.own === true,
  until: one.willRetryUntil === undefined ? undefined : mailDate(one.willRetryUntil),
});

/** RFC 3461 §4.3: RET is about failures; of successes and delays the headers are enough. */
function returnsAll({ kind, original }: DsnRequest): boolean {
  const { returnContent, requireTls, body } = original.envelope;
  if (kind !== "failed" || returnContent === "HDRS") return false;
  // A report must reach its reader over hosts without REQUIRETLS or BINARYMIME as well.
  if (requireTls === true || body === "BINARYMIME") return false;
  return fitsReport(original.content);
}

/** Whether a report can hold all of the content. */
export const fitsReport = ({ size }: Content): boolean => size <= MAX_RETURNED_BYTES;

export function returnedType(full: boolean, utf8: boolean): string {
  if (full) return utf8 ? "message/global" : "message/rfc822";
  return utf8 ? "message/global-headers" : "text/rfc822-headers";
}

function headerLines(request: DsnRequest, boundary: string, utf8: boolean): string[] {
  const { id, kind, now, original, reportingMta } = request;
  const host = boundedLine(reportingMta, MAX_DIAGNOSTIC);
  return [
    `From: Mail Delivery Service <postmaster@${host}>`,
    `To: <${boundedLine(original.envelope.sender, MAX_LINE)}>`,
    `Subject: ${subjectOf(kind)}`,
    `Date: ${mailDate(now)}`,
    `Message-ID: <dsn.${id.replaceAll(/[^\w.-]/g, "")}@${host}>`,
    // RFC 3834 §5: no automatic answer to an automatic answer.
    "Auto-Submitted: auto-replied",
    "MIME-Version: 1.0",
    `Content-Type: multipart/report; report-type=${utf8 ? "global-delivery-status" : "delivery-status"};`,
    `\tboundary="${boundary}"`,
  ];
}

function statusLines(request: DsnRequest): string[] {
  const { original, reportingMta, kind, recipients } = request;
  const lines = [`Reporting-MTA: dns; ${boundedLine(reportingMta, MAX_DIAGNOSTIC)}`];
  const { envelopeId } = original.envelope;
  if (envelopeId !== undefined)
    lines.push(`Original-Envelope-Id: ${boundedLine(envelopeId, MAX_DIAGNOSTIC)}`);
  if (original.origin.heloDomain !== undefined) {
    lines.push(`Received-From-MTA: dns; ${boundedLine(original.origin.heloDomain, MAX_DIAGNOSTIC)}`);
  }
  lines.push(`Arrival-Date: ${mailDate(original.origin.arrivalTime)}`);
  for (const one of recipients) lines.push("", ...recipientLines(kind, one));
  return lines;
}

/** RFC 3464 §2.1: a next hop may say anything, the fields are ASCII. The text for people has it as it was said. */
const asciiOnly = (line: string): string => line.replaceAll(/\P{ASCII}/gu, "?");

function recipientLines(kind: DsnKind, one: DsnRecipient): string[] {
  const { recipient } = one;
  const lines: string[] = [];
  if (recipient.originalRecipient !== undefined) {
    lines.push(`Original-Recipient: ${boundedLine(recipient.originalRecipient, MAX_LINE)}`);
  }
  // RFC 6533 §3: an address that is not ASCII has a type of its own.
  const type = isAscii(recipient.address) ? "rfc822" : "utf-8";
  lines.push(`Final-Recipient: ${type};${boundedLine(recipient.address, MAX_LINE)}`, `Action: ${kind}`);
  lines.push(`Status: ${statusOf(kind, one.reply)}`, ...diagnosticLines(one));
  if (one.lastAttempt !== undefined) lines.push(`Last-Attempt-Date: ${mailDate(one.lastAttempt)}`);
  if (kind === "delayed" && one.willRetryUntil !== undefined) {
    lines.push(`Will-Retry-Until: ${mailDate(one.willRetryUntil)}`);
  }
  return lines;
}

/** RFC 3464 §2.3.6: smtp is what an SMTP server said. What we say ourselves has a type of our own. */
function diagnosticLines({ remoteMta, reply }: DsnRecipient): string[] {
  const said = boundedLine(formatReply(reply), MAX_DIAGNOSTIC);
  if (remoteMta === undefined) return [`Diagnostic-Code: X-OnArrival; ${said}`];
  const name = mtaName(boundedLine(remoteMta, MAX_DIAGNOSTIC));
  const type = reply.own === true ? "X-OnArrival" : "smtp";
  return [...(name === undefined ? [] : [`Remote-MTA: dns; ${name}`]), `Diagnostic-Code: ${type}; ${said}`];
}

/** RFC 3464 §2.3.4: the class says what became of it, which an expired message's last 4xx reply would not. */
function statusOf(kind: DsnKind, reply: Reply): string {
  const classDigit = kind === "failed" ? "5" : kind === "delayed" ? "4" : "2";
  return `${classDigit}${enhancedStatus(reply).slice(1)}`;
}

/** FAULTS H11: a peer's text must neither start a field of its own nor swell the report. */
export const boundedLine = (text: string, maxLength: number): string =>
  oneLine(text.slice(0, maxLength).toWellFormed()).trim();

/** The report around the returned pieces: what is in files is not read. */
export const rope = (start: Buffer, returned: readonly Piece[], end: Buffer): Content =>
  Content.fromPieces(start.subarray(0, headerBlockLength(start)), [start, ...returned, end]);
