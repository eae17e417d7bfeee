// Mail that waits until its server asks for it by ETRN (RFC 1985, REFERENCE 6.5): the queue fills, and its courier has no room.
import { domainOf } from "../../core/address.ts";
import { canonicalDomain } from "../../core/domain-table.ts";
import type { Clock } from "../../core/clock.ts";
import type { DeliveryOutcome, OutboundMessage } from "../../smtp/client/destination.ts";
import type { Courier } from "../queues/destination-queue.ts";
import type { Parking } from "../queues/parking.ts";
import type { IsAsked, QueueAdmin, QueueEntry } from "../queues/queue-view.ts";

/** After a request, and after each message that followed it, how long the next one may take to be brought up. */
const OPEN_MS = 30_000;

/** Requests that are kept while it is not known yet whose mail there is. */
const MAX_EARLY = 1000;

const WAITS = "waits until its server asks for it by ETRN, or for `onarrival queue retry`";

/** Which domains have been asked for, and until when. */
export class OnDemand {
  readonly #openUntil = new Map<string, number>();
  /** Couriers by the key of their queue. */
  readonly #couriers = new Map<string, OnDemandCourier>();
  #allOpenUntil = 0;
  readonly #clock: Clock;
  /** What was asked for while messages of the last run were in no queue yet. */
  readonly #early = new Set<IsAsked>();
  #isSorting = (): boolean => false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  open(domain: string): void {
    const now = this.#clock.now();
    const name = canonicalDomain(domain);
    this.#openUntil.delete(name);
    this.#openUntil.set(name, now + OPEN_MS);
    // The oldest stand first.
    for (const [other, until] of this.#openUntil) {
      if (until > now) break;
      this.#openUntil.delete(other);
    }
  }

  isOpen(domain: string): boolean {
    this.#settleEarly();
    if (Math.max(this.#openUntil.get(domain) ?? 0, this.#allOpenUntil) > this.#clock.now()) return true;
    return this.#early.values().some((isAsked) => isAsked(domain));
  }

  /** Now that all queues are there, those that were asked for are open like others. */
  #settleEarly(): void {
    if (this.#early.size === 0 || this.#isSorting()) return;
    for (const { domain } of this.#couriers.values())
      if (this.#early.values().some((isAsked) => isAsked(domain))) this.open(domain);
    this.#early.clear();
  }

  /** The courier of such a queue. */
  courier(inner: Courier, domain: string, key: string): Courier {
    const courier = new OnDemandCourier(inner, canonicalDomain(domain), this, () => {
      // After a change of the settings the queue has another one.
      if (this.#couriers.get(key) === courier) this.#couriers.delete(key);
    });
    this.#couriers.set(key, courier);
    return courier;
  }

  /** ETRN asks for domains, an operator who wants a retry for what he names. */
  openedBy(admin: QueueAdmin, parking: Pick<Parking, "parked" | "unsorted">): QueueAdmin {
    this.#isSorting = () => parking.unsorted > 0;
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
        if (courier !== undefined && admin.frozenBy(queue) === undefined) this.open(courier.domain);
        return admin.force(queue);
      },
      retryDomains: (isAsked) => {
        const asked = [...this.#couriers].filter(([, { domain }]) => isAsked(domain));
        const queues = asked.map(([key]) => key);
        // Counted while nothing can start: what is under way waits no more.
        const retried = admin.retryDomains(isAsked, queues) ?? 0;
        // Also of messages that are under way to other next hops.
        const count = Math.max(
          retried,
          queues.reduce((sum, key) => sum + admin.force(key), 0),
        );
        const isSorting = this.#isSorting();
        if (isSorting && this.#early.size < MAX_EARLY) this.#early.add(isAsked);
        if (count === 0) return isSorting ? undefined : 0;
        for (const [, { domain }] of asked) this.open(domain);
        admin.retryDomains(isAsked, queues);
        for (const key of queues) admin.force(key);
        return isSorting ? undefined : count;
      },
      retry: (ids) => {
        if (ids.length === 0) this.#allOpenUntil = this.#clock.now() + OPEN_MS;
        for (const id of ids) {
          const parked = this.#couriers.get(parking.parked.find(id)?.queue ?? "");
          if (parked !== undefined) this.open(parked.domain);
          for (const { address } of admin.show(id)?.recipients ?? []) this.open(domainOf(address));
        }
        return admin.retry(ids);
      },
    };
  }

  #withReason(entry: QueueEntry): QueueEntry {
    const courier = this.#couriers.size === 0 ? undefined : this.#couriers.get(entry.queue);
    const isKept = entry.state === "held" || entry.state === "frozen";
    if (courier === undefined || isKept || this.isOpen(courier.domain)) return entry;
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
