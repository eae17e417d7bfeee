// Writes what the transport tells of each message into the message tracking log.
import type { Recipient } from "../../core/envelope.ts";
import type { Clock } from "../../core/clock.ts";
import { EVENTS } from "../../events/catalog.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";
import type { TrackingRecord } from "../../events/contexts/tracking-contexts.ts";
import type { RotatingLog } from "../../observe/rotating-log.ts";
import {
  TRACKED_STEPS,
  type TrackedFields,
  type TrackedStep,
  TrackingLines,
} from "../../observe/tracking-line.ts";
import type { AttemptResult, Delivery } from "../../transport/queues/destination-queue.ts";
import type { DsnKind } from "../../transport/reports/dsn-text.ts";
import type { EndState, StepRecorder } from "../../transport/message-steps.ts";
import type { HoldReason, QueuedMessage, RecipientRecord } from "../../transport/queued-message.ts";
import { describeReply } from "../../transport/settlement.ts";
import { messageIdOf } from "./effect-text.ts";

/** The sinks of MsgTrackLog. */
export interface TrackingSinks {
  readonly chain: () => SystemChain<TrackingRecord>;
  readonly sinks: SystemSinks;
}

const NOTHING_MORE: TrackedFields["more"] = {};
/** Of the fields that each line has: readers of JSON would take a second one of the name for the first. */
const OWN_NAMES: ReadonlySet<string> = new Set(["time", "event", "step", "id", "from", "to"]);

export class MessageTracker implements StepRecorder {
  readonly #log: RotatingLog;
  readonly #clock: Clock;
  readonly #lines = new TrackingLines();

  readonly #watchers: TrackingSinks | undefined;

  constructor(log: RotatingLog, clock: Clock, watchers?: TrackingSinks) {
    this.#log = log;
    this.#clock = clock;
    this.#watchers = watchers;
  }

  /** Whether anybody wants records: else none is made. */
  get #isWanted(): boolean {
    return this.#log.enabled || this.#watchers?.chain().isEmpty === false;
  }

  submitted(message: QueuedMessage, resumed: boolean): void {
    if (!this.#isWanted) return;
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
    if (!this.#isWanted) return;
    this.#write(message, "changed", message.envelope.recipients.map(addressOf), {
      removed: removed.map(addressOf),
    });
  }

  postponed(message: QueuedMessage, reason: HoldReason): void {
    if (!this.#isWanted) return;
    const { text, binding } = reason;
    this.#write(message, "postponed", message.envelope.recipients.map(addressOf), {
      held: message.held !== undefined,
      binding,
      why: text,
    });
  }

  /** Drop is one step only. */
  started({ message, records, queue }: Delivery): void {
    if (!this.#isWanted || queue.key === "local") return;
    this.#write(message, "started", addressesOf(records), { nextHop: queue.key });
  }

  attempted({ message, records, queue, attempts }: Delivery, { remote }: AttemptResult): void {
    if (!this.#isWanted) return;
    const ageMs = this.#clock.now() - message.origin.arrivalTime;
    for (const group of alike(records)) {
      const { state, lastReply } = group[0];
      this.#write(message, state === "pending" ? "deferred" : state, addressesOf(group), {
        nextHop: queue.key,
        remote,
        reply: lastReply && describeReply(lastReply),
        own: lastReply?.own,
        attempt: attempts,
        size: message.size,
        ageMs,
      });
    }
  }

  ended(message: QueuedMessage, state: EndState, recipients: readonly Recipient[], why: string): void {
    if (this.#isWanted) this.#write(message, state, recipients.map(addressOf), { why });
  }

  reported(message: QueuedMessage, { id, kind }: { readonly id: string; readonly kind: DsnKind }): void {
    if (this.#isWanted) this.#write(message, "reported", [message.envelope.sender], { report: id, kind });
  }

  absorbed(message: QueuedMessage, kind: DsnKind): void {
    if (this.#isWanted) this.#write(message, "absorbed", [message.envelope.sender], { kind });
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
    const { id, envelope, origin } = message;
    let fields: TrackedFields | undefined = { from: envelope.sender, to, more };
    if (this.#watchers?.chain().isEmpty === false)
      fields = this.#shown(this.#watchers, { time: now, step, id, server: origin.server, ...fields });
    if (fields !== undefined && this.#log.enabled)
      this.#log.write(this.#lines.format(now, step, id, fields), now);
  }

  /** The fields as the sinks leave them; undefined when nothing is to be written. */
  #shown(
    { chain, sinks }: TrackingSinks,
    shown: Omit<TrackingRecord, "event" | "isWritten"> & { readonly step: TrackedStep },
  ): TrackedFields | undefined {
    const record: TrackingRecord = { ...shown, event: TRACKED_STEPS[shown.step].event, isWritten: true };
    const call = {
      subject: record,
      server: record.server,
      onFault: EVENTS.MsgTrackLog.onFault,
      promises: EVENTS.MsgTrackLog.promises,
      remember: () => {
        const before = { ...record };
        return () => void Object.assign(record, before);
      },
    } as const;
    void sinks.run(chain(), call);
    if (!record.isWritten) return undefined;
    // A line that is none must not stop the mail, nor be written: the record goes as it was.
    return isTracked(record) ? record : shown;
  }
}

function isTracked({ from, to, more }: TrackingRecord): boolean {
  if (typeof from !== "string" || !isTexts(to) || typeof more !== "object" || more === null) return false;
  return Object.entries(more).every(
    ([name, value]) => /^\w{1,64}$/.test(name) && !OWN_NAMES.has(name) && isTrackedValue(value),
  );
}

function isTrackedValue(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return value === undefined || typeof value === "string" || typeof value === "boolean" || isTexts(value);
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one: unknown) => typeof one === "string");

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
