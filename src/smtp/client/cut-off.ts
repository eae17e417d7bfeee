// The end of the time that a virtual server had to finish: what is on the wire by then is broken off.

export class CutOff {
  readonly #ends = new Set<() => void>();
  #isOver = false;

  /** Who has not answered by then is not heard any more: the store has the message as it was. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** `end` is called when the time is over. The answer takes it back. */
  add(end: () => void): () => void {
    this.#ends.add(end);
    return () => void this.#ends.delete(end);
  }

  now(): void {
    this.#isOver = true;
    for (const end of this.#ends) end();
  }
}
