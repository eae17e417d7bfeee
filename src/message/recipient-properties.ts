// The properties of one recipient (IMailMsgRecipients, REFERENCE 4.6.3), read and written by number or name. A recipient is
// immutable: writing puts a changed one in its place.
import { isMailbox } from "../core/address.ts";
import type { Recipient } from "../core/envelope.ts";
import {
  type AnyPropertyValue,
  type KnownProperty,
  type PropertyValue,
  type RECIPIENT_PROPERTIES,
  type RecipientPropertyName,
  type ValueOf,
  recipientPropertyTable,
} from "./properties.ts";
import {
  type PropertyLimits,
  fromKept,
  keptBytes,
  keyText,
  privateKey,
  propertyInvalid,
  requireFound,
  requirePrivateValue,
  requireWithin,
  requireWritable,
  toKept,
} from "./property-values.ts";
import { flagsAreKnown, flagsOf, withFlags } from "./recipient-flags.ts";

/** A property of the original: its number, as IMMPID.RP_DOMAIN, or its name, as "RP_DOMAIN". */
export type RecipientPropertyKey =
  | RecipientPropertyName
  | (typeof RECIPIENT_PROPERTIES)[RecipientPropertyName]["id"];
type Private<Key> = Key extends RecipientPropertyKey ? never : Key;
type RecipientValue<Key extends RecipientPropertyKey> = ValueOf<Key, typeof RECIPIENT_PROPERTIES>;

/** Where the recipient stands. */
export interface RecipientPlace {
  readonly recipient: Recipient;
  replace(changed: Recipient): void;
  /** Of an entry of a new list. */
  readonly marks?: EntryMarks | undefined;
}

/** What an entry of a new list can be told beside its properties; it is gone once the list is written. */
export interface EntryMarks {
  dontDeliver: boolean;
  noNameCollisions: boolean;
}

const STATUS_TEXT = /^[245]\d\d(?: [^\p{Cc}]*)?$/u;
const TYPED_ADDRESS = /^[a-z0-9-]+;[^\p{Cc}]+$/iu;

/** A property that is a member of the recipient, or a mark of an entry. */
interface Member {
  read(place: RecipientPlace): PropertyValue | undefined;
  /** `value` is of the property's type. */
  write(place: RecipientPlace, value: PropertyValue): void;
}

type Table = typeof RECIPIENT_PROPERTIES;
type MemberName = {
  [Name in RecipientPropertyName]: Table[Name]["source"] extends "kept" | "" ? never : Name;
}[RecipientPropertyName];

const mark = (name: RecipientPropertyName, key: keyof EntryMarks): Member => ({
  read: ({ marks }) => marks?.[key],
  write({ marks }, value) {
    if (marks === undefined) throw propertyInvalid(name, "is for the entries of a new list");
    marks[key] = value === true;
  },
});

const MEMBERS: Readonly<Record<MemberName, Member>> = {
  RP_ADDRESS_SMTP: {
    read: ({ recipient }) => recipient.address,
    write(place, value) {
      const address = String(value);
      if (!isMailbox(address)) throw propertyInvalid("RP_ADDRESS_SMTP", "has to be a mailbox");
      place.replace({ ...place.recipient, address });
    },
  },
  RP_RECIPIENT_FLAGS: {
    read: ({ recipient }) => flagsOf(recipient),
    write(place, value) {
      const flags = Number(value);
      if (!flagsAreKnown(flags)) throw propertyInvalid("RP_RECIPIENT_FLAGS", "has bits that mean nothing");
      place.replace(withFlags(place.recipient, flags));
    },
  },
  RP_DSN_ORCPT_VALUE: {
    read: ({ recipient }) => recipient.originalRecipient,
    write(place, value) {
      const originalRecipient = String(value);
      if (!TYPED_ADDRESS.test(originalRecipient))
        throw propertyInvalid("RP_DSN_ORCPT_VALUE", "has to be type;address");
      place.replace({ ...place.recipient, originalRecipient });
    },
  },
  RPV_DONT_DELIVER: mark("RPV_DONT_DELIVER", "dontDeliver"),
  RPV_NO_NAME_COLLISIONS: mark("RPV_NO_NAME_COLLISIONS", "noNameCollisions"),
};

