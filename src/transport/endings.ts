// Step 11: how messages and their recipients end. Nothing ends before the report on it is durable.
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import type { Badmail } from "../store/badmail.ts";
import type { Deliveries } from "./deliveries.ts";
import type { MarkedRecipients } from "./marked-recipients.ts";
import type { MessageStates } from "./message-states.ts";
import type { MessageSteps } from "./message-steps.ts";
import type { PendingWrites } from "./pending-writes.ts";
import type { PreSubmissionQueue } from "./queues/pre-submission-queue.ts";
import { type QueuedMessage, pendingAddresses } from "./queued-message.ts";
import type { Reports } from "./reports/reports.ts";
import type { DueReport } from "./settlement.ts";
import type { Submission, SubmissionVerdict } from "./submission.ts";

export interface EndingsParts {
  readonly messages: ReadonlyMap<string, QueuedMessage> & { delete(id: string): boolean };
  readonly deliveries: Deliveries;
  /** Called when the message is finished, whatever its end. */
  readonly ended: (message: QueuedMessage) => void;
  readonly waiting: PreSubmissionQueue;
  readonly states: MessageStates;
  readonly writes: PendingWrites;
  readonly reports: Reports;
  readonly badmail: Badmail;
  readonly steps: MessageSteps;
  readonly submission: Pick<Submission<unknown>, "settleCalls">;
  readonly log: Logger;
  /** Badmail cannot be written: the message waits before the sinks. */
  readonly postpone: (message: QueuedMessage, why: string) => void;
}

export class Endings {
  readonly #parts: EndingsParts;

  constructor(parts: EndingsParts) {
    this.#parts = parts;
  }

  /** Goes on when the reports are durable: a crash before that repeats the attempt, and loses no report. */
  afterReports(message: QueuedMessage, reports: readonly DueReport[], next: () => void): void {
    if (reports.length === 0) {
      next();
      return;
    }
    const failed = reports.filter(({ kind }) => kind !== "delayed").flatMap(({ records }) => records);
    for (const record of failed) record.unreported = true;
    const sent = this.#parts.reports.send(message, reports, () => this.#parts.states.load(message));
    this.#parts.writes.track(message, sent, () => {
      for (const record of failed) record.unreported = undefined;
      next();
    });
  }

  /** Of recipients that sinks have ended: told, and saved, before the others go on. */
  marked(message: QueuedMessage, { ends, reports }: MarkedRecipients, next: () => void): void {
    this.afterReports(message, reports, () => {
      for (const { state, records, why } of ends) this.#parts.steps.ended(message, state, records, why);
      this.#parts.states.save(message);
      next();
    });
  }

  /** Ends a message whose recipients all came to their end before its delivery. */
  over(message: QueuedMessage): void {
    message.phase = "delivery";
    message.recipients = [];
    this.finishOrSave(message);
  }

  /** Ends the message when no recipient waits any more. */
  finishOrSave(message: QueuedMessage): void {
    const { messages, states, writes, deliveries } = this.#parts;
    if (!messages.has(message.id)) return;
    const isOver = message.recipients.every((record) => record.state !== "pending");
    if (isOver && !writes.has(message)) {
      this.#finish(message);
      return;
    }
    if (message.phase === "delivery") message.nextAttempt = deliveries.nextAttempt(message);
    states.save(message);
    states.drop(message);
  }

  /** Ends every pending recipient without a report. */
  discard(message: QueuedMessage, reason: string): void {
    const { sender } = message.envelope;
    this.#parts.log.info(
      { message: message.id, sender, recipients: pendingAddresses(message), reason },
      "message discarded",
    );
    this.#endAll(message, "discarded", reason);
  }

  badmail(message: QueuedMessage, verdict: Extract<SubmissionVerdict, { kind: "badmail" }>): void {
    const { badmail, states, writes, log, postpone } = this.#parts;
    const { code, reason, edited } = verdict;
    const { envelope } = edited ?? message;
    let next = (): void => this.#endAll(message, "badmail", reason);
    const write = async (): Promise<void> => {
      try {
        const content = edited?.content ?? (await states.load(message));
        await badmail.put(message.id, envelope, content, { code, text: reason });
        const recipients = envelope.recipients.map(({ address }) => address);
        log.warn(
          { message: message.id, sender: envelope.sender, recipients, code, reason },
          "message moved to Badmail",
        );
      } catch (thrown) {
        // Badmail full or unwritable: the message stays queued, never deleted.
        next = () => postpone(message, `Badmail cannot be written: ${describeError(thrown)}`);
      }
    };
    writes.track(message, write(), () => next());
  }

  #endAll(message: QueuedMessage, state: "discarded" | "badmail", why: string): void {
    const { steps } = this.#parts;
    if (message.phase === "submission") {
      steps.endedAll(message, state, message.envelope.recipients, why);
    } else {
      const pending = message.recipients.filter((record) => record.state === "pending");
      for (const record of pending) record.state = state;
      steps.ended(message, state, pending, why);
    }
    this.#finish(message);
  }

  #finish(message: QueuedMessage): void {
    const { messages, deliveries, submission, waiting, states } = this.#parts;
    if (!messages.delete(message.id)) return;
    submission.settleCalls(message, false);
    deliveries.end(message);
    waiting.remove(message);
    states.end(message);
    this.#parts.ended(message);
  }
}
