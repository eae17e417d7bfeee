// IDropDirectory and IMessages (REFERENCE 1.8): the messages of the service's Drop folder, where the binding grants it.
import { Collection, defineLength } from "./collections.ts";
import { CdoError } from "./errors.ts";
import type { Host } from "../host.ts";
import { toText } from "./member-names.ts";
import { Message } from "./message.ts";
import { cut } from "../contract.ts";

export class DropDirectory {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** As the folder is now: what comes later is in the next one. */
  GetMessages(folder?: unknown): Messages {
    return new Messages(this.#host, this.#host.dropList(toText(folder)));
  }
}

/** A message is read when it is asked for, and once. */
interface Entry {
  readonly name: string;
  message: Message | undefined;
}

/** Items count from 1. */
export class Messages extends Collection<Message> {
  readonly #host: Host;
  #entries: Entry[];

  constructor(host: Host, names: readonly string[]) {
    super();
    this.#host = host;
    this.#entries = names.map((name) => ({ name, message: undefined }));
    defineLength(this);
  }

  override get Count(): number {
    return this.#entries.length;
  }

  override Item(index: unknown): Message {
    return this.#open(this.#at(index));
  }

  /** Of a message by its place, or of the message itself. */
  FileName(which: unknown): string {
    return this.#find(which).name;
  }

  /** Those behind it move up by one. */
  Delete(which: unknown): void {
    const entry = this.#find(which);
    this.#delete([entry]);
  }

  DeleteAll(): void {
    this.#delete(this.#entries);
  }

  override *[Symbol.iterator](): Iterator<Message> {
    // Over those that are there now: a script may delete what it has just got.
    const present = this.#entries;
    for (const entry of present) yield this.#open(entry);
  }

  #open(entry: Entry): Message {
    if (entry.message === undefined) {
      entry.message = new Message(this.#host, this.#host.dropOpen(entry.name));
      // It is no new one: its text is its own (REFERENCE 1.3.1).
      entry.message.AutoGenerateTextBody = false;
    }
    return entry.message;
  }

  #at(index: unknown): Entry {
    const place = typeof index === "object" ? Number.NaN : Number(index);
    const entry = Number.isInteger(place) ? this.#entries[place - 1] : undefined;
    if (entry !== undefined) return entry;
    throw new CdoError(
      "CDO_E_NOT_FOUND",
      `message ${cut(String(index), 40)} of ${this.Count} (they count from 1)`,
    );
  }

  #find(which: unknown): Entry {
    if (!(which instanceof Message)) return this.#at(which);
    const entry = this.#entries.find(({ message }) => message === which);
    if (entry !== undefined) return entry;
    throw new CdoError("CDO_E_NOT_FOUND", "the message is not in this collection");
  }

  #delete(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const left = new Set(this.#host.dropDelete(entries.map(({ name }) => name)));
    this.#entries = this.#entries.filter((entry) => !entries.includes(entry) || left.has(entry.name));
    if (left.size > 0)
      throw new CdoError("CDO_E_NOT_ALL_DELETED", `${left.size} of ${entries.length} messages are left`);
  }
}
