// How many outgoing connections there may be in all (MaxOutConnections, REFERENCE 6.1 row 9), and who gets them: nobody takes the last
// ones who has some already, so that slow next hops cannot keep all others waiting.

export interface BudgetUser {
  /** Those that it has or is opening. */
  readonly connections: number;
  /** There may be room: it takes what it needs, or is told again. */
  roomAgain(): void;
  /** Ends one connection that it keeps for later. */
  giveUpIdle(): void;
}

/** A user may have so many times what is left: one alone four fifths, and a hundred together leave something to a newcomer. */
const SHARE = 4;
/** Of those who want more, how many are asked when there is room. */
const ASKED_AT_ONCE = 8;

export class ConnectionBudget {
  #free: number;
  /** Who has none and waits for one. */
  readonly #hungry = new Set<BudgetUser>();
  /** Who has some and wants more. */
  readonly #wanting = new Set<BudgetUser>();
  /** Who keeps connections for later. */
  readonly #keepers = new Set<BudgetUser>();

  constructor(maxConnections: number) {
    this.#free = maxConnections;
  }

  /** False: the user is told when there is room. That may be before the answer, when somebody gives up a connection. */
  take(user: BudgetUser): boolean {
    const { connections } = user;
    if (this.#free > 0 && connections < SHARE * this.#free) {
      this.#free -= 1;
      return true;
    }
    (connections === 0 ? this.#hungry : this.#wanting).add(user);
    if (this.#free > 0) return false;
    const [keeper] = this.#keepers;
    keeper?.giveUpIdle();
    return false;
  }

  /** Somebody has none and waits: who has several gives up the next one that comes free. */
  get isShort(): boolean {
    return this.#hungry.size > 0;
  }

  release(): void {
    this.#free += 1;
    for (const user of this.#hungry) {
      if (this.#free === 0) return;
      this.#hungry.delete(user);
      user.roomAgain();
    }
    let asked = 0;
    for (const user of this.#wanting) {
      if (this.#free === 0 || asked === ASKED_AT_ONCE) return;
      asked += 1;
      this.#wanting.delete(user);
      user.roomAgain();
    }
  }

  keeps(user: BudgetUser, isKeeping: boolean): void {
    if (isKeeping) this.#keepers.add(user);
    else this.#keepers.delete(user);
  }

  /** The user needs nothing more. */
  leave(user: BudgetUser): void {
    this.#hungry.delete(user);
    this.#wanting.delete(user);
    this.#keepers.delete(user);
  }
}
