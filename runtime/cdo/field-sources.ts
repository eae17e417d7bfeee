// What stands behind the fields of a message or body part: its header fields, raw, decoded, as dates and as words.
import { CdoError } from "./errors.ts";
import type { FieldSource, FieldValue } from "./fields.ts";
import type { HeaderView, Host } from "../host.ts";
import { toText } from "./member-names.ts";
import { cut } from "../contract.ts";

/** One header as on the wire. A class, not closures: a script asks for several of them per message. */
export class RawHeader implements FieldSource {
  readonly #host: Host;
  readonly #part: number;
  readonly #header: string;

  constructor(host: Host, part: number, header: string) {
    this.#host = host;
    this.#part = part;
    this.#header = header;
  }

  read(): FieldValue {
    return this.#host.header(this.#part, this.#header, "raw");
  }

  write(value: FieldValue): void {
    this.#host.setHeader(this.#part, this.#header, "raw", rawValue(value));
  }

  check(value: FieldValue): void {
    this.#host.checkHeader(this.#part, this.#header, rawValue(value));
  }
}

// Private in TypeScript only: scripts can ask for a source.
Object.freeze(RawHeader.prototype);

const rawValue = (value: FieldValue): string => (value instanceof Date ? mailDate(value) : toText(value));

/** RFC 5322 §3.3, in UTC: a year has no sign, and readers take four digits of it. */
function mailDate(date: Date): string {
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999))
    throw new CdoError("CDO_E_BAD_DATA", `a date of the year ${year} (give one of 0 to 9999)`);
  return date.toUTCString().replace("GMT", "+0000");
}

/** A field that shows one header in decoded form. */
export function headerSource(host: Host, part: number, header: string, view: HeaderView): FieldSource {
  return {
    read: () => host.header(part, header, view) ?? "",
    write: (value) => host.setHeader(part, header, view, rawValue(value)),
    check: (value) => host.checkHeader(part, header, rawValue(value)),
  };
}

export function dateSource(host: Host, part: number, header: string): FieldSource {
  const text = (value: FieldValue): string => {
    if (value === undefined) return "";
    const date = value instanceof Date ? value : new Date(toText(value));
    if (Number.isNaN(date.getTime()))
      throw new CdoError("CDO_E_BAD_DATA", `${header} "${cut(toText(value), 40)}" (give a Date)`);
    return mailDate(date);
  };
  return {
    read: () => host.headerDate(part, header),
    write: (value) => host.setHeader(part, header, "raw", text(value)),
    check: (value) => void text(value),
  };
}

/** A number that a header holds as a word, as Importance: high. Index 0 of the table is the number `first`. */
export function wordSource(
  host: Host,
  part: number,
  header: string,
  words: readonly string[],
  first: number,
  fallback: number,
): FieldSource {
  const wordOf = (value: FieldValue): string => {
    const word = value === undefined ? "" : words[Number(value) - first];
    if (word !== undefined) return word;
    const last = first + words.length - 1;
    throw new CdoError("CDO_E_BAD_DATA", `${header} ${cut(toText(value), 40)} (give ${first} to ${last})`);
  };
  return {
    read: () => {
      const at = words.indexOf((host.header(part, header, "raw") ?? "").trim().toLowerCase());
      return at < 0 ? fallback : at + first;
    },
    write: (value) => host.setHeader(part, header, "raw", wordOf(value)),
    check: (value) => void wordOf(value),
  };
}
