// A list of recipients under construction: what AllocNewList answers (IMailMsgRecipientsAdd, REFERENCE 4.6). Nothing takes
// effect before writeList().
import { requireMailbox, sameMailbox } from "../core/address.ts";
import type { Recipient } from "../core/envelope.ts";
import { propertyInvalid, type PropertyLimits } from "./property-values.ts";
import { type EntryMarks, RecipientProperties } from "./recipient-properties.ts";

export interface NewEntryOptions {
  /** IMMPID_RPV_NO_NAME_COLLISIONS: it is no duplicate of another, nor another of it. */
  readonly noNameCollisions?: boolean;
}

class Entry implements EntryMarks {
  recipient: Recipient;
  /** IMMPID_RPV_DONT_DELIVER: writeList leaves it out. */
  dontDeliver = false;
  readonly #list: NewRecipientList;
  #noNameCollisions: boolean;

  constructor(list: NewRecipientList, recipient: Recipient, noNameCollisions: boolean) {
    this.#list = list;
    this.recipient = recipient;
    this.#noNameCollisions = noNameCollisions;
  }

  get marks(): EntryMarks {
    return this;
  }

  get noNameCollisions(): boolean {
    return this.#noNameCollisions;
  }

  set noNameCollisions(isExempt: boolean) {
    if (isExempt === this.#noNameCollisions) return;
    const { address } = this.recipient;
    if (isExempt) this.#list.forget(this, address);
    else this.#list.claim(this, address);
    this.#noNameCollisions = isExempt;
  }

  replace(changed: Recipient): void {
    const { address } = this.recipient;
    if (!this.#noNameCollisions && !sameMailbox(changed.address, address)) {
      this.#list.claim(this, changed.address);
      this.#list.forget(this, address);
    }
    this.recipient = changed;
  }
}

export class NewRecipientList {
  readonly #limits: PropertyLimits;
  readonly #entries: Entry[] = [];
  /** The entries that later ones may be duplicates of, by their addresses in lower case. */
  readonly #byAddress = new Map<string, Entry>();

  constructor(limits: PropertyLimits) {
    this.#limits = limits;
  }

  /** What writeList makes the list of the message. */
  get items(): readonly Recipient[] {
    return this.#entries.filter(({ dontDeliver }) => !dontDeliver).map(({ recipient }) => recipient);
  }

  /** Entries, those that are not to be delivered included. */
  get count(): number {
    return this.#entries.length;
  }

  /** Adds; an entry with the same address is replaced (S_FALSE). `from` hands on the properties of an existing recipient. */
  addPrimary(address: string, from?: Recipient, options?: NewEntryOptions): "added" | "replaced" {
    const recipient = createRecipient(address, from);
    const known = options?.noNameCollisions === true ? undefined : this.#byAddress.get(address.toLowerCase());
    if (known === undefined) {
      this.#add(recipient, options);
      return "added";
    }
    known.recipient = recipient;
    known.dontDeliver = false;
    return "replaced";
  }

  /** Adds unless the address is there already (MAILMSG_E_DUPLICATE); the answer says whether it was added. */
  addSecondary(address: string, from?: Recipient, options?: NewEntryOptions): boolean {
    const recipient = createRecipient(address, from);
    if (options?.noNameCollisions !== true && this.#byAddress.has(address.toLowerCase())) return false;
    this.#add(recipient, options);
    return true;
  }

  /** Of the entry with this position or address. Throws RangeError when there is none. */
  propertiesOf(which: number | string): RecipientProperties {
    const entry =
      typeof which === "number"
        ? this.#entries[which]
        : (this.#byAddress.get(which.toLowerCase()) ??
          this.#entries.find(({ recipient }) => sameMailbox(recipient.address, which)));
    if (entry === undefined) throw new RangeError(`the new list has no entry ${which}`);
    return new RecipientProperties(entry, this.#limits);
  }

  /** Of its entries: later ones with the address are duplicates of this one. Throws when it would be a duplicate itself. */
  claim(entry: Entry, address: string): void {
    const key = address.toLowerCase();
    if (this.#byAddress.has(key))
      throw propertyInvalid("RP_ADDRESS_SMTP", `would be a duplicate: ${address}`);
    this.#byAddress.set(key, entry);
  }

  forget(entry: Entry, address: string): void {
    const key = address.toLowerCase();
    if (this.#byAddress.get(key) === entry) this.#byAddress.delete(key);
  }

  #add(recipient: Recipient, options: NewEntryOptions | undefined): void {
    const isExempt = options?.noNameCollisions === true;
    const entry = new Entry(this, recipient, isExempt);
    this.#entries.push(entry);
    if (!isExempt) this.#byAddress.set(recipient.address.toLowerCase(), entry);
  }
}

export function createRecipient(address: string, from?: Recipient): Recipient {
  requireMailbox(address);
  // Of a text each character would become a property.
  if (from !== undefined && typeof from !== "object")
    throw new TypeError("from has to be a recipient, as msg.recipients.items has them");
  return { ...from, address };
}
