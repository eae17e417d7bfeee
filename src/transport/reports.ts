// Step 11: delivery status notifications. A report is a message of its own that re-enters at step 3; what cannot be
// returned because the sender is null goes to Badmail (RFC 5321 §4.5.5, REFERENCE 6.3).
import type { Clock } from "../core/clock.ts";
import type { Envelope, Origin } from "../core/envelope.ts";
import { isNullSender } from "../core/address.ts";
import type { Logger } from "../core/logger.ts";
import type { Content } from "../message/content.ts";
import type { Badmail } from "../store/badmail.ts";
import { composeDsn } from "./dsn.ts";
import type { QueuedMessage } from "./queued-message.ts";
import type { DueReport } from "./settlement.ts";

export interface ReportSettings {
  /** Our host name: Reporting-MTA, and the domain of postmaster. */
  readonly reportingMta: string;
  /** Name of the virtual server of reports. */
  readonly server: string;
  /** How long a message may wait in all, ms. */
  readonly expireMs: number;
}

interface ReportParts {
  readonly settings: ReportSettings;
  readonly nextId: () => string;
  readonly accept: (id: string, origin: Origin, envelope: Envelope, content: Content) => Promise<void>;
  readonly badmail: Badmail;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Reports {
  readonly #parts: ReportParts;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  /** Resolves when the report is durable. `load` answers the content of the message reported on. */
  async send(message: QueuedMessage, report: DueReport, load: () => Content | Promise<Content>): Promise<void> {
    if (!isNullSender(message.envelope.sender)) {
      await this.#submit(message, report, await load());
    } else if (report.event === "failed") {
      await this.#giveUp(message, report, await load());
    }
  }

  async #submit(message: QueuedMessage, report: DueReport, content: Content): Promise<void> {
    const { settings, clock, log } = this.#parts;
    const id = this.#parts.nextId();
    const dsn = await composeDsn({
      event: report.event,
      original: { id: message.id, origin: message.origin, envelope: message.envelope, content },
      recipients: report.records.map(({ recipient, state, lastReply, remote }) => ({ recipient, state, lastReply, remote })),
      reportingMta: settings.reportingMta,
      willRetryUntil: message.origin.arrivalTime + settings.expireMs,
      now: clock.now(),
      id,
    });
    await this.#parts.accept(id, { via: "dsn", arrivalTime: clock.now(), server: settings.server }, dsn.envelope, dsn.content);
    log.info({ message: message.id, report: id, event: report.event, to: message.envelope.sender }, "report generated");
  }

  async #giveUp(message: QueuedMessage, report: DueReport, content: Content): Promise<void> {
    const { badmail, log } = this.#parts;
    const text = report.records.map(({ recipient, lastReply }) => `${recipient.address}: ${lastReply ?? "expired"}`).join("; ");
    await badmail.put(message.id, message.envelope, content, { code: "UNDELIVERABLE_REPORT", text });
    for (const record of report.records) record.state = "badmail";
    log.warn({ message: message.id, reason: text }, "undeliverable report moved to Badmail");
  }
}
