// A map for what comes and goes all the time, as messages do. V8 links the outgrown table of a Map to the next one, and a link out
// of old memory keeps the whole chain, with all entries that were ever in it, through every collection of young garbage: nothing that
// passed through a long-lived Map died young (docs/decisions/0042). Here the Map itself is replaced now and then, which ends the chain.

/** After so many deletions, or as many as there are entries: copying costs each deletion a move at most. */
const RENEW_AFTER = 256;

export class TurnoverMap<Key, Value> implements ReadonlyMap<Key, Value> {
  #map = new Map<Key, Value>();
  #deletions = 0;

  get size(): number {
    return this.#map.size;
  }

  has(key: Key): boolean {
    return this.#map.has(key);
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  set(key: Key, value: Value): this {
    this.#map.set(key, value);
    return this;
  }

  delete(key: Key): boolean {
    if (!this.#map.delete(key)) return false;
    this.#deletions += 1;
    if (this.#deletions >= RENEW_AFTER && this.#deletions >= this.#map.size) {
      this.#deletions = 0;
      this.#map = new Map(this.#map);
    }
    return true;
  }

  /** In the order in which they came. What is deleted meanwhile is left out; what is added meanwhile may be. */
  *entries(): MapIterator<[Key, Value]> {
    for (const [key, value] of this.#map) if (this.#map.has(key)) yield [key, this.#map.get(key) ?? value];
  }

  *keys(): MapIterator<Key> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<Value> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[Key, Value]> {
    return this.entries();
  }

  forEach(call: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void): void {
    for (const [key, value] of this.entries()) call(value, key, this);
  }
}
