// Mail that waits until its server asks for it by ETRN (RFC 1985, REFERENCE 6.5): the queue fills, and its courier has no room.
import { domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import type { Courier } from "./destination-queue.ts";
import type { QueueAdmin } from "./queue-view.ts";

/** After a request, and after each message that followed it, how long the next one may take to be brought up. */
const OPEN_MS = 30_000;

/** Which domains have been asked for, and until when. */
export class OnDemand {
  readonly #openUntil = new Map<string, number>();
  #allOpenUntil = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(domain: string): void {
    const now = this.#clock.now();
    for (const [other, until] of this.#openUntil) if (until <= now) this.#openUntil.delete(other);
    this.#openUntil.set(domain.toLowerCase(), now + OPEN_MS);
  }

  isOpen(domain: string): boolean {
    return Math.max(this.#openUntil.get(domain) ?? 0, this.#allOpenUntil) > this.#clock.now();
  }

  /** ETRN asks for a domain, an operator who wants a retry for what he names. */
  openedBy(admin: QueueAdmin): QueueAdmin {
    return {
      ...admin,
      retryDomain: (domain) => {
        // Counted while nothing can start: what is under way waits no more.
        const count = admin.retryDomain(domain);
        this.open(domain);
        if (count > 0) admin.retryDomain(domain);
        return count;
      },
      retry: (ids) => {
        if (ids.length === 0) this.#allOpenUntil = this.#clock.now() + OPEN_MS;
        for (const id of ids)
          for (const { address } of admin.show(id)?.recipients ?? []) this.open(domainOf(address));
        return admin.retry(ids);
      },
    };
  }
}

export class OnDemandCourier implements Courier {
  readonly #inner: Courier;
  readonly #domain: string;
  readonly #demand: OnDemand;

  constructor(inner: Courier, domain: string, demand: OnDemand) {
    this.#inner = inner;
    this.#domain = domain;
    this.#demand = demand;
  }

  get capacity(): number {
    return this.#demand.isOpen(this.#domain) ? this.#inner.capacity : 0;
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    const outcome = await this.#inner.deliver(message);
    // What waits behind it is part of the same request, unless its server is not there after all.
    if (outcome.kind === "report") this.#demand.open(this.#domain);
    return outcome;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
