// The steps of a message, told once each by the transport: counted here, and passed on to who keeps a record of them.
import type { Recipient } from "../core/envelope.ts";
import { formatReply } from "../core/reply.ts";
import type { AttemptResult, Delivery } from "./queues/destination-queue.ts";
import type { DsnKind } from "./reports/dsn-text.ts";
import type { HoldReason, QueuedMessage, RecipientRecord } from "./queued-message.ts";
import { TransportCounts } from "./transport-counts.ts";

/** An end that no attempt led to. */
export type EndState = "expired" | "discarded" | "badmail" | "bounced" | "delivered" | "expanded";

/** Keeps a record of the steps. Its calls are on the path of mail: they neither throw nor wait. */
export interface StepRecorder {
  /** The message is durable. `resumed`: an earlier run took it, and ended before it had saved anything of it. */
  submitted(message: QueuedMessage, resumed: boolean): void;
  /** Sinks took recipients away or added some; `removed` went into no fork either. */
  recipientsChanged(message: QueuedMessage, removed: readonly Recipient[]): void;
  /** A sink failed, or asked for another time. */
  postponed(message: QueuedMessage, reason: HoldReason): void;
  /** A next hop, or Drop, is about to get the message. */
  started(delivery: Delivery): void;
  /** The records say what became of each recipient, the reports on them are durable. */
  attempted(delivery: Delivery, result: AttemptResult): void;
  /** All at once came to the end that their records say, without an attempt. */
  ended(message: QueuedMessage, state: EndState, recipients: readonly Recipient[], why: string): void;
  reported(message: QueuedMessage, report: { readonly id: string; readonly kind: DsnKind }): void;
  /** A report was due and sinks suppressed it. */
  absorbed(message: QueuedMessage, kind: DsnKind): void;
  /** Calls `go` as soon as what was told so far outlives this process, in the order of the calls. */
  whenKept(go: () => void): void;
}

export class MessageSteps {
  readonly counts = new TransportCounts();
  readonly #recorder: StepRecorder | undefined;

  constructor(recorder: StepRecorder | undefined) {
    this.#recorder = recorder;
  }

  submitted(message: QueuedMessage): void {
    this.counts.submitted(message.origin.via, message.size);
    this.#recorder?.submitted(message, false);
  }

  /** Counted by the run that took it. */
  resumed(message: QueuedMessage): void {
    this.#recorder?.submitted(message, true);
  }

  /** After the sinks; `forks` are the messages that took some of the recipients with them. */
  envelopeAfterSinks(
    message: QueuedMessage,
    before: readonly Recipient[],
    forks: readonly { readonly recipients: { readonly items: readonly Recipient[] } }[],
  ): void {
    const after = message.envelope.recipients;
    if (after === before) return;
    const left = new Set(after.map(({ address }) => address));
    for (const fork of forks) for (const { address } of fork.recipients.items) left.add(address);
    const removed = before.filter(({ address }) => !left.has(address));
    this.counts.ended("discarded", removed.length);
    this.#recorder?.recipientsChanged(message, removed);
  }

  /**
   * The recipients are those that the categorizer found. `failed` may be members of lists, which never were recipients of the
   * message; for those `replaced` others stand.
   */
  categorized(
    message: QueuedMessage,
    failed: readonly RecipientRecord[],
    replaced: readonly Recipient[],
  ): void {
    for (const record of failed) {
      const why = record.lastReply === undefined ? "" : formatReply(record.lastReply);
      this.endedAll(message, record.state === "badmail" ? "badmail" : "bounced", [record.recipient], why);
    }
    this.endedAll(message, "expanded", replaced, "the categorizer put others in its place");
    this.#recorder?.recipientsChanged(message, []);
  }

  postponed(message: QueuedMessage, reason: HoldReason): void {
    this.#recorder?.postponed(message, reason);
  }

  started(delivery: Delivery): void {
    this.#recorder?.started(delivery);
  }

  attempted(delivery: Delivery, result: AttemptResult): void {
    this.counts.attempted(delivery.records, result, delivery.message.size);
    this.#recorder?.attempted(delivery, result);
  }

  /** These recipients came to this end without an attempt. */
  ended(message: QueuedMessage, state: EndState, records: readonly RecipientRecord[], why: string): void {
    // The report on an expired one may have had to go to Badmail.
    const recipients = records.map(({ recipient }) => recipient);
    this.endedAll(message, records[0]?.state === "badmail" ? "badmail" : state, recipients, why);
  }

  /** The same, of a message whose recipients have no records yet. */
  endedAll(message: QueuedMessage, state: EndState, recipients: readonly Recipient[], why: string): void {
    if (recipients.length === 0) return;
    this.counts.ended(state, recipients.length);
    this.#recorder?.ended(message, state, recipients, why);
  }

  reported(message: QueuedMessage, report: { readonly id: string; readonly kind: DsnKind }): void {
    this.counts.reported(report.kind);
    this.#recorder?.reported(message, report);
  }

  absorbed(message: QueuedMessage, kind: DsnKind): void {
    this.#recorder?.absorbed(message, kind);
  }

  whenKept(go: () => void): void {
    if (this.#recorder === undefined) go();
    else this.#recorder.whenKept(go);
  }
}
