// The queues of all next hops, each with the courier that takes its messages there.
import { keepNewest } from "../../core/keep-newest.ts";
import type { Courier, DestinationQueue } from "./destination-queue.ts";
import { comparable, isMeant } from "./queue-names.ts";
import type { Freezer } from "./queue-view.ts";
import { type Route, type Router, linkOf, routeAnew } from "../routing/router.ts";

export interface QueueSetParts {
  readonly courierFor: (route: Route) => Courier;
  readonly queueFor: (route: Route, courier: Courier) => DestinationQueue;
  /** Absent: a restart thaws all queues. */
  readonly frozen?: FrozenQueues | undefined;
  /** Key of the queue that has the mail of local domains now. */
  readonly localKey: () => string;
  /** The queue of this key is no more. */
  readonly forgotten: (key: string) => void;
}

/** The frozen queues as they outlive the service. */
export interface FrozenQueues {
  readonly names: readonly string[];
  /** Rejects when they do not outlive it. */
  save(names: readonly string[]): Promise<void>;
}

/** Of more next hops that are down, the oldest ones are tried again. */
const MAX_DOWN_LINKS = 10_000;

export class QueueSet {
  readonly #parts: QueueSetParts;
  readonly #queues = new Map<string, { route: Route; readonly queue: DestinationQueue; courier: Courier }>();
  readonly #closing = new Set<Promise<void>>();
  #courierFor: (route: Route) => Courier;
  /** Next hops that a router sink has declared down, and until when. */
  readonly #down = new Map<string, number>();
  /** Comparable names that the operator keeps from trying, whether there are such queues or not; those before sinks are among them. */
  readonly #frozen: Set<string>;
  /** Next hops that a router sink has halted. */
  readonly #halted = new Set<string>();
  #stopped = false;

  constructor(parts: QueueSetParts) {
    this.#parts = parts;
    this.#courierFor = parts.courierFor;
    this.#frozen = new Set(parts.frozen?.names.map(comparable));
  }

