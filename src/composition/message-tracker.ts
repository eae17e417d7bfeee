// Writes what the transport tells of each message into the message tracking log.
import type { Recipient } from "../core/envelope.ts";
import type { Clock } from "../core/clock.ts";
import type { RotatingLog } from "../observe/rotating-log.ts";
import { type TrackedFields, type TrackedStep, TrackingLines } from "../observe/tracking-line.ts";
import type { AttemptResult, Delivery } from "../transport/destination-queue.ts";
import type { DsnKind } from "../transport/dsn-text.ts";
import type { EndState, StepRecorder } from "../transport/message-steps.ts";
import type { HoldReason, QueuedMessage, RecipientRecord } from "../transport/queued-message.ts";
import { describeReply } from "../transport/settlement.ts";
import { messageIdOf } from "./effect-text.ts";

const NOTHING_MORE: TrackedFields["more"] = {};

export class MessageTracker implements StepRecorder {
  readonly #log: RotatingLog;
  readonly #clock: Clock;
  readonly #lines = new TrackingLines();

  constructor(log: RotatingLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  submitted(message: QueuedMessage, resumed: boolean): void {
    if (!this.#log.enabled) return;
    const { origin, content, size, envelope } = message;
    this.#write(message, "submitted", envelope.recipients.map(addressOf), {
      messageId: content === undefined ? undefined : messageIdOf({ content }),
      size,
      source: origin.via,
      server: origin.server,
      client: origin.clientAddress,
      helo: origin.heloDomain,
      user: origin.user,
      resumed: resumed ? true : undefined,
    });
  }

  recipientsChanged(message: QueuedMessage, removed: readonly Recipient[]): void {
    if (!this.#log.enabled) return;
    this.#write(message, "changed", message.envelope.recipients.map(addressOf), {
      removed: removed.map(addressOf),
    });
  }

  postponed(message: QueuedMessage, reason: HoldReason): void {
    if (!this.#log.enabled) return;
    const { text, binding } = reason;
    this.#write(message, "postponed", message.envelope.recipients.map(addressOf), {
      held: message.held !== undefined,
      binding,
      why: text,
    });
  }

  /** Drop is one step only. */
  started({ message, records, queue }: Delivery): void {
    if (!this.#log.enabled || queue.key === "local") return;
    this.#write(message, "started", addressesOf(records), { nextHop: queue.key });
  }

  attempted({ message, records, queue, attempts }: Delivery, { remote }: AttemptResult): void {
    if (!this.#log.enabled) return;
    const ageMs = this.#clock.now() - message.origin.arrivalTime;
    for (const group of alike(records)) {
      const { state, lastReply } = group[0];
      this.#write(message, state === "pending" ? "deferred" : state, addressesOf(group), {
        nextHop: queue.key,
        remote,
        reply: lastReply && describeReply(lastReply),
        attempt: attempts,
        size: message.size,
        ageMs,
      });
    }
  }

  ended(message: QueuedMessage, state: EndState, recipients: readonly Recipient[], why: string): void {
    if (this.#log.enabled) this.#write(message, state, recipients.map(addressOf), { why });
  }

  reported(message: QueuedMessage, { id, kind }: { readonly id: string; readonly kind: DsnKind }): void {
    if (this.#log.enabled) this.#write(message, "reported", [message.envelope.sender], { report: id, kind });
  }

  whenKept(go: () => void): void {
    this.#log.whenKept(go);
  }

  #write(
    message: QueuedMessage,
    step: TrackedStep,
    to: readonly string[],
    more: TrackedFields["more"] = NOTHING_MORE,
  ): void {
    const now = this.#clock.now();
    const line = this.#lines.format(now, step, message.id, { from: message.envelope.sender, to, more });
    this.#log.write(line, now);
  }
}

const addressOf = ({ address }: Recipient): string => address;
const addressesOf = (records: readonly RecipientRecord[]): string[] =>
  records.map(({ recipient }) => recipient.address);

type Group = [RecipientRecord, ...RecipientRecord[]];

/** Recipients that came out of an attempt alike share a line. */
function alike(records: readonly RecipientRecord[]): Iterable<Group> {
  const groups = new Map<string, Group>();
  for (const record of records) {
    const key = `${record.state} ${record.lastReply?.code ?? 0} ${record.lastReply?.text ?? ""}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else group.push(record);
  }
  return groups.values();
}
