// What the transport has done since the start of the service. Plain fields: a scrape reads them, mail only adds to them.
import type { Origin } from "../core/envelope.ts";
import type { AttemptResult } from "./queues/destination-queue.ts";
import type { DsnKind } from "./reports/dsn-text.ts";
import type { RecipientRecord } from "./queued-message.ts";
import type { RecipientState } from "./queues/queue-view.ts";

/** `expanded`: the categorizer put others in its place. */
type EndedState = Exclude<RecipientState, "pending"> | "expanded";

export class TransportCounts {
  readonly messages: Record<Origin["via"], number> = { smtp: 0, pickup: 0, dsn: 0 };
  bytesAccepted = 0;
  /** Message bytes of attempts that at least one recipient was accepted in. */
  bytesDelivered = 0;
  readonly recipients: Record<EndedState, number> = {
    delivered: 0,
    relayed: 0,
    bounced: 0,
    expired: 0,
    discarded: 0,
    badmail: 0,
    expanded: 0,
  };
  /** Attempts by the best that a recipient got out of them; `unreachable`: the next hop was not even asked. */
  readonly attempts = { succeeded: 0, deferred: 0, refused: 0, unreachable: 0 };
  readonly reports: Record<DsnKind, number> = {
    delivered: 0,
    relayed: 0,
    expanded: 0,
    failed: 0,
    delayed: 0,
  };

  submitted(via: Origin["via"], size: number): void {
    this.messages[via] += 1;
    this.bytesAccepted += size;
  }

  attempted(records: readonly RecipientRecord[], result: AttemptResult, size: number): void {
    let isSuccess = false;
    let isDeferred = false;
    for (const { state } of records) {
      if (state === "pending") isDeferred = true;
      else this.recipients[state] += 1;
      if (state === "delivered" || state === "relayed") isSuccess = true;
    }
    if (isSuccess) {
      this.attempts.succeeded += 1;
      this.bytesDelivered += size;
    } else if (result.kind === "unreachable") this.attempts.unreachable += 1;
    else if (isDeferred) this.attempts.deferred += 1;
    else this.attempts.refused += 1;
  }

  ended(state: EndedState, recipients: number): void {
    this.recipients[state] += recipients;
  }

  reported(kind: DsnKind): void {
    this.reports[kind] += 1;
  }
}
