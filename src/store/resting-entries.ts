// Where the records of messages lie that nothing happens to: numbers in one array, and no object per message. An entry is
// taken out to be worked with, and put back when nothing of it is on its way any more.
import { IdTable } from "./id-table.ts";
import { Entry, type Place, type Segment } from "./message-index.ts";

/** Per message: revision, and segment, offset, length of its message record, its last state, and its content elsewhere. */
const REVISION = 0;
const MESSAGE = 1;
const STATE = 4;
const CONTENT = 7;
const COLUMNS = 10;
/** In place of a segment: there is no such record, or the content is that of the message or of the state. */
const ABSENT = 0;
const IN_MESSAGE = 0;
const IN_STATE = 0xffff_ffff;
const MAX_NUMBER = 0xffff_fffe;

export class RestingEntries {
  readonly #ids = new IdTable();
  #numbers = new Uint32Array(this.#ids.capacity * COLUMNS);
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
    if (![message, state ?? message, content].every(fits) || revision > MAX_NUMBER) return false;
    const slot = this.#ids.add(id);
    if (this.#numbers.length < this.#ids.capacity * COLUMNS) {
      const numbers = new Uint32Array(this.#ids.capacity * COLUMNS);
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    const row = slot * COLUMNS;
    this.#numbers[row + REVISION] = revision;
    this.#write(row + MESSAGE, message);
    if (state === undefined) this.#numbers[row + STATE] = ABSENT;
    else this.#write(row + STATE, state);
    if (content === message) this.#numbers[row + CONTENT] = IN_MESSAGE;
    else if (content === state) this.#numbers[row + CONTENT] = IN_STATE;
    else this.#write(row + CONTENT, content);
    return true;
  }

  take(id: string): Entry | undefined {
    const slot = this.#ids.find(id);
    if (slot < 0) return undefined;
    const row = slot * COLUMNS;
    const entry = new Entry(id);
    entry.revision = this.#numbers[row + REVISION] ?? 0;
    entry.message = this.#read(row + MESSAGE);
    entry.state = this.#numbers[row + STATE] === ABSENT ? undefined : this.#read(row + STATE);
    const content = this.#numbers[row + CONTENT];
    if (content === IN_MESSAGE) entry.content = entry.message;
    else entry.content = content === IN_STATE ? entry.state : this.#read(row + CONTENT);
    this.#ids.remove(slot);
    return entry;
  }

  *ids(): Generator<string> {
    for (const slot of this.#ids.slots()) yield this.#ids.idAt(slot);
  }

  /** Ids of the messages that have a record in the segment. */
  *idsIn({ sequence }: Segment): Generator<string> {
    for (const slot of this.#ids.slots()) {
      const row = slot * COLUMNS;
      const inMessage = this.#numbers[row + MESSAGE] === sequence;
      if (inMessage || this.#numbers[row + STATE] === sequence || this.#numbers[row + CONTENT] === sequence)
        yield this.#ids.idAt(slot);
    }
  }

  #write(at: number, { segment, offset, bytes }: Place): void {
    this.#segments.set(segment.sequence, segment);
    this.#numbers[at] = segment.sequence;
    this.#numbers[at + 1] = offset;
    this.#numbers[at + 2] = bytes;
  }

  #read(at: number): Place | undefined {
    const segment = this.#segments.get(this.#numbers[at] ?? ABSENT);
    if (segment === undefined) return undefined;
    return { segment, offset: this.#numbers[at + 1] ?? 0, bytes: this.#numbers[at + 2] ?? 0 };
  }
}

const fits = ({ segment, offset, bytes }: Place): boolean =>
  segment.sequence > ABSENT && segment.sequence <= MAX_NUMBER && offset <= MAX_NUMBER && bytes <= MAX_NUMBER;
