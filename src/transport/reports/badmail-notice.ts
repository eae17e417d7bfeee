// SendBadTo (REFERENCE 6.1 row 31): somebody is told of each message that goes to Badmail, and gets it to see.
import { isAscii } from "../../core/address.ts";
import type { Clock } from "../../core/clock.ts";
import type { Envelope, Origin } from "../../core/envelope.ts";
import { mailDate } from "../../core/mail-date.ts";
import type { Content } from "../../message/content.ts";
import type { Badmail, BadmailReason } from "../../store/badmail.ts";
import { type ComposedDsn, fitsReport, boundedLine, returnedType, rope } from "./dsn.ts";
import type { ReportSettings } from "./reports.ts";

export interface BadmailNoticeParts {
  readonly badmail: Badmail;
  readonly settings: () => Pick<ReportSettings, "sendBadTo" | "reportingMta">;
  /** Name of the virtual server. */
  readonly server: string;
  readonly nextId: () => string;
  /** Resolves when the notice is durable. */
  readonly accept: (id: string, origin: Origin, envelope: Envelope, content: Content) => Promise<void>;
  readonly clock: Clock;
}

/** In the header of notices. One that is badmail itself is not told of: its address may be what is wrong. */
const MARK = "X-OnArrival-Badmail";
const MARKED = new RegExp(`^${MARK}:`, "im");

/** Badmail that tells. A notice that cannot be stored leaves the message where it was, as a file that cannot be written does. */
export function createNotifyingBadmail(parts: BadmailNoticeParts): Badmail {
  return {
    async put(id, envelope, content, reason) {
      await parts.badmail.put(id, envelope, content, reason);
      const { sendBadTo: to, reportingMta } = parts.settings();
      if (to === undefined || MARKED.test(content.header.toString("latin1"))) return;
      const noticeId = parts.nextId();
      const now = parts.clock.now();
      const notice = composeNotice({ to, reportingMta, noticeId, now, id, envelope, content, reason });
      const origin = { via: "dsn", arrivalTime: now, server: parts.server } as const;
      await parts.accept(noticeId, origin, notice.envelope, notice.content);
    },
  };
}

interface Notice {
  readonly to: string;
  readonly reportingMta: string;
  readonly noticeId: string;
  readonly now: number;
  /** Of the message that is told of. */
  readonly id: string;
  readonly envelope: Envelope;
  readonly content: Content;
  readonly reason: BadmailReason;
}

const MAX_LINE = 900;
const MAX_RECIPIENTS_SHOWN = 100;

function composeNotice(notice: Notice): ComposedDsn {
  const { to, reportingMta, noticeId, now, id, envelope, content } = notice;
  const utf8 = envelope.smtpUtf8 === true || !isAscii(to);
  const isWhole = envelope.body !== "BINARYMIME" && envelope.requireTls !== true && fitsReport(content);
  const boundary = `=_badmail_${noticeId.replaceAll(/[^A-Za-z0-9]/g, "")}_${now.toString(36)}`;
  const host = boundedLine(reportingMta, MAX_LINE);
  const start = [
    `From: Mail Delivery Service <postmaster@${host}>`,
    `To: <${boundedLine(to, MAX_LINE)}>`,
    "Subject: A message was moved to Badmail",
    `Date: ${mailDate(now)}`,
    `Message-ID: <badmail.${noticeId.replaceAll(/[^\w.-]/g, "")}@${host}>`,
    `${MARK}: ${id}`,
    "Auto-Submitted: auto-generated",
    "MIME-Version: 1.0",
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    "",
    `--${boundary}`,
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    ...textOf(notice),
    "",
    `--${boundary}`,
    `Content-Type: ${returnedType(isWhole, utf8)}`,
    "Content-Transfer-Encoding: 8bit",
    "",
    "",
  ].join("\r\n");
  return {
    envelope: {
      sender: "",
      recipients: [{ address: to, notify: ["NEVER"] }],
      body: "8BITMIME",
      ...(envelope.requireTls === true ? { requireTls: true } : {}),
      ...(utf8 ? { smtpUtf8: true } : {}),
    },
    content: rope(
      Buffer.from(start),
      isWhole ? content.pieces : [content.header],
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ),
  };
}

function textOf({ reportingMta, id, envelope, reason }: Notice): string[] {
  const shown = envelope.recipients.slice(0, MAX_RECIPIENTS_SHOWN);
  const more = envelope.recipients.length - shown.length;
  return [
    `The mail service of ${boundedLine(reportingMta, MAX_LINE)} could neither deliver nor return this message.`,
    `It is in the Badmail folder as ${boundedLine(id, MAX_LINE)}.BAD.`,
    "",
    `Code: ${boundedLine(reason.code, MAX_LINE)}`,
    `Reason: ${boundedLine(reason.text, MAX_LINE)}`,
    `Sender: <${boundedLine(envelope.sender, MAX_LINE)}>`,
    ...shown.map(({ address }) => `Recipient: <${boundedLine(address, MAX_LINE)}>`),
    ...(more > 0 ? [`… and ${more} more recipients`] : []),
  ];
}
