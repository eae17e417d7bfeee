// Mail that waits until its server asks for it by ETRN (RFC 1985, REFERENCE 6.5): the queue fills, and its courier has no room.
import { domainOf } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { DeliveryOutcome, OutboundMessage } from "../smtp/client/destination.ts";
import type { Courier } from "./destination-queue.ts";
import type { QueueAdmin, QueueEntry } from "./queue-view.ts";

/** After a request, and after each message that followed it, how long the next one may take to be brought up. */
const OPEN_MS = 30_000;

const WAITS = "waits until its server asks for it by ETRN, or for `onarrival queue retry`";

/** Which domains have been asked for, and until when. */
export class OnDemand {
  readonly #openUntil = new Map<string, number>();
  /** By the key of the queue. */
  readonly #couriers = new Map<string, OnDemandCourier>();
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

  /** The courier of such a queue. */
  courier(inner: Courier, domain: string, key: string): Courier {
    const courier = new OnDemandCourier(inner, domain, this, () => {
      // After a change of the settings the queue has another one.
      if (this.#couriers.get(key) === courier) this.#couriers.delete(key);
    });
    this.#couriers.set(key, courier);
    return courier;
  }

  /** ETRN asks for a domain, an operator who wants a retry for what he names. */
  openedBy(admin: QueueAdmin): QueueAdmin {
    return {
      ...admin,
      list: () => admin.list().map((entry) => this.#withReason(entry)),
      show: (id) => {
        const entry = admin.show(id);
        return entry && this.#withReason(entry);
      },
      listParked: async (most) => (await admin.listParked(most)).map((entry) => this.#withReason(entry)),
      showParked: async (id) => {
        const entry = await admin.showParked(id);
        return entry && this.#withReason(entry);
      },
      force: (queue) => {
        const courier = this.#couriers.get(queue);
        if (courier !== undefined) this.open(courier.domain);
        return admin.force(queue);
      },
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

  #withReason(entry: QueueEntry): QueueEntry {
    const courier = this.#couriers.size === 0 ? undefined : this.#couriers.get(entry.queue);
    if (courier === undefined || entry.state === "held" || this.isOpen(courier.domain)) return entry;
    return { ...entry, state: "retry", reason: entry.reason ?? WAITS };
  }
}

class OnDemandCourier implements Courier {
  readonly domain: string;
  readonly #inner: Courier;
  readonly #demand: OnDemand;
  readonly #closed: () => void;

  constructor(inner: Courier, domain: string, demand: OnDemand, closed: () => void) {
    this.domain = domain;
    this.#inner = inner;
    this.#demand = demand;
    this.#closed = closed;
  }

  get capacity(): number {
    return this.#demand.isOpen(this.domain) ? this.#inner.capacity : 0;
  }

  async deliver(message: OutboundMessage): Promise<DeliveryOutcome> {
    const outcome = await this.#inner.deliver(message);
    // What waits behind it is part of the same request, unless its server is not there after all.
    if (outcome.kind === "report") this.#demand.open(this.domain);
    return outcome;
  }

  close(): Promise<void> {
    this.#closed();
    return this.#inner.close();
  }
}