const members = new Map<string, Member>(Object.entries(MEMBERS));

export class RecipientProperties {
  readonly #place: RecipientPlace;
  readonly #limits: PropertyLimits;

  constructor(place: RecipientPlace, limits: PropertyLimits) {
    this.#place = place;
    this.#limits = limits;
  }

  /** Throws MAILMSG_E_PROPNOTFOUND when it is not there; with a private name the answer is undefined. */
  get<Key extends RecipientPropertyKey>(key: Key): RecipientValue<Key>;
  get(key: string): PropertyValue | undefined;
  get(key: number): PropertyValue;
  get(key: number | string): AnyPropertyValue | undefined {
    return requireFound(recipientPropertyTable, key, this.#read(key));
  }

  /** As get; undefined when it is not there. */
  find<Key extends RecipientPropertyKey>(key: Key): RecipientValue<Key> | undefined;
  find(key: number | string): PropertyValue | undefined;
  find(key: number | string): AnyPropertyValue | undefined {
    return this.#read(key);
  }

  has(key: number | string): boolean {
    return this.#read(key) !== undefined;
  }

  /** Throws MAILMSG_PROPERTY_INVALID on a value of another type, and on a property that cannot be written. */
  put<Key extends RecipientPropertyKey>(key: Key, value: RecipientValue<Key>): void;
  put<Key extends number | string>(key: Private<Key>, value: PropertyValue): void;
  put(key: number | string, value: AnyPropertyValue): void {
    const known = recipientPropertyTable.find(key);
    if (known === undefined) {
      requirePrivateValue(key, value);
      this.#keep(privateKey(key), value);
      return;
    }
    requireWritable(known);
    const kept = toKept(known, value);
    const member = members.get(known.name);
    if (member !== undefined) {
      member.write(this.#place, kept);
      return;
    }
    requireForm(known, kept);
    this.#keep(known.name, kept);
  }

  /** Takes away what is kept; members of the recipient, as its address, stay. */
  delete(key: number | string): boolean {
    const name = recipientPropertyTable.find(key)?.name ?? keyText(key);
    const { properties = {}, ...rest } = this.#place.recipient;
    if (!Object.hasOwn(properties, name)) return false;
    const left = Object.fromEntries(Object.entries(properties).filter(([other]) => other !== name));
    this.#place.replace(Object.keys(left).length === 0 ? rest : { ...rest, properties: left });
    return true;
  }

  #read(key: number | string): AnyPropertyValue | undefined {
    const { recipient } = this.#place;
    const known = recipientPropertyTable.find(key);
    const member = known === undefined ? undefined : members.get(known.name);
    if (member !== undefined) return member.read(this.#place);
    const name = known?.name ?? keyText(key);
    const { properties } = recipient;
    const kept = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    return kept === undefined || known === undefined ? kept : fromKept(known, kept);
  }

  #keep(name: string, value: PropertyValue): void {
    const { recipient } = this.#place;
    const properties = { ...recipient.properties, [name]: value };
    const all = Object.entries(properties);
    const bytes = all.reduce((sum, [key, one]) => sum + keptBytes(key, one), 0);
    requireWithin(this.#limits, all.length, bytes);
    this.#place.replace({ ...recipient, properties });
  }
}

/** What goes into replies, reports and routes must not break out of them. */
function requireForm({ name }: KnownProperty<RecipientPropertyName>, value: PropertyValue): void {
  const text = String(value);
  if (name === "RP_SMTP_STATUS_STRING" && !STATUS_TEXT.test(text))
    throw propertyInvalid(
      name,
      'has to be one line that begins with a reply code, as "550 5.1.1 No such user"',
    );
  if (name === "RP_DSN_PRE_CAT_ADDRESS" && !TYPED_ADDRESS.test(text))
    throw propertyInvalid(name, "has to be type;address");
  if (name === "RP_DOMAIN" && !isMailbox(`a@${text}`)) throw propertyInvalid(name, "has to be a domain");
}
