// Every message of the store that has not ended: as an object while something happens to it, as numbers while it rests.
import { TurnoverMap } from "../../core/turnover-map.ts";
import { type Entry, type Place, type Segment, touches } from "./message-index.ts";
import { RestingEntries } from "./resting-entries.ts";

export class LivingMessages {
  readonly #working = new TurnoverMap<string, Entry>();
  readonly #resting = new RestingEntries();

  get size(): number {
    return this.#working.size + this.#resting.size;
  }

  /** Those that do not rest. */
  get workingCount(): number {
    return this.#working.size;
  }

  has(id: string): boolean {
    return this.#working.has(id) || this.#resting.has(id);
  }

  /** From now on it is an object, until it is told to rest again. */
  get(id: string): Entry | undefined {
    const entry = this.#working.get(id) ?? this.#wake(id);
    if (entry !== undefined) entry.resting = false;
    return entry;
  }

  /** To look at: nothing happens to the message, and what is changed of the answer is lost. */
  peek(id: string): Entry | undefined {
    return this.#working.get(id) ?? this.#resting.peek(id);
  }

  add(entry: Entry): void {
    this.#working.set(entry.id, entry);
  }

  /** Of a state without content. false: it takes the entry to tell what it means. */
  placeState(id: string, revision: number, place: Place): boolean {
    return this.#resting.placeState(id, revision, place);
  }

  end(entry: Entry): void {
    this.#working.delete(entry.id);
  }

  /** Settled as soon as none of its records is on its way any more. Undefined: it rests already. */
  rest(id: string): Entry | undefined {
    const entry = this.#working.get(id);
    if (entry === undefined) return undefined;
    entry.resting = true;
    // Compaction that is copying its records has to see that they may be elsewhere afterwards.
    entry.version += 1;
    return entry;
  }

  settle(entry: Entry): void {
    if (!entry.resting || entry.unlanded > 0 || entry.removed || entry.fresh !== undefined) return;
    // Compaction may hold an object whose message rests already.
    if (this.#working.get(entry.id) !== entry) return;
    if (this.#resting.put(entry)) this.#working.delete(entry.id);
  }

  segmentRemoved(segment: Segment): void {
    this.#resting.forget(segment);
  }

  ids(): string[] {
    return [...this.#working.keys(), ...this.#resting.ids()];
  }

  /** Those that have a record in the segment. One that rested goes on to rest when the caller settles it. */
  *touching(segment: Segment): Generator<Entry> {
    for (const entry of this.#working.values()) if (touches(entry, segment)) yield entry;
    for (const id of this.#resting.idsIn(segment)) {
      const entry = this.#wake(id);
      if (entry !== undefined) yield entry;
    }
  }

  #wake(id: string): Entry | undefined {
    const entry = this.#resting.take(id);
    if (entry === undefined) return undefined;
    entry.resting = true;
    this.#working.set(id, entry);
    return entry;
  }
}
