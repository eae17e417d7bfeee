// How many outgoing connections there may be in all (MaxOutConnections, REFERENCE 6.1 row 9), and who gets them. Next hops that are
// sick have a small share of all. While connections are scarce nobody gets more than a fair share, and what idles goes to those who wait.
import { Norm, type SlowLimits } from "./standing.ts";

export interface BudgetUser {
  /** Those that it has or is opening. */
  readonly connections: number;
  /** It failed, is silent or slow. Who changes this calls moved(). */
  readonly isSick: boolean;
  /** It has never answered. */
  readonly isNew: boolean;
  /** There may be room: it takes what it needs, or is told again. */
  roomAgain(): void;
  /** Ends one connection that it has kept for at least so long. */
  giveUpIdle(keptMs: number): void;
}

export interface BudgetLimits extends SlowLimits {
  /** The most that sick next hops have together, of a hundred connections. */
  readonly sickPercent: number;
}

export const DEFAULT_BUDGET_LIMITS: BudgetLimits = { sickPercent: 10, slowMs: 1000 };

/** A user may have so many times what is left: one alone four fifths, and a hundred together leave something to a newcomer. */
const SHARE = 4;
/** Of those who want more, how many are asked when there is room. */
const ASKED_AT_ONCE = 8;
/** So many healthy ones that wait go before a sick one. */
const PASSED_OVER = 10;
/** Who has a connection already gets those of others only when they have rested: else two that take turns would both open one each time. */
const RESTED_MS = 1000;

/** The healthy, or the sick. */
class Camp {
  readonly max: number;
  held = 0;
  /** How many users have connections. */
  holders = 0;
  /** Who has none and waits for one. */
  readonly hungry = new Set<BudgetUser>();
  /** Who has some and wants more. */
  readonly wanting = new Set<BudgetUser>();
  /** Who keeps connections for later, the longest first. */
  readonly keepers = new Set<BudgetUser>();

  constructor(max: number) {
    this.max = max;
  }

  get isFull(): boolean {
    return this.held >= this.max;
  }

  /** What each may have while connections are scarce. Who keeps some for later does without them. */
  get fairShare(): number {
    return this.max / Math.max(1, this.holders - this.keepers.size + this.hungry.size);
  }

  nextHungry(): BudgetUser | undefined {
    const [user] = this.hungry;
    if (user !== undefined) this.hungry.delete(user);
    return user;
  }

  leave(user: BudgetUser): void {
    this.hungry.delete(user);
    this.wanting.delete(user);
    this.keepers.delete(user);
  }
}

export class ConnectionBudget {
  readonly norm: Norm;
  readonly #max: number;
  #free: number;
  readonly #healthy: Camp;
  readonly #sick: Camp;
  #passedOver = 0;
  #isSharingOut = false;

  constructor(maxConnections: number, limits: BudgetLimits = DEFAULT_BUDGET_LIMITS) {
    this.#max = maxConnections;
    this.#free = maxConnections;
    this.#healthy = new Camp(maxConnections);
    this.#sick = new Camp(Math.max(1, Math.floor((maxConnections * limits.sickPercent) / 100)));
    this.norm = new Norm(limits);
  }

  /** False: the user is told when there is room. That may be before the answer, when somebody gives up a connection. */
  take(user: BudgetUser): boolean {
    const camp = this.#campOf(user);
    const may = this.#may(user, camp);
    const isFirst = user.connections === 0;
    if (may && this.#free > 0) {
      this.#free -= 1;
      camp.held += 1;
      if (isFirst) camp.holders += 1;
      return true;
    }
    (isFirst ? camp.hungry : camp.wanting).add(user);
    if (may || isFirst) this.#makeRoom(camp, isFirst ? 0 : RESTED_MS);
    return false;
  }

