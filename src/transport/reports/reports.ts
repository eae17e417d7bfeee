// Step 11: delivery status notifications. A report is a message of its own that re-enters at step 3; what cannot be
// returned because the sender is null goes to Badmail (RFC 5321 §4.5.5, REFERENCE 6.3).
import type { Clock } from "../../core/clock.ts";
import type { Envelope, Origin } from "../../core/envelope.ts";
import { isNullSender } from "../../core/address.ts";
import { describeError } from "../../core/errors.ts";
import { reply } from "../../core/reply.ts";
import type { Logger } from "../../core/logger.ts";
import { Content } from "../../message/content.ts";
import type { CutOff } from "../../smtp/client/cut-off.ts";
import type { Badmail } from "../../store/badmail.ts";
import { type ComposedDsn, type DsnRequest, composeDsn } from "./dsn.ts";
import type { Masquerade } from "../masquerade.ts";
import type { MessageSteps } from "../message-steps.ts";
import { DROP_NAME } from "./mta-name.ts";
import type { QueuedMessage } from "../queued-message.ts";
import type { ReportSinks } from "./report-sinks.ts";
import { type DueReport, describeReply } from "../settlement.ts";

/** May change while the service runs. */
export interface ReportSettings {
  /** Our host name: Reporting-MTA, and the domain of postmaster. */
  readonly reportingMta: string;
  /** Gets a copy of each report of failure (SendNdrTo, REFERENCE 6.2). */
  readonly sendNdrTo?: string | undefined;
  /** Is told of what goes to Badmail (SendBadTo, REFERENCE 6.1 row 31). */
  readonly sendBadTo?: string | undefined;
  /** Under which the senders are known outside. */
  readonly masquerade?: Masquerade | undefined;
}

interface ReportParts {
  /** Name of the virtual server of reports. */
  readonly server: string;
  readonly settings: () => ReportSettings;
  readonly nextId: () => string;
  readonly accept: (id: string, origin: Origin, envelope: Envelope, content: Content) => Promise<void>;
  readonly badmail: Badmail;
  /** Absent: DSN has no sinks. */
  readonly sinks?: ReportSinks | undefined;
  readonly steps: MessageSteps;
  readonly cutOff: CutOff;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Wait before a report that could not be stored is tried again, ms. */
const REPORT_RETRY_MS = 30_000;

/** Attempts at reading the message. Then the report goes without it: a message whose bytes are damaged must not stay unreported. */
const MAX_LOAD_ATTEMPTS = 3;
const LOST = Content.fromBuffer(Buffer.from("X-Lost: the queue file of this message cannot be read\r\n\r\n"));

/** Reply for a recipient about whom no next hop was asked. */
const NO_REPLY = reply(451, "4.0", "No attempt was made yet");

export class Reports {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when all of them are durable: what cannot be stored is tried again, each report by itself. Rejects when the virtual
   * server has ended before that.
   * `load` answers the content of the message reported on.
   */
  async send(
    message: QueuedMessage,
    reports: readonly DueReport[],
    load: () => Content | Promise<Content>,
  ): Promise<void> {
    await Promise.all(reports.map((report) => this.#sendForSure(message, report, load)));
  }

  async #sendForSure(
    message: QueuedMessage,
    report: DueReport,
    load: () => Content | Promise<Content>,
  ): Promise<void> {
    const { cutOff, clock, log } = this.#parts;
    for (let attempt = 1; ; attempt += 1) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next turn is another attempt
        await this.#send(message, report, attempt > MAX_LOAD_ATTEMPTS ? () => LOST : load);
        return;
      } catch (thrown) {
        if (cutOff.isOver) throw thrown;
        log.error(
          { message: message.id, error: describeError(thrown) },
          "report could not be stored; trying again",
        );
        // oxlint-disable-next-line no-await-in-loop
        await new Promise<void>((resolve) => void clock.after(REPORT_RETRY_MS, resolve));
      }
    }
  }

  async #send(
    message: QueuedMessage,
    report: DueReport,
    load: () => Content | Promise<Content>,
  ): Promise<void> {
    if (!isNullSender(message.envelope.sender)) {
      await this.#submit(message, report, await load());
    } else if (report.kind === "failed") {
      await this.#giveUp(message, report, await load());
    }
  }

  async #submit(message: QueuedMessage, report: DueReport, content: Content): Promise<void> {
    const { server, cutOff, clock, log } = this.#parts;
    const { sendNdrTo, masquerade, reportingMta } = this.#parts.settings();
    const id = this.#parts.nextId();
    const now = clock.now();
    const { origin, envelope } = message;
    const sender = masquerade?.senderOf(envelope.sender, content, origin) ?? envelope.sender;
    const request: DsnRequest = {
      kind: report.kind,
      original: {
        origin,
        envelope: sender === envelope.sender ? envelope : { ...envelope, sender },
        content,
      },
      copyTo: report.kind === "failed" ? sendNdrTo : undefined,
      recipients: report.records.map(({ recipient, lastReply, remote, lastAttempt }) => ({
        recipient,
        reply: lastReply ?? NO_REPLY,
        remoteMta: remote === "" || remote === DROP_NAME ? undefined : remote,
        lastAttempt,
        willRetryUntil: report.willRetryUntil,
      })),
      reportingMta,
      now,
      id,
    };
    const dsn = await this.#compose(message, request);
    // Its sinks took longer than the virtual server had: the next run asks them again.
    if (cutOff.isOver) throw new Error("the virtual server has ended");
    if (dsn === undefined) {
      this.#parts.steps.absorbed(message, report.kind);
      return;
    }
    await this.#parts.accept(id, { via: "dsn", arrivalTime: now, server }, dsn.envelope, dsn.content);
    this.#parts.steps.reported(message, { id, kind: report.kind });
    log.info({ message: message.id, report: id, kind: report.kind, to: sender }, "report generated");
  }

  /** Undefined when sinks want no report. */
  #compose(message: QueuedMessage, request: DsnRequest): ComposedDsn | Promise<ComposedDsn | undefined> {
    const { sinks } = this.#parts;
    return sinks === undefined || sinks.isEmpty
      ? composeDsn(request)
      : composeBySinks(sinks, message, request);
  }

  async #giveUp(message: QueuedMessage, report: DueReport, content: Content): Promise<void> {
    const { badmail, log } = this.#parts;
    const text = report.records
      .map(({ recipient, lastReply }) => `${recipient.address}: ${describeReply(lastReply ?? NO_REPLY)}`)
      .join("; ");
    for (const record of report.records) record.state = "badmail";
    // The rest of the message has got it, or may yet.
    const envelope = { ...message.envelope, recipients: report.records.map(({ recipient }) => recipient) };
    await badmail.put(message.id, envelope, content, { code: "UNDELIVERABLE_REPORT", text });
    log.warn({ message: message.id, reason: text }, "undeliverable report moved to Badmail");
  }
}

async function composeBySinks(
  sinks: ReportSinks,
  message: QueuedMessage,
  request: DsnRequest,
): Promise<ComposedDsn | undefined> {
  const wanted = await sinks.due(message, request);
  return wanted && sinks.made(message, wanted, composeDsn(wanted));
}
