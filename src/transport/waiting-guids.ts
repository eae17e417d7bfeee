// The messages that wait and may be superseded, by their MP_MSG_GUID. There may be a million of them, parked on disk: each takes some
// fifty bytes here, in typed arrays, whatever its GUID is like.
import { hash } from "node:crypto";
import { IdTable, grown } from "../store/segments/id-table.ts";

const NONE = -1;
const FIRST_HEADS = 1024;

export class WaitingGuids {
  readonly #ids = new IdTable();
  /** By slot of the id. */
  #fingerprint = new Float64Array(0);
  #arrived = new Float64Array(0);
  #next = new Int32Array(0);
  /** Thousands may have one name, and each of them ends: nobody searches for it among the others. */
  #previous = new Int32Array(0);
  /** First slot by fingerprint. */
  #heads = new Int32Array(FIRST_HEADS).fill(NONE);
  /** Those whose ids this service did not make: they are never parked. */
  readonly #others = new Map<string, { readonly fingerprint: number; readonly arrived: number }>();

  get size(): number {
    return this.#ids.size + this.#others.size;
  }

  has(id: string): boolean {
    return this.#ids.find(id) !== NONE || this.#others.has(id);
  }

  add(id: string, guid: string, arrived: number): void {
    this.remove(id);
    const fingerprint = fingerprintOf(guid);
    if (!IdTable.fits(id)) {
      this.#others.set(id, { fingerprint, arrived });
      return;
    }
    const slot = this.#ids.add(id);
    this.#grow();
    this.#fingerprint[slot] = fingerprint;
    this.#arrived[slot] = arrived;
    this.#chain(slot);
  }

  remove(id: string): void {
    if (this.#others.delete(id)) return;
    const slot = this.#ids.find(id);
    if (slot === NONE) return;
    const next = this.#next[slot] ?? NONE;
    const previous = this.#previous[slot] ?? NONE;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else this.#heads[this.#headOf(this.#fingerprint[slot] ?? 0)] = next;
    this.#ids.remove(slot);
  }

  /** Ids of those that arrived earlier. Some of them may have another GUID, which only their message can tell. */
  olderThan(guid: string, arrived: number): string[] {
    const fingerprint = fingerprintOf(guid);
    const found: string[] = [];
    for (
      let slot = this.#heads[this.#headOf(fingerprint)] ?? NONE;
      slot !== NONE;
      slot = this.#next[slot] ?? NONE
    )
      if (this.#fingerprint[slot] === fingerprint && (this.#arrived[slot] ?? 0) < arrived)
        found.push(this.#ids.idAt(slot));
    for (const [id, other] of this.#others)
      if (other.fingerprint === fingerprint && other.arrived < arrived) found.push(id);
    return found;
  }

  #headOf(fingerprint: number): number {
    return fingerprint % this.#heads.length;
  }

  #chain(slot: number): void {
    const head = this.#headOf(this.#fingerprint[slot] ?? 0);
    const next = this.#heads[head] ?? NONE;
    if (next !== NONE) this.#previous[next] = slot;
    this.#next[slot] = next;
    this.#previous[slot] = NONE;
    this.#heads[head] = slot;
  }

  #grow(): void {
    const { capacity } = this.#ids;
    if (this.#next.length >= capacity) return;
    this.#fingerprint = grown(this.#fingerprint, (length) => new Float64Array(length), capacity);
    this.#arrived = grown(this.#arrived, (length) => new Float64Array(length), capacity);
    const known = this.#next.length;
    this.#next = new Int32Array(capacity);
    this.#previous = new Int32Array(capacity);
    this.#heads = new Int32Array(capacity).fill(NONE);
    // Only a full table grows: all of its slots are in use.
    for (let slot = 0; slot < known; slot += 1) this.#chain(slot);
  }
}

/** 48 bits. Sinks may take GUIDs from what strangers write: nobody can make many that come to the same number. */
const fingerprintOf = (guid: string): number => hash("sha256", guid, "buffer").readUIntBE(0, 6);