  of(route: Route): DestinationQueue {
    const known = this.#queues.get(route.key);
    if (known !== undefined) return known.queue;
    const courier = this.#courierFor(route);
    const queue = this.#parts.queueFor(route, courier);
    // Sinks may end while the service stops: what they let pass stays in the store.
    if (this.#stopped) queue.stop();
    const down = this.#down.size === 0 ? undefined : this.#down.get(linkOf(route));
    if (down !== undefined) queue.block(down);
    if (this.#freezerOf(route) !== undefined) queue.freeze();
    this.#queues.set(route.key, { route, queue, courier });
    return queue;
  }

  /** Leaves the queues of a next hop alone until then; undefined: tries them now. */
  setLink(nextHop: string, downUntil: number | undefined): void {
    if (downUntil === undefined) this.#down.delete(nextHop);
    else keepNewest(this.#down, nextHop, downUntil, MAX_DOWN_LINKS);
    for (const { route, queue } of this.#queues.values()) {
      if (linkOf(route) !== nextHop) continue;
      if (downUntil === undefined) queue.unblock();
      else queue.block(downUntil);
    }
  }

  /** Keeps the queues of a next hop from trying; what the operator froze stays so. */
  setHalt(nextHop: string, isHalted: boolean): void {
    if (isHalted) this.#halted.add(nextHop);
    else this.#halted.delete(nextHop);
    for (const { route, queue } of this.#queues.values()) {
      if (linkOf(route) !== nextHop) continue;
      if (isHalted) queue.freeze();
      else if (this.#freezerOf(route) === undefined) queue.thaw();
    }
  }

  #freezerOf(route: Route): Freezer | undefined {
    if (this.frozenAs(route.key) !== undefined) return "operator";
    return this.#halted.size > 0 && this.#halted.has(linkOf(route)) ? "router" : undefined;
  }

  /** The name that the operator froze: the queue's own, or its next hop's. */
  frozenAs(key: string): string | undefined {
    if (this.#frozen.size === 0) return undefined;
    const wanted = comparable(key);
    return this.#frozen.values().find((name) => this.#isMeant(name, wanted));
  }

  /** "local" means the queue of an LMTP server too, whichever takes the mail of local domains now. */
  #isMeant(name: string, key: string): boolean {
    return isMeant(name, key) || (name === "local" && key === comparable(this.#parts.localKey()));
  }

  /** Who keeps the queue of this key from trying. */
  frozenBy(key: string): Freezer | undefined {
    const known = this.#queues.get(key);
    if (known !== undefined) return this.#freezerOf(known.route);
    if (this.frozenAs(key) !== undefined) return "operator";
    return this.#halted.has(key) ? "router" : undefined;
  }

  /** What is kept from trying and has no queue: frozen queues and halted next hops by their names. */
  frozenWithoutQueue(): ReadonlyMap<string, Freezer> {
    const links = new Set([...this.#queues.values()].map(({ route }) => linkOf(route)));
    const found = new Map<string, Freezer>();
    for (const nextHop of this.#halted) if (!links.has(nextHop)) found.set(nextHop, "router");
    const keys = new Set(this.#frozen.size === 0 ? [] : [...this.#queues.keys()].map(comparable));
    for (const name of this.#frozen) if (!keys.has(name)) found.set(name, "operator");
    return found;
  }

  find(key: string): DestinationQueue | undefined {
    return this.#queues.get(key)?.queue;
  }

  /** The key that people mean by a name. */
  keyOf(name: string): string {
    if (this.#queues.has(name)) return name;
    const wanted = comparable(name);
    return this.#queues.keys().find((key) => comparable(key) === wanted) ?? wanted;
  }

  /** At once; resolves when it outlives the service. */
  async freeze(name: string): Promise<boolean> {
    const wanted = comparable(name);
    const isNew = this.frozenAs(wanted) === undefined;
    if (isNew) {
      this.#forgetFrozen(wanted);
      this.#frozen.add(wanted);
      for (const queue of this.#meantBy(wanted)) queue.freeze();
    }
    // Also when nothing changed: it may not have been written before.
    await this.#saveFrozen();
    return isNew;
  }

  /** The same. */
  async thaw(name: string): Promise<boolean> {
    const wanted = comparable(name);
    const isThawed = this.#forgetFrozen(wanted);
    for (const queue of this.#meantBy(wanted))
      if (queue.isFrozen && this.frozenBy(queue.key) === undefined) queue.thaw();
    await this.#saveFrozen();
    return isThawed;
  }

  #meantBy(wanted: string): DestinationQueue[] {
    return this.all().filter(({ key }) => this.#isMeant(wanted, comparable(key)));
  }

  #forgetFrozen(wanted: string): boolean {
    const meant = [...this.#frozen].filter((name) => this.#isMeant(wanted, name));
    for (const name of meant) this.#frozen.delete(name);
    return meant.length > 0;
  }

  async #saveFrozen(): Promise<void> {
    await this.#parts.frozen?.save([...this.#frozen]);
  }

  /** Also of queues that are of no next hop: `key` is in lower case. */
  isFrozen(key: string): boolean {
    return this.#frozen.size > 0 && this.#frozen.has(key);
  }

  pump(key: string): void {
    this.#queues.get(key)?.queue.pump();
  }

  all(): DestinationQueue[] {
    return [...this.#queues.values()].map(({ queue }) => queue);
  }

  /**
   * New couriers for all queues, as the settings changed and the domain of a route may have other ones now. The old couriers finish
   * what they have. `reroute` is called before anything is sent: a next hop that is named no more gets nothing more. One that cannot
   * be reached keeps its retry time while `isSameWay`: somebody who edits the configuration ten times must not use up ten attempts
   * of everything that waits.
   */
  renewCouriers(
    courierFor: (route: Route) => Courier,
    router: Router,
    isSameWay: (before: Route, now: Route) => boolean,
    reroute: () => void,
  ): void {
    this.#courierFor = courierFor;
    const before = [...this.#queues.values()];
    const resting = new Set<DestinationQueue>();
    for (const entry of before) {
      const { courier: old, route: was } = entry;
      entry.route = routeAnew(was, router);
      entry.courier = courierFor(entry.route);
      entry.queue.useCourier(entry.courier);
      if (entry.queue.isFailing && isSameWay(was, entry.route)) resting.add(entry.queue);
      else entry.queue.forgetFailures();
      if (this.#freezerOf(entry.route) !== undefined) entry.queue.freeze();
      const closing = old.close().finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
    reroute();
    for (const { route, queue } of before) {
      const down = this.#down.get(linkOf(route));
      if (down !== undefined) queue.block(down);
      else if (resting.has(queue)) queue.pump();
      else queue.unblock();
      if (queue.isFrozen && this.#freezerOf(route) === undefined) queue.thaw();
    }
  }

  /** Forgets queues that hold nothing, with their connections: a relay meets many thousands of domains. */
  async prune(): Promise<void> {
    const empty = [...this.#queues].filter(([, { queue }]) => queue.isEmpty && queue.blockedUntil === 0);
    for (const [key] of empty) {
      this.#queues.delete(key);
      this.#parts.forgotten(key);
    }
    await Promise.all(empty.map(([, { courier }]) => courier.close()));
  }

  /** No new attempts; resolves when those under way are over. */
  async close(): Promise<void> {
    this.#stopped = true;
    for (const { queue } of this.#queues.values()) queue.stop();
    await Promise.all([
      ...this.#closing,
      ...[...this.#queues.values()].map(({ courier }) => courier.close()),
    ]);
  }
}
