// What a next hop has shown of itself: sick is one that failed last, that says nothing, or that takes much longer than others.
// The budget of connections asks for it.

export interface SlowLimits {
  /** Nothing faster than this is slow. */
  readonly slowMs: number;
  /** Slow is who takes so many times as long as others. */
  readonly slowFactor: number;
}

/** By which part one message moves what counts as usual: about a hundred tell. */
const NORM_STEP = 0.02;
/** How much the last message says of a next hop's pace. */
const LAST_WEIGHT = 0.25;
/** A process that was busy finds all next hops silent in one look: the replies that wait are read before the next. */
const QUIET_LOOKS = 2;

/** How long others take: about the median of all messages, whatever the slowest do. */
export class Norm {
  readonly #limits: SlowLimits;
  #usualMs: number | undefined;

  constructor(limits: SlowLimits) {
    this.#limits = limits;
  }

  took(ms: number): void {
    // From nothing no step would lead upwards.
    const least = Math.max(1, ms);
    const usual = (this.#usualMs ??= least);
    this.#usualMs = usual * (least > usual ? 1 + NORM_STEP : 1 - NORM_STEP);
  }

  isSlow(ms: number): boolean {
    const { slowMs, slowFactor } = this.#limits;
    return ms > slowMs && ms > slowFactor * (this.#usualMs ?? 0);
  }
}

export class Standing {
  readonly #norm: Norm;
  /** No session with it was ever opened. */
  isNew = true;
  #meanMs: number | undefined;
  #hasFailed = false;
  #isSilent = false;
  #heardAt = 0;
  #quietLooks = 0;

  constructor(norm: Norm) {
    this.#norm = norm;
  }

  get isSick(): boolean {
    return this.#hasFailed || this.#isSilent || this.#norm.isSlow(this.#meanMs ?? 0);
  }

  /** How long its transactions take; undefined before the first. */
  get paceMs(): number | undefined {
    return this.#meanMs;
  }

  /** From now on it owes an answer. */
  asked(now: number): void {
    this.#heardAt = now;
    this.#quietLooks = 0;
  }

  /** A session was opened. One that greets fast and takes messages slowly is slow; so is one that greets slowly. */
  opened(now: number, tookMs: number): void {
    this.asked(now);
    this.isNew = false;
    this.#isSilent = false;
    this.#norm.took(tookMs);
    if (this.#norm.isSlow(tookMs)) this.#meanMs = Math.max(tookMs, this.#meanMs ?? 0);
  }

  /** A message has its replies; undefined: the time it took says nothing. */
  answered(now: number, tookMs: number | undefined): void {
    this.asked(now);
    this.#hasFailed = false;
    this.#isSilent = false;
    if (tookMs === undefined) return;
    this.#norm.took(tookMs);
    this.#meanMs = this.#meanMs === undefined ? tookMs : this.#meanMs + LAST_WEIGHT * (tookMs - this.#meanMs);
  }

  failed(): void {
    this.#hasFailed = true;
  }

  /** Called now and then while it owes an answer. */
  look(now: number): void {
    this.#quietLooks += 1;
    if (this.#quietLooks > QUIET_LOOKS && this.#norm.isSlow(now - this.#heardAt)) this.#isSilent = true;
  }
}
