// The properties of a message (IMailMsgProperties, REFERENCE 4.6): those of the original by number or name, and private ones.
// It is a Map of what is kept with the message; what follows from envelope, origin and content is computed when it is read.
import { readComputed, writeComputed } from "./computed-properties.ts";
import type { MailMsg } from "./mail-msg.ts";
import {
  type AnyPropertyValue,
  type MESSAGE_PROPERTIES,
  type MessagePropertyName,
  type PropertyValue,
  type ValueOf,
  messagePropertyTable,
} from "./properties.ts";
import {
  type PropertyLimits,
  fromKept,
  keyText,
  keptBytes,
  privateKey,
  requireFound,
  requirePrivateValue,
  requireWithin,
  requireWritable,
  toKept,
} from "./property-values.ts";

/** A property of the original: its number, as IMMPID.MP_HELO_DOMAIN, or its name, as "MP_HELO_DOMAIN". */
export type MessagePropertyKey = MessagePropertyName | (typeof MESSAGE_PROPERTIES)[MessagePropertyName]["id"];
type Private<Key> = Key extends MessagePropertyKey ? never : Key;
type MessageValue<Key extends MessagePropertyKey> = ValueOf<Key, typeof MESSAGE_PROPERTIES>;

export class MessageProperties extends Map<string, PropertyValue> {
  readonly #msg: MailMsg;
  readonly #limits: PropertyLimits;
  #bytes = 0;

  constructor(msg: MailMsg, limits: PropertyLimits) {
    super();
    this.#msg = msg;
    this.#limits = limits;
  }

  /** Of the original, or with a private number: throws MAILMSG_E_PROPNOTFOUND when it is not there. A private name: undefined. */
  override get<Key extends MessagePropertyKey>(key: Key): MessageValue<Key>;
  override get(key: string): PropertyValue | undefined;
  override get(key: number): PropertyValue;
  override get(key: number | string): AnyPropertyValue | undefined {
    return requireFound(messagePropertyTable, key, this.#read(key));
  }

  /** As get; undefined when it is not there. */
  find<Key extends MessagePropertyKey>(key: Key): MessageValue<Key> | undefined;
  find(key: number | string): PropertyValue | undefined;
  find(key: number | string): AnyPropertyValue | undefined {
    return this.#read(key);
  }

  override has(key: number | string): boolean {
    return this.#read(key) !== undefined;
  }

  /** Throws MAILMSG_PROPERTY_INVALID on a value of another type, and on a property that cannot be written. */
  put<Key extends MessagePropertyKey>(key: Key, value: MessageValue<Key>): void;
  put<Key extends number | string>(key: Private<Key>, value: PropertyValue): void;
  put(key: number | string, value: AnyPropertyValue): void {
    const known = messagePropertyTable.find(key);
    if (known === undefined) {
      requirePrivateValue(key, value);
      this.#keep(privateKey(key), value);
      return;
    }
    requireWritable(known);
    const kept = toKept(known, value);
    if (!writeComputed(this.#msg, known.name, fromKept(known, kept))) this.#keep(known.name, kept);
  }

  override set(name: string, value: PropertyValue): this {
    this.put(name, value);
    return this;
  }

  /** What is not kept with the message cannot be taken away from it, but for the deferred delivery time. */
  override delete(key: number | string): boolean {
    const known = messagePropertyTable.find(key);
    if (known?.name === "MP_DEFERRED_DELIVERY_FILETIME") {
      const wasDeferred = this.#msg.deferredDeliveryTime !== undefined;
      this.#msg.deferredDeliveryTime = undefined;
      return wasDeferred;
    }
    const name = known?.name ?? keyText(key);
    const old = super.get(name);
    if (old !== undefined) this.#bytes -= keptBytes(name, old);
    return super.delete(name);
  }

  override clear(): void {
    super.clear();
    this.#bytes = 0;
  }

  /** Puts back what was kept before, whatever the settings say now. */
  takeBack(entries: Iterable<readonly [string, PropertyValue]>): void {
    this.clear();
    for (const [name, value] of entries) {
      super.set(name, value);
      this.#bytes += keptBytes(name, value);
    }
  }

  #read(key: number | string): AnyPropertyValue | undefined {
    const known = messagePropertyTable.find(key);
    if (known === undefined) return super.get(keyText(key));
    // A fact of the arrival stays one, whatever a sink of a protocol event wrote under its name.
    const kept = known.access === "write" ? super.get(known.name) : undefined;
    return kept === undefined ? readComputed(this.#msg, known.name) : fromKept(known, kept);
  }

  #keep(name: string, value: PropertyValue): void {
    const old = super.get(name);
    const oldBytes = old === undefined ? 0 : keptBytes(name, old);
    const bytes = this.#bytes - oldBytes + keptBytes(name, value);
    requireWithin(this.#limits, this.size + (old === undefined ? 1 : 0), bytes);
    super.set(name, value);
    this.#bytes = bytes;
  }
}
