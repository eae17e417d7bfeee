// A message for more recipients than one transaction may have goes in several (REFERENCE 6.3, RFC 5321 §4.5.3.1.8). How many
// there may be the settings say, and a next hop that takes fewer.
import { isPositive, type Reply } from "../../core/reply.ts";
import type { DeliveryOutcome, OutboundMessage } from "../../smtp/client/destination.ts";
import type { Courier } from "../queues/destination-queue.ts";

export class SplittingCourier implements Courier {
  readonly #inner: Courier;
  readonly #maxRecipients: number;

  constructor(inner: Courier, maxRecipients: number) {
    this.#inner = inner;
    this.#maxRecipients = maxRecipients;
  }

  get capacity(): number {
    return this.#inner.capacity;
  }

  deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    return message.recipients.length === 1 ? this.#inner.deliver(message) : this.#deliverInTurns(message);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** One after the other: a large message must not take all connections. */
  async #deliverInTurns(message: OutboundMessage): Promise<DeliveryOutcome> {
    const replies: Reply[] = [];
    let waiting = message.recipients.map((recipient, place) => ({ recipient, place }));
    let most = this.#maxRecipients;
    let remote = "";
    let dsn = true;
    while (waiting.length > 0) {
      const turn = waiting.slice(0, most);
      const recipients = turn.map(({ recipient }) => recipient);
      // oxlint-disable-next-line no-await-in-loop -- in turns
      const outcome = await this.#inner.deliver({ ...message, recipients });
      if (outcome.kind === "unreachable") {
        if (replies.length === 0) return outcome;
        // Those who have their answer keep it.
        for (const { place } of waiting) replies[place] = outcome.reply;
        break;
      }
      const said = outcome.report.replies;
      for (const [index, { place }] of turn.entries()) {
        const reply = said[index];
        if (reply !== undefined) replies[place] = reply;
      }
      const putOff = said.some(isPositive) ? turn.filter(({ place }) => wasTooMany(replies[place])) : [];
      if (putOff.length > 0) most = turn.length - putOff.length;
      waiting = [...putOff, ...waiting.slice(turn.length)];
      remote = outcome.report.remote;
      dsn &&= outcome.report.dsn;
    }
    return { kind: "report", report: { replies, remote, dsn } };
  }
}

/** RFC 5321 §4.5.3.1.10: of a recipient that another transaction may take at once, as this one took some. */
const wasTooMany = (said: Reply | undefined): boolean =>
  said?.code === 452 && (said.detail ?? "5.3") === "5.3";
