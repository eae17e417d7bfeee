// The recipients of a message as sinks see them (REFERENCE 4.6): edited in place by address, or copy-on-write as a whole.
import { domainOf, localPartOf, sameMailbox } from "../core/address.ts";
import type { Recipient } from "../core/envelope.ts";
import { NewRecipientList, createRecipient } from "./new-recipient-list.ts";
import { DEFAULT_PROPERTY_LIMITS, type PropertyLimits, propertyInvalid } from "./property-values.ts";
import { flagsOf } from "./recipient-flags.ts";
import { type RecipientPlace, RecipientProperties } from "./recipient-properties.ts";

/** The recipients of one domain. */
export interface DomainRecipients {
  /** In lower case; "" for addresses without one. */
  readonly domain: string;
  readonly recipients: readonly Recipient[];
}

/** The address whose route a recipient takes: its own, unless IMMPID_RP_DOMAIN names another domain. */
export function routedAddressOf({ address, properties }: Recipient): string {
  const other = properties?.["RP_DOMAIN"];
  return typeof other === "string" ? `${localPartOf(address)}@${other}` : address;
}

const routedDomainOf = (recipient: Recipient): string => domainOf(routedAddressOf(recipient));

export class RecipientList {
  readonly #limits: PropertyLimits;
  #items: readonly Recipient[];
  #domains: { readonly of: readonly Recipient[]; readonly groups: readonly DomainRecipients[] } | undefined;

  constructor(items: readonly Recipient[], limits: PropertyLimits = DEFAULT_PROPERTY_LIMITS) {
    this.#items = items;
    this.#limits = limits;
  }

  /** In their order; each change makes another array. */
  get items(): readonly Recipient[] {
    return this.#items;
  }

  get count(): number {
    return this.#items.length;
  }

  [Symbol.iterator](): Iterator<Recipient> {
    return this.#items[Symbol.iterator]();
  }

  /** Whether one of them has the address, in whatever case. */
  has(address: string): boolean {
    return this.#items.some((item) => sameMailbox(item.address, address));
  }

  /** Adds a recipient that is not there yet; the answer says whether it was added. Throws RangeError on no mailbox. */
  add(address: string, from?: Recipient): boolean {
    if (this.has(address)) return false;
    this.#items = [...this.#items, createRecipient(address, from)];
    return true;
  }

  /** Drops a recipient, without a report; the answer says whether it was there. */
  remove(address: string): boolean {
    const kept = this.#items.filter((item) => !sameMailbox(item.address, address));
    const removed = kept.length < this.#items.length;
    this.#items = kept;
    return removed;
  }

  /** The properties of the recipient with this position or address. Throws RangeError when there is none. */
  propertiesOf(which: number | string): RecipientProperties {
    const found =
      typeof which === "number"
        ? this.#items[which]
        : this.#items.find((item) => sameMailbox(item.address, which));
    if (found === undefined) throw new RangeError(`there is no recipient ${which}`);
    return new RecipientProperties(this.#placeOf(found), this.#limits);
  }

  /** The recipients whose RP_* flags are `flags` where `mask` has bits: the original's filter context. */
  matching(flags: number, mask: number = flags): readonly Recipient[] {
    return this.#items.filter((item) => (flagsOf(item) & mask) >>> 0 === flags >>> 0);
  }

  get domainCount(): number {
    return this.domains.length;
  }

  /** Throws RangeError beyond the last one. */
  domain(index: number): DomainRecipients {
    const group = this.domains[index];
    if (group === undefined) throw new RangeError(`there are ${this.domainCount} domains, none is ${index}`);
    return group;
  }

  /** The recipients by the domain whose route they take, in the order in which the domains first occur. */
  get domains(): readonly DomainRecipients[] {
    if (this.#domains?.of !== this.#items) {
      const groups = Map.groupBy(this.#items, routedDomainOf);
      this.#domains = {
        of: this.#items,
        groups: [...groups].map(([domain, recipients]) => ({ domain, recipients })),
      };
    }
    return this.#domains.groups;
  }

  /** The original's AllocNewList: re-add everything wanted, then writeList. */
  newList(): NewRecipientList {
    return new NewRecipientList(this.#limits);
  }

  /** The recipients are those of `list` from now on. */
  writeList(list: NewRecipientList): void {
    this.#items = list.items;
  }

  /** Replaces all addresses; those that stay keep their properties. */
  replaceAddresses(addresses: readonly string[]): void {
    const old = new Map(this.#items.map((item) => [item.address.toLowerCase(), item]));
    const list = this.newList();
    for (const address of addresses) list.addSecondary(address, old.get(address.toLowerCase()));
    this.writeList(list);
  }

  /** Recipients are found again by identity: positions move when others come and go. */
  #placeOf(recipient: Recipient): RecipientPlace {
    let current = recipient;
    return {
      get recipient() {
        return current;
      },
      replace: (changed) => {
        const index = this.#items.indexOf(current);
        if (index < 0) throw new RangeError(`${current.address} is no longer a recipient`);
        if (!sameMailbox(changed.address, current.address) && this.has(changed.address))
          throw propertyInvalid("RP_ADDRESS_SMTP", `would be a duplicate: ${changed.address}`);
        this.#items = this.#items.with(index, changed);
        current = changed;
      },
    };
  }
}
