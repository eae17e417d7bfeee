// Steps 2, 10 and 11, for those who bind sinks to StoreDriver: what the store does, and local delivery in place of Drop.
import { sameMailbox } from "../core/address.ts";
import type { Recipient } from "../core/envelope.ts";
import { Fifo } from "../core/fifo.ts";
import { type Reply, parseFailure, reply } from "../core/reply.ts";
import { EVENTS } from "../events/catalog.ts";
import type { StoreNotice, StoreSubject, StoredMessage } from "../events/contexts/store-contexts.ts";
import type { SystemChain, SystemSinks } from "../events/system-chain.ts";
import type { CutOff } from "../smtp/client/cut-off.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import type { Courier } from "./queues/destination-queue.ts";
import { DROP_NAME } from "./reports/mta-name.ts";
import { NO_PROPERTIES, type QueuedMessage } from "./queued-message.ts";

export interface StoreSinksParts {
  readonly chain: () => SystemChain<StoreSubject>;
  readonly sinks: SystemSinks;
  /** Calls sinks that nobody waits for. */
  readonly unawaited: SystemSinks;
}

const TAKEN = reply(250, "2.0", "delivered by a sink");

export class StoreSinks {
  readonly #parts: StoreSinksParts;

  constructor(parts: StoreSinksParts) {
    this.#parts = parts;
  }

  get isEmpty(): boolean {
    return this.#parts.chain().isEmpty;
  }

  /**
   * Nobody waits for what sinks make of it. `uncounted`: for notices whose number is bounded already and which come in one turn, in
   * which no promise can be settled.
   */
  tell(
    kind: StoreNotice["kind"],
    message: QueuedMessage,
    promises: "counted" | "uncounted" = "counted",
  ): void {
    const chain = this.#parts.chain();
    if (chain.isEmpty) return;
    const { id, origin, envelope, size } = message;
    const { sender, recipients } = envelope;
    const subject = { kind, msg: { id, origin, sender, recipients, size } };
    // Never rejects.
    void this.#parts.unawaited.run<StoreSubject>(chain, {
      subject,
      server: origin.server,
      // What it tells of has happened.
      onFault: "next-sink",
      promises: promises === "counted" ? promises : undefined,
    });
  }

  /** What sinks say of the recipients, in their order; undefined: Drop gets it. */
  async localDelivery(message: OutboundMessage): Promise<readonly (Reply | undefined)[]> {
    const { recipients, content, sender, id } = message;
    const origin = message.origin ?? { via: "smtp", arrivalTime: 0, server: "" };
    let said: (Reply | undefined)[] = recipients.map(() => undefined);
    const answer = (address: string, outcome: Reply): void => {
      recipients.forEach((recipient, index) => {
        if (sameMailbox(recipient.address, address)) said[index] = outcome;
      });
    };
    const properties = message.properties ?? NO_PROPERTIES;
    const msg: StoredMessage = { id, origin, sender, recipients, size: content.size };
    const outcome = await this.#parts.sinks.run<StoreSubject>(this.#parts.chain(), {
      subject: {
        kind: "localDelivery",
        msg: { ...msg, content, properties },
        deliver: (address) => answer(address, TAKEN),
        refuse: (address, text) => answer(address, parseFailure(text)),
      },
      server: origin.server,
      onFault: EVENTS.StoreDriver.onFault,
      remember: () => {
        const before = said;
        said = [...said];
        return () => {
          said = before;
        };
      },
    });
    if (outcome.kind === "passed") return said;
    // Drop must not get what the failed sink would have kept from it: the others wait.
    const wait = reply(451, "3.0", `${outcome.binding.displayName}: ${outcome.message.slice(0, 200)}`);
    return said.map((known) => known ?? wait);
  }
}

/** Messages that sinks of local delivery may have at a time. */
const MAX_ASKING = 200;

/** Local delivery with sinks in front of Drop. A sink that promises keeps its own message from Drop, and no other. */
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
