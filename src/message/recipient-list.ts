// The recipients of a message as sinks see them (REFERENCE 4.6): edited in place by address, or copy-on-write as a whole.
import { isMailbox, sameMailbox } from "../core/address.ts";
import type { Recipient } from "../core/envelope.ts";

/** A list under construction: what AllocNewList answers. Nothing takes effect before writeList(). */
export class NewRecipientList {
  readonly #items: Recipient[] = [];

  get items(): readonly Recipient[] {
    return this.#items;
  }

  /** Adds; an entry with the same address is replaced. `from` hands on the DSN options of an existing recipient. */
  addPrimary(address: string, from?: Recipient): void {
    const recipient = createRecipient(address, from);
    const index = this.#items.findIndex((item) => sameMailbox(item.address, address));
    if (index < 0) this.#items.push(recipient);
    else this.#items[index] = recipient;
  }

  /** Adds unless the address is there already; the answer says whether it was added. */
  addSecondary(address: string, from?: Recipient): boolean {
    if (this.#items.some((item) => sameMailbox(item.address, address))) return false;
    this.#items.push(createRecipient(address, from));
    return true;
  }
}

function createRecipient(address: string, from?: Recipient): Recipient {
  if (!isMailbox(address))
    throw new RangeError(`not a mailbox address: ${JSON.stringify(address.slice(0, 100))}`);
  return { ...from, address };
}

export class RecipientList {
  #items: readonly Recipient[];

  constructor(items: readonly Recipient[]) {
    this.#items = items;
  }

  get items(): readonly Recipient[] {
    return this.#items;
  }

  get count(): number {
    return this.#items.length;
  }

  [Symbol.iterator](): Iterator<Recipient> {
    return this.#items[Symbol.iterator]();
  }

  has(address: string): boolean {
    return this.#items.some((item) => sameMailbox(item.address, address));
  }

  /** Adds a recipient that is not there yet; the answer says whether it was added. Throws RangeError on no mailbox. */
  add(address: string, from?: Recipient): boolean {
    if (this.has(address)) return false;
    this.#items = [...this.#items, createRecipient(address, from)];
    return true;
  }

  /** Drops a recipient, without a report. */
  remove(address: string): boolean {
    const kept = this.#items.filter((item) => !sameMailbox(item.address, address));
    const removed = kept.length < this.#items.length;
    this.#items = kept;
    return removed;
  }

  /** The original's AllocNewList: re-add everything wanted, then writeList. */
  newList(): NewRecipientList {
    return new NewRecipientList();
  }

  writeList(list: NewRecipientList): void {
    this.#items = list.items.slice();
  }

  /** Replaces all addresses; those that stay keep their DSN options. */
  replaceAddresses(addresses: readonly string[]): void {
    const old = new Map(this.#items.map((item) => [item.address.toLowerCase(), item]));
    const list = this.newList();
    for (const address of addresses) list.addSecondary(address, old.get(address.toLowerCase()));
    this.writeList(list);
  }
}
