// A line of many: first in, first out, without moving the others each time.

/** Length of the used-up start of the array at which it is cut off. */
const CUT_LENGTH = 10_000;

export class Fifo<Item> {
  /** The place of one that was taken is emptied: what the array held on to would stay in memory (docs/decisions/0042). */
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.length === 0 || this.#head > CUT_LENGTH) this.#cut();
    return item;
  }

  /** Up to `most` items from the front, which stay in the line. */
  first(most: number): Item[] {
    return this.#items.slice(this.#head, this.#head + most).filter((item) => item !== undefined);
  }

  /** Drops the items for which `stays` is false; the others keep their order. */
  keep(stays: (item: Item) => boolean): void {
    this.#cut();
    this.#items = this.#items.filter((item) => item !== undefined && stays(item));
  }

  #cut(): void {
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
