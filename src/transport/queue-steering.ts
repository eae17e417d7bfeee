// Queues that people freeze, thaw and force: those of next hops, those before sinks, and what is counted under a name.
import { OnArrivalError } from "../core/errors.ts";
import type { ParkedAdmin } from "./parked-admin.ts";
import type { Parking } from "./parking.ts";
import { type PassedQueue, isPassed, isSinkQueue } from "./passed-queues.ts";
import type { PreSubmissionQueue } from "./pre-submission-queue.ts";
import { SINK_QUEUES } from "./queue-entries.ts";
import type { QueueSet } from "./queue-set.ts";
import type { QueueAdmin } from "./queue-view.ts";
import type { QueuedMessage } from "./queued-message.ts";
import { isUnreachable } from "./router.ts";
import { type WaitingGroup, isOfNextHops } from "./waiting-groups.ts";

function requireFreezable(queue: PassedQueue): void {
  if (isSinkQueue(queue)) return;
  throw new OnArrivalError(
    "WRONG_USE",
    `"${queue}" counts messages of several queues and cannot be frozen: freeze those that \`onarrival queue list\` names`,
  );
}

export interface QueueSteeringParts {
  readonly messages: ReadonlyMap<string, QueuedMessage>;
  readonly parking: Pick<Parking, "release" | "parked">;
  readonly parked: Pick<ParkedAdmin, "force" | "retry">;
  readonly waiting: Pick<PreSubmissionQueue, "has" | "isFrozen" | "thawed">;
  readonly queues: Pick<QueueSet, "all" | "find" | "keyOf" | "freeze" | "thaw" | "frozenBy" | "isFrozen">;
  /** false: somebody holds it, or works on it. */
  readonly tryNow: (message: QueuedMessage) => boolean;
  /** All that it waits for is frozen. */
  readonly isKeptBack: (message: QueuedMessage) => boolean;
  readonly now: () => number;
}

export class QueueSteering implements Pick<QueueAdmin, "freeze" | "thaw" | "force"> {
  readonly #parts: QueueSteeringParts;

  constructor(parts: QueueSteeringParts) {
    this.#parts = parts;
  }

  async freeze(name: string): Promise<boolean> {
    const { queues } = this.#parts;
    const key = queues.keyOf(name);
    if (isPassed(key)) requireFreezable(key);
    return queues.freeze(name);
  }

  async thaw(name: string): Promise<boolean> {
    const { queues } = this.#parts;
    const key = queues.keyOf(name);
    const wasFrozen = queues.isFrozen(key);
    const isThawed = queues.thaw(name);
    if (wasFrozen && isPassed(key)) this.#letGo(key);
    return isThawed;
  }

  force(name: string): number {
    const { queues, parked } = this.#parts;
    const key = queues.keyOf(name);
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
    const forced = this.#tryEach(
      (message) => message.phase === "delivery" && (message.notBefore ?? 0) > now && !isKeptBack(message),
    );
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
