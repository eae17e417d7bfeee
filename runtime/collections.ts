// Collections as scripts know them: callable (`msg.Fields("…")`), with Item and Count, iterable, and for Enumerator.
/* oxlint-disable typescript/no-unsafe-type-assertion, typescript/no-unnecessary-type-assertion -- a function becomes the instance */

/** An object that can also be called, with Item as its default member. */
abstract class CallableCollection {
  constructor() {
    const self: unknown = Object.setPrototypeOf(
      (index: unknown): unknown => (self as CallableCollection).Item(index),
      new.target.prototype as object,
    );
    return self as CallableCollection;
  }

  abstract Item(index: unknown): unknown;
}

/** The members that all collections share. */
export abstract class Collection<T> extends CallableCollection {
  abstract get Count(): number;
  abstract override Item(index: unknown): T;
  abstract [Symbol.iterator](): Iterator<T>;
}

/** JScript's way to walk a collection. */
export class Enumerator {
  readonly #items: unknown[];
  #at = 0;

  constructor(collection?: Iterable<unknown>) {
    this.#items = collection === undefined ? [] : [...collection];
  }

  atEnd(): boolean {
    return this.#at >= this.#items.length;
  }

  item(): unknown {
    return this.#items[this.#at];
  }

  moveFirst(): void {
    this.#at = 0;
  }

  moveNext(): void {
    if (!this.atEnd()) this.#at += 1;
  }
}

/** Scripting.Dictionary: keys of any kind, compared exactly, in the order they were added. */
export class Dictionary extends Collection<unknown> {
  readonly #entries = new Map<unknown, unknown>();

  override get Count(): number {
    return this.#entries.size;
  }

  Add(key: unknown, value: unknown): void {
    if (this.#entries.has(key)) throw new Error("Scripting.Dictionary: the key is already there");
    this.#entries.set(key, value);
  }

  Exists(key: unknown): boolean {
    return this.#entries.has(key);
  }

  override Item(key: unknown, ...value: unknown[]): unknown {
    if (value.length > 0) this.#entries.set(key, value[0]);
    return this.#entries.get(key);
  }

  Items(): unknown[] {
    return [...this.#entries.values()];
  }

  Keys(): unknown[] {
    return [...this.#entries.keys()];
  }

  Remove(key: unknown): void {
    if (!this.#entries.delete(key)) throw new Error("Scripting.Dictionary: there is no such key");
  }

  RemoveAll(): void {
    this.#entries.clear();
  }

  override [Symbol.iterator](): Iterator<unknown> {
    return this.#entries.keys();
  }
}
