// Fields and Field (ADO, as CDO used them), and the fields of messages and body parts. Values wait until Update().
import { Collection } from "./collections.ts";
import { CdoError } from "./errors.ts";
import type { HeaderView, Host } from "./host.ts";
import { defineUnavailable, refuseWrite, toText } from "./member-names.ts";

export type FieldValue = string | number | boolean | Date | undefined;

/** What stands behind one field. Without `write` it is read-only. */
export interface FieldSource {
  read(): FieldValue;
  write?(value: FieldValue): void;
}

/** Taken over once, when it is assigned: later changes of the script's object do not reach the message. */
function coerce(value: unknown): FieldValue {
  if (value instanceof Date) return new Date(value.getTime());
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (value === null || value === undefined) return undefined;
  if (value instanceof Field) return value.Value;
  return toText(value);
}

/** ADO DataTypeEnum of a value. */
function adoType(value: FieldValue): number {
  if (value instanceof Date) return 7;
  if (typeof value === "number") return 3;
  if (typeof value === "boolean") return 11;
  return 8;
}

export class Field {
  readonly #name: string;
  readonly #source: FieldSource;
  readonly #pending: Map<string, FieldValue>;
  readonly #changed: () => void;

  constructor(name: string, source: FieldSource, pending: Map<string, FieldValue>, changed: () => void) {
    this.#name = name;
    this.#source = source;
    this.#pending = pending;
    this.#changed = changed;
  }

  get Name(): string {
    return this.#name;
  }

  get Value(): FieldValue {
    return this.#pending.has(this.#name) ? this.#pending.get(this.#name) : this.#source.read();
  }

  set Value(value: unknown) {
    if (this.#source.write === undefined) refuseWrite(this.#name);
    this.#pending.set(this.#name, coerce(value));
    this.#changed();
  }

  get Type(): number {
    return adoType(this.Value);
  }

  get ActualSize(): number {
    return this.toString().length;
  }

  get DefinedSize(): number {
    return this.ActualSize;
  }

  /** ADO FieldAttributeEnum: adFldUpdatable. */
  get Attributes(): number {
    return this.#source.write === undefined ? 0 : 4;
  }

  get NumericScale(): number {
    return 0;
  }

  get Precision(): number {
    return 0;
  }

  /** ADO FieldStatusEnum: adFieldOK. */
  get Status(): number {
    return 0;
  }

  get OriginalValue(): FieldValue {
    return this.#source.read();
  }

  get UnderlyingValue(): FieldValue {
    return this.#source.read();
  }

  /** The default member: a field stands for its value in expressions. */
  valueOf(): FieldValue {
    return this.Value;
  }

  toString(): string {
    return toText(this.Value);
  }
}
defineUnavailable(Field, ["AppendChunk", "GetChunk"]);

/** What all Fields collections share; the subclasses say what a name means. */
export abstract class FieldsBase extends Collection<Field> {
  readonly #host: Host;
  readonly #label: string;
  readonly #pending = new Map<string, FieldValue>();
  readonly #fields = new Map<string, Field>();
  readonly #sources = new Map<string, FieldSource>();

  constructor(host: Host, label: string) {
    super();
    this.#host = host;
    this.#label = label;
  }

  /** The source of a complete field name, or undefined when the name means nothing here. */
  protected abstract sourceOf(name: string): FieldSource | undefined;
  protected abstract presentNames(): string[];
  /** Called once at the end of Update(), after all pending values were written. */
  protected abstract commit(): void;

  override get Count(): number {
    return this.presentNames().length;
  }

  override Item(index: unknown): Field {
    const name = typeof index === "number" ? this.presentNames()[index] : toText(index);
    if (name === undefined) throw new CdoError("CDO_E_NOT_FOUND", `${this.#label}(${String(index)})`);
    const known = this.#fields.get(name);
    return known ?? this.#create(name);
  }

  #create(name: string): Field {
    // Later copies of the documentation print https: for the same namespaces.
    const canonical = name.startsWith("https://schemas.microsoft.com/") ? `http${name.slice(5)}` : name;
    const source = this.sourceOf(canonical);
    if (source === undefined)
      throw new CdoError("CDO_E_INVALID_PROPERTYNAME", `${this.#label}("${name.slice(0, 200)}")`);
    const key = canonical.toLowerCase();
    const field = this.#fields.get(key) ?? new Field(key, source, this.#pending, () => this.#expectUpdate());
    this.#sources.set(key, source);
    this.#fields.set(key, field);
    this.#fields.set(name, field);
    return field;
  }

