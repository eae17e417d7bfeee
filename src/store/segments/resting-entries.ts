// Where the records of messages lie that nothing happens to: numbers in a few arrays, and no object per message. An entry is
// taken out to be worked with, and put back when nothing of it is on its way any more.
import { IdTable, grown } from "./id-table.ts";
import { Entry, type Place, type Segment, replaceState } from "./message-index.ts";

/** Per message: revision and place of the content, and segment, offset, length of its message record and its last state. */
const REVISION = 0;
const MESSAGE = 1;
const STATE = 4;
const COLUMNS = 7;
/** In place of a segment: there is no such record. */
const ABSENT = 0;
const MAX_NUMBER = 0xffff_ffff;
/** The lowest bits of the first number say where the content is. */
const IN_MESSAGE = 0;
const IN_STATE = 1;
const ELSEWHERE = 2;
const KIND_FACTOR = 4;
const MAX_REVISION = Math.floor(MAX_NUMBER / KIND_FACTOR);
/** Segment, offset, length of the content. */
const CONTENT_COLUMNS = 3;

export class RestingEntries {
  readonly #ids = new IdTable();
  #numbers = new Uint32Array(this.#ids.capacity * COLUMNS);
  /** Of contents that are neither in the message record nor in the last state: as long as sinks edit nothing, of none. */
  #contents = new Uint32Array(0);
  readonly #segments = new Map<number, Segment>();

  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.find(id) >= 0;
  }

  /** No entry has a record in it any more. */
  forget(segment: Segment): void {
    this.#segments.delete(segment.sequence);
  }

  /** false: it has to stay an object. Contents in files of their own are few, and records past 4 GiB as well. */
  put(entry: Entry): boolean {
    const { id, message, state, content, file, revision } = entry;
    if (message === undefined || content === undefined || file !== undefined || !IdTable.fits(id))
      return false;
    if (!fits(message) || !fits(content) || (state !== undefined && !fits(state)) || revision > MAX_REVISION)
      return false;
    const slot = this.#ids.add(id);
    this.#numbers = grown(this.#numbers, makeNumbers, this.#ids.capacity * COLUMNS);
    const row = slot * COLUMNS;
    let kind = ELSEWHERE;
    if (content === message) kind = IN_MESSAGE;
    else if (content === state) kind = IN_STATE;
    this.#numbers[row + REVISION] = revision * KIND_FACTOR + kind;
    this.#write(this.#numbers, row + MESSAGE, message);
    if (state === undefined) this.#numbers[row + STATE] = ABSENT;
    else this.#write(this.#numbers, row + STATE, state);
    if (kind === ELSEWHERE) {
      this.#contents = grown(this.#contents, makeNumbers, this.#ids.capacity * CONTENT_COLUMNS);
      this.#write(this.#contents, slot * CONTENT_COLUMNS, content);
    }
    return true;
  }

  take(id: string): Entry | undefined {
    const slot = this.#ids.find(id);
    if (slot < 0) return undefined;
    const entry = this.#entryAt(slot, id);
    this.#ids.remove(slot);
    return entry;
  }

  /** It has a later state without content, and rests on. false: it does not rest, or its content is not that of the message. */
  placeState(id: string, revision: number, place: Place): boolean {
    const slot = this.#ids.find(id);
    if (slot < 0 || !fits(place)) return false;
    const row = slot * COLUMNS;
    if (this.#numbers[row + REVISION] !== revision * KIND_FACTOR + IN_MESSAGE) return false;
    replaceState(this.#read(this.#numbers, row + STATE), place);
    this.#write(this.#numbers, row + STATE, place);
    return true;
  }

  /** A copy. */
  peek(id: string): Entry | undefined {
    const slot = this.#ids.find(id);
    return slot < 0 ? undefined : this.#entryAt(slot, id);
  }

  *ids(): Generator<string> {
    for (const slot of this.#ids.slots()) yield this.#ids.idAt(slot);
  }

  /** Ids of the messages that have a record in the segment. */
  *idsIn({ sequence }: Segment): Generator<string> {
    for (const slot of this.#ids.slots()) {
      const row = slot * COLUMNS;
      const isIn =
        this.#numbers[row + MESSAGE] === sequence ||
        this.#numbers[row + STATE] === sequence ||
        (this.#kindAt(slot) === ELSEWHERE && this.#contents[slot * CONTENT_COLUMNS] === sequence);
      if (isIn) yield this.#ids.idAt(slot);
    }
  }

  #kindAt(slot: number): number {
    return (this.#numbers[slot * COLUMNS + REVISION] ?? 0) % KIND_FACTOR;
  }

  #entryAt(slot: number, id: string): Entry {
    const row = slot * COLUMNS;
    const entry = new Entry(id);
    entry.revision = Math.floor((this.#numbers[row + REVISION] ?? 0) / KIND_FACTOR);
    entry.message = this.#read(this.#numbers, row + MESSAGE);
    entry.state = this.#read(this.#numbers, row + STATE);
    const kind = this.#kindAt(slot);
    if (kind === IN_MESSAGE) entry.content = entry.message;
    else if (kind === IN_STATE) entry.content = entry.state;
    else entry.content = this.#read(this.#contents, slot * CONTENT_COLUMNS);
    return entry;
  }

  #write(numbers: Uint32Array, at: number, { segment, offset, bytes }: Place): void {
    this.#segments.set(segment.sequence, segment);
    numbers[at] = segment.sequence;
    numbers[at + 1] = offset;
    numbers[at + 2] = bytes;
  }

  #read(numbers: Uint32Array, at: number): Place | undefined {
    const segment = this.#segments.get(numbers[at] ?? ABSENT);
    if (segment === undefined) return undefined;
    return { segment, offset: numbers[at + 1] ?? 0, bytes: numbers[at + 2] ?? 0 };
  }
}

const makeNumbers = (length: number): Uint32Array<ArrayBuffer> => new Uint32Array(length);

const fits = ({ segment, offset, bytes }: Place): boolean =>
  segment.sequence > ABSENT && segment.sequence <= MAX_NUMBER && offset <= MAX_NUMBER && bytes <= MAX_NUMBER;
