// Step 10 with sinks of StoreDriver in front of Drop. A sink that promises keeps its own message from Drop, and no other.
import type { Recipient } from "../../core/envelope.ts";
import { Fifo } from "../../core/fifo.ts";
import type { Reply } from "../../core/reply.ts";
import type { CutOff } from "../../smtp/client/cut-off.ts";
import type { DeliveryOutcome, OutboundMessage } from "../../smtp/client/destination.ts";
import type { Courier } from "../queues/destination-queue.ts";
import { DROP_NAME } from "../reports/mta-name.ts";
import { type StoreSinks, TAKEN } from "../store-sinks.ts";

/** Messages that sinks of local delivery may have at a time. */
const MAX_ASKING = 200;

export class SinkCourier implements Courier {
  readonly #drop: Courier;
  readonly #sinks: StoreSinks;
  readonly #maxWriting: number;
  readonly #cutOff: CutOff;
  readonly #waiting = new Fifo<() => void>();
  #asking = 0;
  #writing = 0;
  #onIdle: (() => void) | undefined;

  constructor(drop: Courier, sinks: StoreSinks, maxWriting: number, cutOff: CutOff) {
    this.#drop = drop;
    this.#sinks = sinks;
    this.#maxWriting = maxWriting;
    this.#cutOff = cutOff;
  }

  get capacity(): number {
    return this.#sinks.isEmpty ? this.#drop.capacity : MAX_ASKING - this.#asking;
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    return this.#sinks.isEmpty ? this.#drop.deliver(message) : this.#deliver(message);
  }

  async #deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    this.#asking += 1;
    try {
      const said = await this.#sinks.localDelivery(message);
      const left = message.recipients.filter((_recipient, index) => said[index] === undefined);
      if (left.length === message.recipients.length) return await this.#write(message);
      return merged(said, left.length === 0 ? [] : await this.#deliverTo(message, left));
    } finally {
      this.#asking -= 1;
      if (this.#asking === 0) this.#onIdle?.();
    }
  }

  async #deliverTo(message: OutboundMessage, recipients: readonly Recipient[]): Promise<readonly Reply[]> {
    const outcome = await this.#write({ ...message, recipients });
    // What a sink has stored must not be delivered again because Drop is full.
    return outcome.kind === "report" ? outcome.report.replies : recipients.map(() => outcome.reply);
  }

  async #write(message: OutboundMessage): Promise<DeliveryOutcome> {
    if (this.#writing >= this.#maxWriting)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    else this.#writing += 1;
    try {
      // The next run delivers it: Drop would get it twice.
      if (this.#cutOff.isOver) throw new Error("the virtual server has ended");
      return await this.#drop.deliver(message);
    } finally {
      // The next one takes the place over.
      const next = this.#waiting.shift();
      if (next === undefined) this.#writing -= 1;
      else next();
    }
  }

  async close(): Promise<void> {
    if (this.#asking > 0)
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    await this.#drop.close();
  }
}

function merged(said: readonly (Reply | undefined)[], dropped: readonly Reply[]): DeliveryOutcome {
  const rest = [...dropped];
  const replies = said.map((known) => known ?? rest.shift() ?? TAKEN);
  return { kind: "report", report: { replies, remote: DROP_NAME, dsn: false } };
}