  #campOf({ isSick }: BudgetUser): Camp {
    return isSick ? this.#sick : this.#healthy;
  }

  /** Whether it may have another one, if there is any. */
  #may({ connections, isNew }: BudgetUser, camp: Camp): boolean {
    if (camp.isFull && camp === this.#sick) return false;
    if (connections === 0) return true;
    const kept = this.#healthy.keepers.size + this.#sick.keepers.size;
    if (connections >= SHARE * (this.#free + kept)) return false;
    const isScarce = camp === this.#sick || this.#free * 2 < this.#max;
    return !isScarce || (!isNew && connections < camp.fairShare);
  }

  /** Somebody gives up a connection that idles; where the sick have all of theirs, one of them. */
  #makeRoom(camp: Camp, keptMs: number): void {
    const [sick] = this.#sick.keepers;
    if (sick !== undefined) {
      sick.giveUpIdle(keptMs);
      return;
    }
    if (camp === this.#sick && camp.isFull) return;
    const [keeper] = this.#healthy.keepers;
    keeper?.giveUpIdle(keptMs);
  }

  /** Whether the user gives up a connection that has come free: others wait who have none. Asked for every message. */
  mustYield(user: BudgetUser, hasMore: boolean): boolean {
    if (this.#healthy.hungry.size === 0 && this.#sick.hungry.size === 0) return false;
    const camp = this.#campOf(user);
    // The sick who wait for their share get nothing of what the healthy give up.
    const isWanted = this.#healthy.hungry.size > 0 || camp === this.#sick || !this.#sick.isFull;
    return isWanted && (!hasMore || user.connections > Math.max(1, camp.fairShare));
  }

  /** The user has one less. */
  release(user: BudgetUser): void {
    const camp = this.#campOf(user);
    this.#free += 1;
    camp.held -= 1;
    if (user.connections === 0) camp.holders -= 1;
    this.#shareOut();
  }

  /** Who gets one may make others give up theirs, which come here again: the first call sees to them. */
  #shareOut(): void {
    if (this.#isSharingOut) return;
    this.#isSharingOut = true;
    while (this.#free > 0) {
      const user = this.#nextHungry();
      if (user === undefined) break;
      user.roomAgain();
    }
    for (const camp of [this.#healthy, this.#sick]) this.#askWanting(camp);
    this.#isSharingOut = false;
  }

  /** First come, first served, the healthy before the sick; but the sick get turns too. */
  #nextHungry(): BudgetUser | undefined {
    const mayBeSick = this.#sick.hungry.size > 0 && !this.#sick.isFull;
    if (this.#healthy.hungry.size > 0 && !(mayBeSick && this.#passedOver >= PASSED_OVER)) {
      if (mayBeSick) this.#passedOver += 1;
      return this.#healthy.nextHungry();
    }
    this.#passedOver = 0;
    return mayBeSick ? this.#sick.nextHungry() : undefined;
  }

  #askWanting(camp: Camp): void {
    let asked = 0;
    for (const user of camp.wanting) {
      if (this.#free === 0 || camp.isFull || asked === ASKED_AT_ONCE) return;
      asked += 1;
      camp.wanting.delete(user);
      user.roomAgain();
    }
  }

  /** The user fell sick or got well: what it has and waits for counts on the other side. */
  moved(user: BudgetUser): void {
    const to = this.#campOf(user);
    const from = to === this.#sick ? this.#healthy : this.#sick;
    from.held -= user.connections;
    to.held += user.connections;
    if (user.connections > 0) {
      from.holders -= 1;
      to.holders += 1;
    }
    if (from.hungry.delete(user)) to.hungry.add(user);
    if (from.wanting.delete(user)) to.wanting.add(user);
    if (from.keepers.delete(user)) to.keepers.add(user);
    this.#shareOut();
  }

  keeps(user: BudgetUser, isKeeping: boolean): void {
    const { keepers } = this.#campOf(user);
    if (isKeeping) keepers.add(user);
    else keepers.delete(user);
  }

  /** The user needs nothing more. */
  leave(user: BudgetUser): void {
    this.#campOf(user).leave(user);
  }
}
