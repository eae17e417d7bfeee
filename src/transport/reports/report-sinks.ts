// Step 11, for those who bind sinks to DSN: who is reported on, and what the report says (REFERENCE 4.5).
import type { Recipient } from "../../core/envelope.ts";
import { formatReply } from "../../core/reply.ts";
import type { Logger } from "../../core/logger.ts";
import { messageStatus } from "../../core/status.ts";
import { EVENTS } from "../../events/catalog.ts";
import type { DsnDueContext, DsnSubject, ReportedRecipient } from "../../events/contexts/dsn-contexts.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";
import { MailMsg, type MessageSurroundings } from "../../message/mail-msg.ts";
import { DEFAULT_PROPERTY_LIMITS } from "../../message/property-values.ts";
import type { Badmail } from "../../store/badmail.ts";
import type { ComposedDsn, DsnRecipient, DsnRequest } from "./dsn.ts";
import type { QueuedMessage } from "../queued-message.ts";

export interface ReportSinksParts {
  readonly chain: () => SystemChain<DsnSubject>;
  readonly sinks: SystemSinks;
  readonly badmail: Badmail;
  readonly log: Logger;
}

const MAX_TEXT_CHARS = 65_536;
const SURROUNDINGS: MessageSurroundings = { limits: DEFAULT_PROPERTY_LIMITS, cannotFork: true };

export class ReportSinks {
  readonly #parts: ReportSinksParts;

  constructor(parts: ReportSinksParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#parts.chain().isEmpty;
  }

  /** The request as the sinks leave it; undefined when they want no report. */
  async due(message: QueuedMessage, request: DsnRequest): Promise<DsnRequest | undefined> {
    const all = new Map<ReportedRecipient, DsnRecipient>();
    for (const one of request.recipients)
      all.set({ recipient: one.recipient, reply: formatReply(one.reply), remoteMta: one.remoteMta }, one);
    const { id, origin, envelope } = message;
    const subject: DsnDueContext = {
      kind: "due",
      original: { id, origin, envelope },
      action: request.kind,
      recipients: [...all.keys()],
      textAbove: "",
      textBelow: "",
    };
    await this.#run(subject, origin.server, () => {
      const before = { ...subject };
      return () => void Object.assign(subject, before);
    });
    const wanted = new Set(Array.isArray(subject.recipients) ? subject.recipients : all.keys());
    const recipients = [...all].filter(([shown]) => wanted.has(shown)).map(([, one]) => one);
    if (recipients.length === 0) {
      this.#parts.log.info({ message: id, kind: request.kind }, "report suppressed by a sink");
      return undefined;
    }
    const [textAbove, textBelow] = [boundedText(subject.textAbove), boundedText(subject.textBelow)];
    return { ...request, recipients, textAbove, textBelow };
  }

  /** The report as the sinks leave it; undefined when it is not to be sent. */
  async made(
    message: QueuedMessage,
    request: DsnRequest,
    dsn: ComposedDsn,
  ): Promise<ComposedDsn | undefined> {
    const { id, origin, envelope } = message;
    const reportOrigin = { via: "dsn", arrivalTime: request.now, server: origin.server } as const;
    const msg = new MailMsg(request.id, reportOrigin, dsn.envelope, dsn.content, SURROUNDINGS);
    const original = { id, origin, envelope };
    await this.#run({ kind: "made", original, action: request.kind, msg }, origin.server, () => {
      const before = msg.snapshot();
      return () => msg.restore(before);
    });
    // RFC 3464 §2 and RFC 5321 §6.1: the report on a report would begin a loop.
    const report: ComposedDsn = {
      content: msg.content,
      envelope: { ...msg.envelope, sender: "", recipients: msg.recipients.items.map(unreported) },
    };
    if (msg.status === messageStatus.badMail) {
      const why = { code: "BADMAIL_BY_SINK", text: "sent to Badmail by a sink of DSN" };
      await this.#parts.badmail.put(msg.id, report.envelope, report.content, why);
    }
    const isDropped =
      msg.status === messageStatus.badMail ||
      msg.status === messageStatus.abortDelivery ||
      msg.recipients.count === 0;
    if (!isDropped) return report;
    this.#parts.log.info({ message: id, report: msg.id, status: msg.status }, "report suppressed by a sink");
    return undefined;
  }

  /** A fault keeps no report back: the sink counts as not there. */
  async #run(subject: DsnSubject, server: string, remember: () => () => void): Promise<void> {
    const call = { subject, server, onFault: EVENTS.DSN.onFault, remember };
    await this.#parts.sinks.run(this.#parts.chain(), call);
  }
}

const unreported = (recipient: Recipient): Recipient => ({ ...recipient, notify: ["NEVER"] });

const boundedText = (text: unknown): string =>
  typeof text === "string" ? text.slice(0, MAX_TEXT_CHARS).toWellFormed() : "";
