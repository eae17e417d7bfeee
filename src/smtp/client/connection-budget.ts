// How many outgoing connections there may be in all (MaxOutConnections, REFERENCE 6.1 row 9), and who gets them. Next hops that are
// sick have a small share of all, and borrow what nobody needs. While connections are scarce nobody gets more than a fair share, and
// what idles or is borrowed goes to those who wait.
import { Norm, type SlowLimits } from "./standing.ts";

export interface BudgetUser {
  /** Connections that it has or is opening. */
  readonly connections: number;
  /** It failed, is silent or slow. Who changes this calls moved(). */
  readonly isSick: boolean;
  /** It has never answered. */
  readonly isNew: boolean;
  /** There may be room: it takes what it needs, or is told again. */
  roomAgain(): void;
  /** Ends one connection that it has kept for at least so long. */
  giveUpIdle(keptMs: number): void;
  /** Ends one that is not open yet, before it answers; what was to go over it waits. false: there is none. */
  giveUpOpening(): boolean;
}

export interface BudgetLimits extends SlowLimits {
  /** What sick next hops have together whoever else waits, of a hundred connections. */
  readonly sickPercent: number;
  /** With less free of a hundred, connections are scarce: only then is the fair share a limit, and the sick borrow none. */
  readonly scarcePercent: number;
  /** What one next hop may have of a hundred that nobody else has. */
  readonly singlePercent: number;
}

export const DEFAULT_BUDGET_LIMITS: BudgetLimits = {
  sickPercent: 10,
  scarcePercent: 50,
  singlePercent: 80,
  slowMs: 1000,
  slowFactor: 4,
};

/** Of those who want more, how many are asked when there is room: a release must not cost more the more next hops there are. */
const ASKED_AT_ONCE = 8;
/** Healthy next hops that go before a sick one that waits. Not a limit: how many connections the sick get is their share. */
const PASSED_OVER = 10;
/** Who has a connection already gets those of others only when they have rested: else two that take turns would both open one each time. */
const RESTED_MS = 1000;

/** The healthy, or the sick. */
class Camp {
  /** What it has a right to. */
  readonly share: number;
  held = 0;
  /** How many users have connections. */
  holders = 0;
  /** Who has none and waits for one. */
  readonly hungry = new Set<BudgetUser>();
  /** Who has some and wants more. */
  readonly wanting = new Set<BudgetUser>();
  /** Who keeps connections for later, the longest first. */
  readonly keepers = new Set<BudgetUser>();
  /** Who may have one that is not open yet. Of the healthy nobody asks. */
  readonly openers = new Set<BudgetUser>();

  constructor(share: number) {
    this.share = share;
  }

  /** Among whom it is shared. Who keeps some for later does without them. */
  get users(): number {
    return Math.max(1, this.holders - this.keepers.size + this.hungry.size);
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
    this.openers.delete(user);
  }
}

export class ConnectionBudget {
  readonly norm: Norm;
  /** Connections are scarce while fewer than these are free. */
  readonly #reserve: number;
  /** A user may have so many times what is left: a hundred together leave something to a newcomer. */
  readonly #timesLeft: number;
  #free: number;
  readonly #healthy: Camp;
  readonly #sick: Camp;
  #passedOver = 0;
  #isSharingOut = false;

  constructor(maxConnections: number, limits: BudgetLimits = DEFAULT_BUDGET_LIMITS) {
    const { sickPercent, scarcePercent, singlePercent } = limits;
    this.#reserve = (maxConnections * scarcePercent) / 100;
    this.#timesLeft = singlePercent / (100 - singlePercent);
    this.#free = maxConnections;
    this.#healthy = new Camp(maxConnections);
    this.#sick = new Camp(Math.max(1, Math.floor((maxConnections * sickPercent) / 100)));
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
      if (camp === this.#sick) camp.openers.add(user);
      return true;
    }
    (isFirst ? camp.hungry : camp.wanting).add(user);
    if (may || isFirst) this.#makeRoom(camp, isFirst ? 0 : RESTED_MS);
    return false;
  }

