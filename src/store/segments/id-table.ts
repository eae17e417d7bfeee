// Message ids in typed arrays, each with a slot number: for a million messages a tenth of what a Map of strings and objects takes.
import { ID_LENGTH } from "../../core/message-ids.ts";

const NONE = -1;
const FIRST_CAPACITY = 1024;
/** The first byte of a slot that is free: no id begins with it. */
const FREE = 0;

export class IdTable {
  #bytes = Buffer.alloc(FIRST_CAPACITY * ID_LENGTH);
  /** First slot by hash. */
  #heads = new Int32Array(FIRST_CAPACITY).fill(NONE);
  /** The next slot of the same hash; of a free slot the next free one. */
  #nexts = new Int32Array(FIRST_CAPACITY).fill(NONE);
  #free = NONE;
  /** Slots that were ever used. */
  #used = 0;
  size = 0;

  /** Whether the id is of the kind that this service makes. */
  static fits(id: string): boolean {
    return id.length === ID_LENGTH;
  }

  get capacity(): number {
    return this.#nexts.length;
  }

  /** The slot of an id that is not in the table yet. */
  add(id: string): number {
    if (this.#free === NONE && this.#used === this.capacity) this.#grow();
    let slot = this.#free;
    if (slot === NONE) {
      slot = this.#used;
      this.#used += 1;
    } else {
      this.#free = this.#nexts[slot] ?? NONE;
    }
    this.#bytes.write(id, slot * ID_LENGTH, ID_LENGTH, "latin1");
    this.#chain(slot, hashOf(id));
    this.size += 1;
    return slot;
  }

  /** -1: the id is not in the table. */
  find(id: string): number {
    if (this.size === 0 || id.length !== ID_LENGTH) return NONE;
    let slot = this.#heads[hashOf(id) & (this.#heads.length - 1)] ?? NONE;
    while (slot !== NONE && !this.#holds(slot, id)) slot = this.#nexts[slot] ?? NONE;
    return slot;
  }

  idAt(slot: number): string {
    return this.#bytes.toString("latin1", slot * ID_LENGTH, (slot + 1) * ID_LENGTH);
  }

  remove(slot: number): void {
    const head = hashOf(this.idAt(slot)) & (this.#heads.length - 1);
    const next = this.#nexts[slot] ?? NONE;
    let at = this.#heads[head] ?? NONE;
    if (at === slot) {
      this.#heads[head] = next;
    } else {
      while (this.#nexts[at] !== slot) at = this.#nexts[at] ?? NONE;
      this.#nexts[at] = next;
    }
    this.#bytes[slot * ID_LENGTH] = FREE;
    this.#nexts[slot] = this.#free;
    this.#free = slot;
    this.size -= 1;
  }

  *slots(): Generator<number> {
    for (let slot = 0; slot < this.#used; slot += 1) if (this.#bytes[slot * ID_LENGTH] !== FREE) yield slot;
  }

  /** Up to `most` ids that begin so. No string is made for the others: there may be a million. */
  idsWith(prefix: string, most: number): string[] {
    const found: string[] = [];
    if (prefix.length > ID_LENGTH) return found;
    const wanted = Buffer.from(prefix, "latin1");
    // Of a character beyond latin1 only the low byte is left, which is another character.
    if (wanted.toString("latin1") !== prefix) return found;
    for (const slot of this.slots()) {
      const start = slot * ID_LENGTH;
      if (this.#bytes.compare(wanted, 0, wanted.length, start, start + wanted.length) !== 0) continue;
      if (found.push(this.idAt(slot)) === most) break;
    }
    return found;
  }

  #holds(slot: number, id: string): boolean {
    const start = slot * ID_LENGTH;
    // From the end: ids of one time begin alike, and differ in the counter at best.
    for (let at = ID_LENGTH - 1; at >= 0; at -= 1)
      if (this.#bytes[start + at] !== id.charCodeAt(at)) return false;
    return true;
  }

  #chain(slot: number, hash: number): void {
    const head = hash & (this.#heads.length - 1);
    this.#nexts[slot] = this.#heads[head] ?? NONE;
    this.#heads[head] = slot;
  }

  #grow(): void {
    const capacity = this.capacity * 2;
    const bytes = Buffer.alloc(capacity * ID_LENGTH);
    this.#bytes.copy(bytes);
    this.#bytes = bytes;
    this.#heads = new Int32Array(capacity).fill(NONE);
    this.#nexts = new Int32Array(capacity).fill(NONE);
    // Only a full table grows: no slot is free.
    for (let slot = 0; slot < this.#used; slot += 1) this.#chain(slot, hashOf(this.idAt(slot)));
  }
}

/** FNV-1a. The ids are our own: nobody can choose some that collide. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The same numbers in an array of at least this length. */
export function grown<Numbers extends Uint32Array | Int32Array | Float64Array | Uint8Array>(
  numbers: Numbers,
  make: (length: number) => Numbers,
  capacity: number,
): Numbers {
  if (numbers.length >= capacity) return numbers;
  const larger = make(capacity);
  larger.set(numbers);
  return larger;
}
