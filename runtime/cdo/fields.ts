// Fields and Field (ADO, as CDO used them), and the fields of messages and body parts. Values wait until Update().
import { Collection } from "./collections.ts";
import { CdoError } from "./errors.ts";
import { RawHeader } from "./field-sources.ts";
import type { Host } from "../host.ts";
import { defineUnavailable, refuseWrite, setterOf, toText } from "./member-names.ts";
import type { Member } from "../source-place.ts";
import { cut } from "../contract.ts";

export type FieldValue = string | number | boolean | Date | undefined;

/** What stands behind one field. Without `write` it is read-only. */
export interface FieldSource {
  read(): FieldValue;
  write?(value: FieldValue): void;
  /** Raises what `write` would raise, and changes nothing: asked when several fields are written together. */
  check?(value: FieldValue): void;
}

/** Taken over once, when it is assigned: later changes of the script's object do not reach the message. */
function coerce(value: unknown, name: string): FieldValue {
  if (value instanceof Date) return new Date(value.getTime());
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (value === null || value === undefined) return undefined;
  if (value instanceof Field) return value.Value;
  return toText(value, cut(name, 200));
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
  readonly #collection: FieldsBase;
  #pending: FieldValue;
  #isPending = false;
  #place = 0;

  constructor(name: string, source: FieldSource, collection: FieldsBase) {
    this.#name = name;
    this.#source = source;
    this.#collection = collection;
  }

  /** For its collection: the pending value is tried (`check`), written, or forgotten. */
  static settle(field: Field, step: "check" | "write" | "forget"): void {
    if (!field.#isPending) return;
    if (step === "check") field.#source.check?.(field.#pending);
    else if (step === "write") field.#source.write?.(field.#pending);
    else field.#isPending = false;
  }

  /** Where the script assigned the pending value. */
  static placeOf(field: Field): number {
    return field.#place;
  }

  static isWritable(field: Field): boolean {
    return field.#source.write !== undefined;
  }

  get Name(): string {
    return this.#name;
  }

  get Value(): FieldValue {
    return this.#isPending ? this.#pending : this.#source.read();
  }

  set Value(value: unknown) {
    if (this.#source.write === undefined) refuseWrite(this.#name);
    this.#pending = coerce(value, this.#name);
    this.#place = FieldsBase.placeOfEdit(this.#collection, setValue);
    if (this.#isPending) return;
    this.#isPending = true;
    FieldsBase.expectUpdate(this.#collection, this);
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

  /** The default member: a field stands for its value in expressions, for "" when it has none. */
  valueOf(): FieldValue {
    return this.Value ?? "";
  }

  /** A date is compared and reckoned with as a number, and is text in texts. */
  [Symbol.toPrimitive](hint: string): string | number | boolean {
    const value = this.valueOf() ?? "";
    if (value instanceof Date) return hint === "number" ? value.getTime() : toText(value);
    return hint === "string" ? toText(value) : value;
  }

  toString(): string {
    return toText(this.Value);
  }
}
defineUnavailable(Field, ["AppendChunk", "GetChunk"]);
const setValue = setterOf(Field, "Value");

/** What all Fields collections share; the subclasses say what a name means. */
export abstract class FieldsBase extends Collection<Field> {
  readonly #host: Host;
  readonly #label: string;
  readonly #namespace: string;
  /** By name as it was asked for and in lower case. */
  #fields: Map<string, Field> | undefined;
  #pending: Field[] | undefined;

  /** `namespace`: where most of its names are. */
  constructor(host: Host, label: string, namespace: string) {
    super();
    this.#host = host;
    this.#label = label;
    this.#namespace = namespace;
  }

  /** The source of a complete field name, or undefined when the name means nothing here. */
  protected abstract sourceOf(name: string): FieldSource | undefined;
  protected abstract presentNames(): readonly string[];
  /** Called once at the end of Update(), after all pending values were written. */
  protected abstract commit(): void;

  /** For its fields: one of them has a value that waits. */
  static expectUpdate(fields: FieldsBase, field: Field): void {
    if (fields.#pending === undefined) fields.#pending = [field];
    else fields.#pending.push(field);
    if (fields.#pending.length === 1) fields.#host.expectUpdate(fields, () => fields.#describePending());
  }

  static placeOfEdit(fields: FieldsBase, member: Member): number {
    return fields.#host.placeOfEdit(member);
  }

  #describePending(): string {
    const names = (this.#pending ?? []).slice(0, 5).map((field) => localName(field.Name));
    return `${this.#label} ${names.join(", ")} (no ${this.#label}.Update)`;
  }

  override get Count(): number {
    return this.presentNames().length;
  }

  override Item(index: unknown): Field {
    const name = typeof index === "number" ? this.presentNames()[index] : toText(index);
    if (name === undefined) throw new CdoError("CDO_E_NOT_FOUND", `${this.#label}(${String(index)})`);
    return this.#fields?.get(name) ?? this.#create(name);
  }

  #create(name: string): Field {
    // Later copies of the documentation print https: for the same namespaces.
    const canonical = name.startsWith("https://schemas.microsoft.com/") ? `http${name.slice(5)}` : name;
    const source = this.sourceOf(canonical);
    if (source === undefined)
      throw new CdoError(
        "CDO_E_INVALID_PROPERTYNAME",
        `${this.#label}("${cut(name, 200)}")${name.includes(":") ? "" : ` (give the whole name: "${this.#namespace}${cut(name, 100)}")`}`,
      );
    const key = canonical.toLowerCase();
    this.#fields ??= new Map();
    const field = this.#fields.get(key) ?? new Field(key, source, this);
    this.#fields.set(key, field);
    if (name !== key) this.#fields.set(name, field);
    return field;
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
    if (!Field.isWritable(field)) throw new CdoError("CDO_E_PROP_CANNOT_DELETE", field.Name);
    field.Value = undefined;
  }

  /** All pending values or none: what one of them raises leaves the object as it was. */
  Update(): void {
    const fields = this.#pending ?? [];
    const pending = fields.length > 1 ? checked(fields) : fields;
    try {
      for (const field of pending) {
        this.#host.writtenAt(Field.placeOf(field));
        Field.settle(field, "write");
      }
    } finally {
      this.#host.writtenAt(0);
    }
    this.commit();
    this.CancelUpdate();
  }

  CancelUpdate(): void {
    if (this.#pending === undefined) return;
    for (const field of this.#pending) Field.settle(field, "forget");
    this.#pending = undefined;
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
const CONTENT_TYPE = `${MAIL_HEADER}content-type`;
const TRANSFER_ENCODING = `${MAIL_HEADER}content-transfer-encoding`;
const ENCODING_OF_LEAVES = /^\s*(?:base64|quoted-printable|uuencode|mac-binhex40)\s*$/i;
const REFUSED_OF_MULTIPART = "CDO_E_INVALID_ENCODING_FOR_MULTIPART";

/** In the order in which they are written: which encoding a part can have depends on the type that comes with it. */
function checked(fields: readonly Field[]): readonly Field[] {
  const encoding = fields.find(({ Name }) => Name === TRANSFER_ENCODING);
  const others = fields.filter((field) => field !== encoding);
  for (const field of others) Field.settle(field, "check");
  if (encoding === undefined) return fields;
  const type = others.find(({ Name }) => Name === CONTENT_TYPE);
  const becomesMultipart = isMultipart(type?.Value) && !isMultipart(type?.OriginalValue);
  if (becomesMultipart && ENCODING_OF_LEAVES.test(toText(encoding.Value)))
    throw new CdoError(REFUSED_OF_MULTIPART, toText(encoding.Value).trim());
  try {
    Field.settle(encoding, "check");
  } catch (thrown) {
    const becomesLeaf = type !== undefined && !isMultipart(type.Value);
    // A leaf can have each.
    if (!becomesLeaf || !(thrown instanceof CdoError) || thrown.name !== REFUSED_OF_MULTIPART) throw thrown;
  }
  return [...others, encoding];
}

const isMultipart = (type: FieldValue): boolean => /^\s*multipart\//i.test(toText(type));

const RECEIVED = `${MAIL_HEADER}received`;

/** Fields of a message or body part: its headers raw, and what the caller's table adds. */
export class Fields extends FieldsBase {
  readonly #host: Host;
  readonly #part: number;
  readonly #derive: () => ReadonlyMap<string, FieldSource>;
  #derived: ReadonlyMap<string, FieldSource> | undefined;
  /** What the host told last, and the names made of it. */
  #labels: readonly string[] | undefined;
  #names: readonly string[] = [];

  /** `derive` makes the table of the other namespaces, when a name of them is first asked for. */
  constructor(host: Host, part: number, derive: () => ReadonlyMap<string, FieldSource>) {
    super(host, "Fields", MAIL_HEADER);
    this.#host = host;
    this.#part = part;
    this.#derive = derive;
  }

  protected override sourceOf(name: string): FieldSource | undefined {
    const lower = name.toLowerCase();
    if (!lower.startsWith(MAIL_HEADER)) return (this.#derived ??= this.#derive()).get(lower);
    const header = name.slice(MAIL_HEADER.length);
    if (header === "") return undefined;
    // Trace of the transport: a script reads it (all fields, joined by CRLF) and cannot rewrite history.
    if (lower === RECEIVED) return { read: () => this.#host.header(this.#part, header, "raw") };
    return new RawHeader(this.#host, this.#part, header);
  }

  protected override presentNames(): readonly string[] {
    const labels = this.#host.headerNames(this.#part);
    if (labels !== this.#labels) {
      this.#labels = labels;
      this.#names = [...new Set(labels.map((label) => MAIL_HEADER + label.toLowerCase()))];
    }
    return this.#names;
  }

  protected override commit(): void {
    // The headers were changed in memory as they were written; DataSource.Save makes them permanent.
  }
}