  #campOf({ isSick }: BudgetUser): Camp {
    return isSick ? this.#sick : this.#healthy;
  }

  /** Whether the user may have another connection, if one is free. */
  #may({ connections, isNew }: BudgetUser, camp: Camp): boolean {
    if (camp === this.#sick && this.#isSickFull) return false;
    if (connections === 0) return true;
    const kept = this.#healthy.keepers.size + this.#sick.keepers.size;
    if (connections >= this.#timesLeft * (this.#free + kept)) return false;
    const isScarce = camp === this.#sick || this.#free < this.#reserve;
    return !isScarce || (!isNew && connections < this.#fairShareOf(camp));
  }

  /** The sick have their share, and there is nothing that they could borrow. */
  get #isSickFull(): boolean {
    return (
      this.#sick.held >= this.#sick.share && (this.#free <= this.#reserve || this.#healthy.hungry.size > 0)
    );
  }

  /** What each may have while connections are scarce. */
  #fairShareOf(camp: Camp): number {
    const { share, held } = camp;
    const borrowed = camp === this.#sick ? held + this.#free - this.#reserve : 0;
    return Math.max(share, borrowed) / camp.users;
  }

  /** Somebody gives up a connection that idles, of the sick if they have one; to the healthy the sick give back what they borrowed. */
  #makeRoom(camp: Camp, keptMs: number): void {
    const [sick] = this.#sick.keepers;
    if (sick !== undefined) {
      sick.giveUpIdle(keptMs);
      return;
    }
    if (camp === this.#sick) {
      if (this.#isSickFull) return;
    } else if (this.#giveBackOpening()) return;
    const [keeper] = this.#healthy.keepers;
    keeper?.giveUpIdle(keptMs);
  }

  /** What a dead next hop holds comes back by itself at its deadline only, minutes later. */
  #giveBackOpening(): boolean {
    const { openers } = this.#sick;
    for (const user of openers) {
      if (!this.#hasBorrowed) return false;
      if (user.giveUpOpening()) return true;
      openers.delete(user);
    }
    return false;
  }

  get #hasBorrowed(): boolean {
    return this.#sick.held > this.#sick.share;
  }

  /** Whether the user gives up a connection that has come free, because of those who wait. Asked for every message. */
  mustYield(user: BudgetUser, hasMore: boolean): boolean {
    const camp = this.#campOf(user);
    const areHealthyHungry = this.#healthy.hungry.size > 0;
    if (camp === this.#sick && this.#hasBorrowed)
      if (areHealthyHungry || (this.#free === 0 && this.#healthy.wanting.size > 0)) return true;
    if (!areHealthyHungry && this.#sick.hungry.size === 0) return false;
    // The sick who wait for their share get nothing of what the healthy give up.
    const isWanted = areHealthyHungry || camp === this.#sick || !this.#isSickFull;
    return isWanted && (!hasMore || user.connections > Math.max(1, this.#fairShareOf(camp)));
  }

  /** The user has closed a connection. */
  release(user: BudgetUser): void {
    const camp = this.#campOf(user);
    this.#free += 1;
    camp.held -= 1;
    if (user.connections === 0) {
      camp.holders -= 1;
      camp.openers.delete(user);
    }
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
    this.#askWanting(this.#healthy);
    if (!this.#isSickFull) this.#askWanting(this.#sick);
    this.#isSharingOut = false;
  }

  /** First come, first served, the healthy before the sick; but the sick get turns too, as far as their share goes. */
  #nextHungry(): BudgetUser | undefined {
    const mayBeSick = this.#sick.hungry.size > 0 && !this.#isSickFull;
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
      if (this.#free === 0 || asked === ASKED_AT_ONCE) return;
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
    if (to === this.#sick) to.openers.add(user);
    else from.openers.delete(user);
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
