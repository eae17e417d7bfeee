// Queues that people freeze, thaw and force: those of next hops, those before sinks, and what is counted under a name.
import { OnArrivalError } from "../../core/errors.ts";
import { SEVERAL } from "../deliveries.ts";
import type { ParkedAdmin } from "./parked-admin.ts";
import type { Parking } from "./parking.ts";
import { type PassedQueue, isPassed, isSinkQueue } from "./passed-queues.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import { SINK_QUEUES } from "./queue-entries.ts";
import { comparable } from "./queue-names.ts";
import type { QueueSet } from "./queue-set.ts";
import type { Freezer, QueueAdmin } from "./queue-view.ts";
import { type QueuedMessage, isDeferred } from "../queued-message.ts";
import { isUnreachable } from "../routing/router.ts";
import { type WaitingGroup, isOfNextHops } from "./waiting-groups.ts";

function requireFreezable(key: string): void {
  if (key === "")
    throw new OnArrivalError("WRONG_USE", "no name of a queue: `onarrival queue summary` lists them");
  if (key !== SEVERAL && (!isPassed(key) || isSinkQueue(key))) return;
  const parts = key === SEVERAL ? "the next hops" : "those that `onarrival queue list` names";
  throw new OnArrivalError(
    "WRONG_USE",
    `"${key}" counts messages of several queues and cannot be frozen: freeze ${parts}`,
  );
}

export interface QueueSteeringParts {
  readonly messages: ReadonlyMap<string, QueuedMessage>;
  readonly parking: Pick<Parking, "release" | "parked">;
  readonly parked: Pick<ParkedAdmin, "force" | "retry">;
  readonly waiting: Pick<PreSubmissionQueue, "has" | "isFrozen" | "thawed">;
  readonly queues: Pick<
    QueueSet,
    "all" | "find" | "keyOf" | "freeze" | "thaw" | "frozenAs" | "frozenBy" | "isFrozen"
  >;
  /** Key of the queue where mail of local domains goes. */
  readonly localKey: () => string;
  /** false: somebody holds it, or works on it. */
  readonly tryNow: (message: QueuedMessage) => boolean;
  /** All that it waits for is frozen. */
  readonly isKeptBack: (message: QueuedMessage) => boolean;
  readonly now: () => number;
}

export class QueueSteering implements Pick<
  QueueAdmin,
  "freeze" | "thaw" | "frozenBy" | "frozenWith" | "force"
> {
  readonly #parts: QueueSteeringParts;

  constructor(parts: QueueSteeringParts) {
    this.#parts = parts;
  }

  /** "local" means the queue of an LMTP server too, where that takes the mail of local domains. */
  #keysOf(name: string): readonly string[] {
    const key = this.#parts.queues.keyOf(name);
    return key === "local" ? [...new Set([key, this.#parts.localKey()])] : [key];
  }

  async freeze(name: string): Promise<boolean> {
    const keys = this.#keysOf(name);
    for (const key of keys) requireFreezable(key);
    const frozen = await Promise.all(keys.map((key) => this.#parts.queues.freeze(key)));
    return frozen.includes(true);
  }

  async thaw(name: string): Promise<boolean> {
    const thawed = await Promise.all(this.#keysOf(name).map((key) => this.#thawKey(key)));
    return thawed.includes(true);
  }

  #thawKey(key: string): Promise<boolean> {
    const { queues } = this.#parts;
    const wasFrozen = queues.isFrozen(key);
    const isThawed = queues.thaw(key);
    if (wasFrozen && isPassed(key)) this.#letGo(key);
    return isThawed;
  }

  frozenBy(name: string): Freezer | undefined {
    const { queues } = this.#parts;
    return this.#keysOf(name)
      .map((key) => queues.frozenBy(key))
      .find((by) => by !== undefined);
  }

  frozenWith(name: string): string | undefined {
    const { queues } = this.#parts;
    const as = this.#keysOf(name)
      .map((key) => queues.frozenAs(key))
      .find((frozen) => frozen !== undefined);
    return as === comparable(name) ? undefined : as;
  }

  force(name: string): number {
    return this.#keysOf(name).reduce((sum, key) => sum + this.#forceKey(key), 0);
  }

  #forceKey(key: string): number {
    const { queues, parked } = this.#parts;
    if (queues.frozenBy(key) !== undefined) return 0;
    if (isPassed(key)) return this.#forcePassed(key);
    // First what is in memory: it is counted while it waits.
    const here = queues.find(key)?.force() ?? 0;
    return here + parked.force(key);
  }

  /** What was kept back goes on. What ended sandbox processes stays held. */
  #letGo(queue: PassedQueue): void {
    this.#parts.waiting.thawed();
    this.#parts.parking.release(({ stage, heldBy }) => SINK_QUEUES[stage] === queue && heldBy !== "poison");
  }

  /** All that the operator does not hold. */
  #forcePassed(queue: PassedQueue): number {
    switch (queue) {
      case "failed-retry":
        return this.#forceWaiting(
          ({ held }) => held === undefined,
          ({ heldBy }) => heldBy === undefined,
        );
      case "dsn":
        return this.#forceWaiting(
          ({ origin }) => origin.via === "dsn",
          ({ isReport }) => isReport,
        );
      case "deferred":
        return this.#forceDeferred();
      case "unreachable":
        return this.#forceUnreachable();
      case "last run":
        throw new OnArrivalError(
          "WRONG_USE",
          'the messages of "last run" go to their queues by themselves: nothing can be forced there',
        );
      case "pre-submission":
      case "pre-categorization":
      case "pre-routing":
        return this.#forceWaiting(
          ({ stage }) => SINK_QUEUES[stage] === queue,
          ({ stage }) => SINK_QUEUES[stage] === queue,
        );
    }
  }

  #forceWaiting(
    isMeant: (message: QueuedMessage) => boolean,
    isMeantGroup: (group: WaitingGroup) => boolean,
  ): number {
    const { parking, waiting, queues } = this.#parts;
    const released = parking.release(
      (group) => isMeantGroup(group) && !queues.isFrozen(SINK_QUEUES[group.stage]),
    );
    return (
      released +
      this.#tryEach((message) => waiting.has(message) && !waiting.isFrozen(message) && isMeant(message))
    );
  }

  #forceDeferred(): number {
    const { parking, parked, queues, isKeptBack } = this.#parts;
    const now = this.#parts.now();
    const ids = parking.parked.deferredIds(
      (queue) => isOfNextHops(queue) && queues.frozenBy(queue) === undefined,
      now,
    );
    const forced = this.#tryEach((message) => isDeferred(message, now) && !isKeptBack(message));
    // Without ids it would mean all.
    return forced + (ids.length === 0 ? 0 : parked.retry(ids));
  }

  #forceUnreachable(): number {
    const { parked, queues } = this.#parts;
    const down = queues
      .all()
      .filter(({ key, blockedUntil, isFrozen }) => !isFrozen && (blockedUntil > 0 || isUnreachable(key)));
    return down.reduce((sum, queue) => sum + queue.force() + parked.force(queue.key), 0);
  }

  #tryEach(isMeant: (message: QueuedMessage) => boolean): number {
    const meant = [...this.#parts.messages.values()].filter((message) => isMeant(message));
    return meant.filter((message) => this.#parts.tryNow(message)).length;
  }
}