  #expectUpdate(): void {
    this.#host.expectUpdate(
      this,
      () =>
        `${this.#label} ${[...this.#pending.keys()].slice(0, 5).map(localName).join(", ")} (no ${this.#label}.Update)`,
    );
  }

  Append(
    name: unknown,
    _type?: unknown,
    _definedSize?: unknown,
    _attributes?: unknown,
    value?: unknown,
  ): void {
    const field = this.Item(toText(name));
    if (value !== undefined) field.Value = value;
  }

  Delete(index: unknown): void {
    const field = this.Item(index);
    if (this.#sources.get(field.Name)?.write === undefined)
      throw new CdoError("CDO_E_PROP_CANNOT_DELETE", field.Name);
    field.Value = undefined;
  }

  Update(): void {
    const pending = [...this.#pending];
    for (const [name, value] of pending) this.#sources.get(name)?.write?.(value);
    this.commit();
    this.CancelUpdate();
  }

  CancelUpdate(): void {
    this.#pending.clear();
    this.#host.updated(this);
  }

  Resync(): void {
    this.CancelUpdate();
  }

  override *[Symbol.iterator](): Iterator<Field> {
    for (const name of this.presentNames()) yield this.Item(name);
  }
}

const localName = (name: string): string =>
  name.slice(Math.max(name.lastIndexOf(":"), name.lastIndexOf("/"), name.lastIndexOf("#")) + 1);

export const MAIL_HEADER = "urn:schemas:mailheader:";

/** Fields of a message or body part: its headers raw, and what the caller's table adds. */
export class Fields extends FieldsBase {
  readonly #host: Host;
  readonly #part: number;
  readonly #derive: () => ReadonlyMap<string, FieldSource>;
  #derived: ReadonlyMap<string, FieldSource> | undefined;

  /** `derive` makes the table of the other namespaces, when a name of them is first asked for. */
  constructor(host: Host, part: number, derive: () => ReadonlyMap<string, FieldSource>) {
    super(host, "Fields");
    this.#host = host;
    this.#part = part;
    this.#derive = derive;
  }

  protected override sourceOf(name: string): FieldSource | undefined {
    const lower = name.toLowerCase();
    if (!lower.startsWith(MAIL_HEADER)) return (this.#derived ??= this.#derive()).get(lower);
    const header = name.slice(MAIL_HEADER.length);
    if (header === "") return undefined;
    const source: FieldSource = { read: () => this.#host.header(this.#part, header, "raw") };
    // Trace of the transport: a script reads it (all fields, joined by CRLF) and cannot rewrite history.
    if (lower !== `${MAIL_HEADER}received`)
      source.write = (value) => this.#host.setHeader(this.#part, header, "raw", rawValue(value));
    return source;
  }

  protected override presentNames(): string[] {
    const seen = new Set(this.#host.headerNames(this.#part).map((name) => MAIL_HEADER + name.toLowerCase()));
    return [...seen];
  }

  protected override commit(): void {
    // The headers were changed in memory as they were written; DataSource.Save makes them permanent.
  }
}

const rawValue = (value: FieldValue): string => (value instanceof Date ? mailDate(value) : toText(value));

/** RFC 5322 date-time, in UTC. */
function mailDate(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}

/** A field that shows one header in decoded form. */
export function headerSource(host: Host, part: number, header: string, view: HeaderView): FieldSource {
  return {
    read: () => host.header(part, header, view) ?? "",
    write: (value) => host.setHeader(part, header, view, rawValue(value)),
  };
}

export function dateSource(host: Host, part: number, header: string): FieldSource {
  return {
    read: () => host.headerDate(part, header),
    write: (value) => {
      const date = value instanceof Date ? value : new Date(toText(value));
      if (value !== undefined && Number.isNaN(date.getTime())) throw new CdoError("CDO_E_BAD_DATA", header);
      host.setHeader(part, header, "raw", value === undefined ? "" : mailDate(date));
    },
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
  return {
    read: () => {
      const at = words.indexOf((host.header(part, header, "raw") ?? "").trim().toLowerCase());
      return at < 0 ? fallback : at + first;
    },
    write: (value) => {
      const word = value === undefined ? "" : words[Number(value) - first];
      if (word === undefined) throw new CdoError("CDO_E_BAD_DATA", `${header} ${toText(value)}`);
      host.setHeader(part, header, "raw", word);
    },
  };
}
