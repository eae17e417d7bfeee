// Whether a next hop takes commands behind content, as its connections have found out (decision 0045).

/** So many connections in a row may break before a next hop that has taken such commands is taken for one that does not. */
const MOST_LOSSES = 3;

export class GroupTrust {
  /** Commands may be sent behind content. */
  isGiven = true;
  #isProven = false;
  #losses = 0;

  /** It has answered them as it answers others. Told once for each connection. */
  taken(): void {
    this.#isProven = true;
    this.#losses = 0;
  }

  refused(): void {
    this.isGiven = false;
  }

  /** A connection was lost before its first commands behind content were answered: they may be why, or the network is. */
  lost(): void {
    this.#losses += 1;
    if (!this.#isProven || this.#losses >= MOST_LOSSES) this.isGiven = false;
  }
}
