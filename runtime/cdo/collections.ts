// Collections as scripts know them: callable (`msg.Fields("…")`), with Item and Count, iterable, and for Enumerator.
import { refuseWrite } from "./member-names.ts";
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

/** In place of the `length` of a function, which is 1 whatever the collection holds. Too dear for Fields, which every script asks for. */
export function defineLength(collection: Collection<unknown>): void {
  Object.defineProperty(collection, "length", {
    get: () => collection.Count,
    set: () => {
      refuseWrite("length");
    },
  });
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

const BINARY_COMPARE = 0;
const TEXT_COMPARE = 1;

/** Scripting.Dictionary: keys of any kind, in the order they were added. */
export class Dictionary extends Collection<unknown> {
  /** By what is compared: the key as it was added, and its item. */
  readonly #entries = new Map<unknown, [key: unknown, item: unknown]>();
  #compareMode = BINARY_COMPARE;

  #compared(key: unknown): unknown {
    return typeof key === "string" && this.#compareMode === TEXT_COMPARE ? key.toLowerCase() : key;
  }

  /** 0: texts are compared exactly; 1: without regard to case. */
  get CompareMode(): number {
    return this.#compareMode;
  }

  set CompareMode(value: unknown) {
    const mode = Number(value);
    if (mode !== BINARY_COMPARE && mode !== TEXT_COMPARE)
      throw new Error("Scripting.Dictionary: CompareMode is 0 or 1");
    if (this.#entries.size > 0)
      throw new Error("Scripting.Dictionary: CompareMode is set before the first key is added");
    this.#compareMode = mode;
  }

  override get Count(): number {
    return this.#entries.size;
  }

  Add(key: unknown, value: unknown): void {
    if (this.Exists(key)) throw new Error("Scripting.Dictionary: the key is already there");
    this.#entries.set(this.#compared(key), [key, value]);
  }

  Exists(key: unknown): boolean {
    return this.#entries.has(this.#compared(key));
  }

  override Item(key: unknown, ...value: unknown[]): unknown {
    const entry = this.#entries.get(this.#compared(key));
    if (value.length === 0) return entry?.[1];
    if (entry === undefined) this.Add(key, value[0]);
    else entry[1] = value[0];
    return value[0];
  }

  Items(): unknown[] {
    return Array.from(this.#entries.values(), ([, item]) => item);
  }

  Keys(): unknown[] {
    return Array.from(this.#entries.values(), ([key]) => key);
  }

  Remove(key: unknown): void {
    if (!this.#entries.delete(this.#compared(key)))
      throw new Error("Scripting.Dictionary: there is no such key");
  }

  RemoveAll(): void {
    this.#entries.clear();
  }

  override [Symbol.iterator](): Iterator<unknown> {
    return this.Keys()[Symbol.iterator]();
  }
}
