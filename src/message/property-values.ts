// What a value has to be to become a property, how it is kept, and how much may be kept (REFERENCE 4.6). Dates are kept as
// milliseconds: what is kept is saved as JSON.
import { OnArrivalError } from "../core/errors.ts";
import {
  type AnyPropertyValue,
  FIRST_PRIVATE_ID,
  type KnownProperty,
  LAST_PRIVATE_ID,
  type PropertyTable,
  type PropertyType,
  type PropertyValue,
} from "./properties.ts";

/** Bounds of what sinks may keep with one message, and with each of its recipients. */
export interface PropertyLimits {
  readonly maxProperties: number;
  /** Of all names and values together. */
  readonly maxPropertyBytes: number;
}

export const DEFAULT_PROPERTY_LIMITS: PropertyLimits = { maxProperties: 1000, maxPropertyBytes: 65_536 };

const BYTES_OF_A_NUMBER = 8;
const GUID = /^\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}$/i;

/** A property by its name, or by the number as people write it. */
export const keyText = (key: number | string): string =>
  typeof key === "number" ? `0x${key.toString(16)}` : key;

/** A property of the original, and any number, that is not there is a fault; a private name is just absent. */
export function requireFound(
  table: PropertyTable<string>,
  key: number | string,
  value: AnyPropertyValue | undefined,
): AnyPropertyValue | undefined {
  if (value === undefined && (typeof key === "number" || table.find(key) !== undefined))
    throw new OnArrivalError("MAILMSG_E_PROPNOTFOUND", `there is no property ${keyText(key)}`);
  return value;
}

export const propertyInvalid = (key: number | string, why: string): OnArrivalError =>
  new OnArrivalError("MAILMSG_PROPERTY_INVALID", `property ${keyText(key)} ${why}`);

/** The name under which a private property is kept. Throws when the number is none of the private ones. */
export function privateKey(key: number | string): string {
  if (typeof key === "string") return key;
  if (!Number.isInteger(key) || key < FIRST_PRIVATE_ID || key > LAST_PRIVATE_ID)
    throw propertyInvalid(key, "does not exist; private ones begin at 0x8000");
  return keyText(key);
}

export function requirePrivateValue(key: number | string, value: unknown): asserts value is PropertyValue {
  const isKept =
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value));
  if (!isKept) throw propertyInvalid(key, "has to be a text, a finite number or a boolean");
}

export function requireWritable(property: KnownProperty): void {
  if (property.access === "obsolete") throw propertyInvalid(property.name, "is obsolete");
  if (property.access === "read")
    throw propertyInvalid(property.name, `cannot be written: it is what ${property.source} says`);
}

/** How a value of each type is kept; undefined: it is of another type. */
const KEPT: Readonly<Record<PropertyType, (value: unknown) => PropertyValue | undefined>> = {
  string: (value) => (typeof value === "string" ? value : undefined),
  bool: (value) => (typeof value === "boolean" ? value : undefined),
  // An HRESULT may come as the negative number that C makes of it.
  dword: (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 32
      ? value >>> 0
      : undefined,
  filetime: (value) =>
    value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : undefined,
  guid: (value) => (typeof value === "string" && GUID.test(value) ? value : undefined),
};

const WANTED: Readonly<Record<PropertyType, string>> = {
  string: "a text",
  bool: "a boolean",
  dword: "a whole number of 32 bits",
  filetime: "a valid Date",
  guid: 'a GUID as "{01234567-89ab-cdef-0123-456789abcdef}"',
};

/** The value as it is kept. Throws when it is not of the property's type. */
export function toKept({ name, type }: KnownProperty, value: unknown): PropertyValue {
  const kept = KEPT[type](value);
  if (kept === undefined) throw propertyInvalid(name, `has to be ${WANTED[type]}`);
  return kept;
}

export const fromKept = ({ type }: Pick<KnownProperty, "type">, kept: PropertyValue): AnyPropertyValue =>
  type === "filetime" && typeof kept === "number" ? new Date(kept) : kept;

export const keptBytes = (key: string, value: PropertyValue): number =>
  Buffer.byteLength(key) + (typeof value === "string" ? Buffer.byteLength(value) : BYTES_OF_A_NUMBER);

/** Throws MAILMSG_PROPERTY_LIMIT when `count` properties of `bytes` bytes are too much. */
export function requireWithin(limits: PropertyLimits, count: number, bytes: number): void {
  const { maxProperties, maxPropertyBytes } = limits;
  if (count > maxProperties)
    throw new OnArrivalError("MAILMSG_PROPERTY_LIMIT", `more than ${maxProperties} properties`);
  if (bytes > maxPropertyBytes)
    throw new OnArrivalError("MAILMSG_PROPERTY_LIMIT", `more than ${maxPropertyBytes} bytes of properties`);
}
