// IBodyPart and IBodyParts: the parts of the MIME tree, and the collection of those that count as attachments.
import { Collection, defineLength } from "./collections.ts";
import { type Bindable, DataSource, type Identify } from "./data-source.ts";
import { CdoError } from "./errors.ts";
import { headerSource } from "./field-sources.ts";
import { type FieldSource, type FieldValue, Fields, MAIL_HEADER } from "./fields.ts";
import { filePath } from "./files.ts";
import type { Host, PartKind } from "../host.ts";
import { refuseWrite, toText } from "./member-names.ts";
import { decodedStream, encodedStream, wholeStream } from "./content-streams.ts";
import type { Stream } from "./stream.ts";
import { cut } from "../contract.ts";

function derivedFields(host: Host, part: number): ReadonlyMap<string, FieldSource> {
  return new Map<string, FieldSource>([
    ["urn:schemas:httpmail:attachmentfilename", { read: () => host.partText(part, "fileName") }],
    ["urn:schemas:httpmail:content-disposition-type", dispositionSource(host, part)],
    ["urn:schemas:httpmail:content-media-type", mediaTypeSource(host, part)],
    ["dav:contentclass", headerSource(host, part, "Content-Class", "text")],
    ["dav:getcontenttype", { read: () => host.partText(part, "mediaType") }],
  ]);
}

export function mediaTypeSource(host: Host, part: number): FieldSource {
  return {
    read: () => host.partText(part, "mediaType"),
    write: (value) => host.setPartText(part, "mediaType", toText(value)),
    check: (value) => host.checkPartText(part, "mediaType", toText(value)),
  };
}

/** The word before the parameters of Content-Disposition; the parameters stay. */
export function dispositionSource(host: Host, part: number): FieldSource {
  return {
    read: () => host.partText(part, "disposition"),
    check: (value) => void dispositionType(value),
    write: (value) => {
      const type = dispositionType(value);
      const raw = host.header(part, "Content-Disposition", "raw") ?? "";
      const parameters = raw.includes(";") ? raw.slice(raw.indexOf(";")) : "";
      host.setHeader(part, "Content-Disposition", "raw", type === "" ? "" : type + parameters);
    },
  };
}

function dispositionType(value: FieldValue): string {
  const type = toText(value).trim();
  if (/^[\w-]*$/.test(type)) return type;
  throw new CdoError("CDO_E_BAD_DATA", `content-disposition-type "${cut(type, 40)}"`);
}

/**
 * The parts of a message as objects: asked for again, a part is the same one. Scripts write msg.Attachments(1).Fields(…).Value and
 * then msg.Attachments(1).Fields.Update().
 */
export class PartObjects {
  readonly #host: Host;
  readonly #message: object;
  readonly #root: number;
  readonly identify: Identify;
  readonly #parts = new Map<number, BodyPart>();

  constructor(host: Host, message: object, root: number, identify: Identify) {
    this.#host = host;
    this.#message = message;
    this.#root = root;
    this.identify = identify;
  }

  at(part: number): BodyPart {
    let object = this.#parts.get(part);
    if (object === undefined) this.#parts.set(part, (object = new BodyPart(this.#host, part, this)));
    return object;
  }

  /** The message whose root the part is. */
  messageOf(part: number): object | undefined {
    return part === this.#root ? this.#message : undefined;
  }
}

export class BodyPart {
  readonly #host: Host;
  readonly #part: number;
  readonly #around: PartObjects;
  #fields: Fields | undefined;
  #dataSource: DataSource | undefined;

  constructor(host: Host, part: number, around: PartObjects) {
    this.#host = host;
    this.#part = part;
    this.#around = around;
  }

  /** The part behind a script's object. */
  static identify(value: unknown): Bindable | undefined {
    return typeof value === "object" && value !== null && #part in value
      ? { handle: value.#part, isMessage: false }
      : undefined;
  }

  get BodyParts(): BodyParts {
    return new BodyParts(this.#host, this.#part, "child", (part) => this.#around.at(part));
  }

  set BodyParts(_value: unknown) {
    refuseWrite("BodyPart.BodyParts");
  }

  get Charset(): string {
    return this.#host.partText(this.#part, "charset");
  }

  set Charset(value: unknown) {
    this.#host.setPartText(this.#part, "charset", toText(value));
  }

  get ContentClass(): string {
    return this.#host.header(this.#part, "Content-Class", "text") ?? "";
  }

  set ContentClass(value: unknown) {
    this.#host.setHeader(this.#part, "Content-Class", "text", toText(value));
  }

  /** Announced and never built in the original. */
  get ContentClassName(): string {
    throw new CdoError("CDO_E_PROP_UNSUPPORTED", "BodyPart.ContentClassName (use ContentClass)");
  }

  set ContentClassName(_value: unknown) {
    throw new CdoError("CDO_E_PROP_UNSUPPORTED", "BodyPart.ContentClassName (use ContentClass)");
  }

  get ContentMediaType(): string {
    return this.#host.partText(this.#part, "mediaType");
  }

  set ContentMediaType(value: unknown) {
    this.#host.setPartText(this.#part, "mediaType", toText(value));
  }

  get ContentTransferEncoding(): string {
    return this.#host.partText(this.#part, "transferEncoding");
  }

  set ContentTransferEncoding(value: unknown) {
    this.#host.setPartText(this.#part, "transferEncoding", toText(value));
  }

  get DataSource(): DataSource {
    const self = { handle: this.#part, isMessage: false };
    this.#dataSource ??= new DataSource(this.#host, self, this.#around.identify);
    return this.#dataSource;
  }

  set DataSource(_value: unknown) {
    refuseWrite("BodyPart.DataSource");
  }

  get Fields(): Fields {
    this.#fields ??= new Fields(this.#host, this.#part, () => derivedFields(this.#host, this.#part));
    return this.#fields;
  }

  set Fields(_value: unknown) {
    refuseWrite("BodyPart.Fields");
  }

  get FileName(): string {
    return this.#host.partText(this.#part, "fileName");
  }

  set FileName(_value: unknown) {
    refuseWrite("BodyPart.FileName (write content-disposition instead)");
  }

  get Parent(): BodyPart {
    const parent = this.#host.parent(this.#part);
    if (parent === undefined) throw new CdoError("CDO_E_NOT_FOUND", "BodyPart.Parent of the root");
    return this.#around.at(parent);
  }

  set Parent(_value: unknown) {
    refuseWrite("BodyPart.Parent");
  }

  /** A new, empty part: place 1 is the first, -1 (the default) behind the last. */
  AddBodyPart(index: unknown = -1): BodyPart {
    return this.#around.at(this.#host.addPart(this.#part, placeOf(index), "child"));
  }

  GetDecodedContentStream(): Stream {
    return decodedStream(this.#host, this.#part);
  }

  GetEncodedContentStream(): Stream {
    return encodedStream(this.#host, this.#part);
  }

  GetStream(): Stream {
    return wholeStream(this.#host, this.#part);
  }

  GetFieldParameter(fieldName: unknown, parameter: unknown): string {
    const name = toText(fieldName);
    if (!name.toLowerCase().startsWith(MAIL_HEADER))
      throw new CdoError("CDO_E_PROP_NONHEADER", cut(name, 200));
    const value = this.#host.headerParameter(this.#part, name.slice(MAIL_HEADER.length), toText(parameter));
    if (value === undefined)
      throw new CdoError("CDO_E_PROP_NOT_FOUND", `${cut(name, 200)} ${cut(toText(parameter), 100)}`);
    return value;
  }

  GetInterface(name: unknown): object {
    const wanted = toText(name).toLowerCase();
    if (wanted === "ibodypart") return this;
    if (wanted === "idatasource") return this.DataSource;
    if (wanted === "_stream") return this.GetStream();
    const message = this.#around.messageOf(this.#part);
    if (wanted === "imessage" && message !== undefined) return message;
    throw new CdoError("E_NOINTERFACE", cut(toText(name), 100));
  }

  /** The decoded content into a file below the script folder that `allow.write` grants; it replaces what is there. */
  SaveToFile(fileName: unknown): void {
    this.#host.savePart(this.#part, filePath(toText(fileName), "BodyPart.SaveToFile"));
  }
}

/** A place as the script gave it. What is no whole number is refused by the host, which knows how many there are. */
const placeOf = (index: unknown): number => (typeof index === "object" ? Number.NaN : Number(index));

/** Items count from 1. */
export class BodyParts extends Collection<BodyPart> {
  readonly #host: Host;
  readonly #part: number;
  readonly #kind: PartKind;
  readonly #at: (part: number) => BodyPart;

  /** The children of a part, or the attachments of the message whose root it is. */
  constructor(host: Host, part: number, kind: PartKind, at: (part: number) => BodyPart) {
    super();
    this.#host = host;
    this.#part = part;
    this.#kind = kind;
    this.#at = at;
    defineLength(this);
  }

  #list(): number[] {
    return this.#host.parts(this.#part, this.#kind);
  }

  override get Count(): number {
    return this.#host.partCount(this.#part, this.#kind);
  }

  override Item(index: unknown): BodyPart {
    return this.#at(this.#find(index));
  }

  /** One question to the host whatever the number of parts: a loop over the places stays linear. */
  #find(index: unknown): number {
    const place = placeOf(index);
    const part = Number.isInteger(place) ? this.#host.partAt(this.#part, this.#kind, place - 1) : undefined;
    if (part !== undefined) return part;
    throw new CdoError(
      "CDO_E_NOT_FOUND",
      `item ${cut(String(index), 40)} of ${this.Count} (they count from 1)`,
    );
  }

  /** A new, empty part; one of Attachments is marked as attachment. */
  Add(index: unknown = -1): BodyPart {
    return this.#at(this.#host.addPart(this.#part, placeOf(index), this.#kind));
  }

  /** By its place (from 1), or the body part itself. */
  Delete(which: unknown): void {
    const handle = BodyPart.identify(which)?.handle;
    if (handle === undefined) this.#host.removePart(this.#find(which));
    else if (this.#list().includes(handle)) this.#host.removePart(handle);
    else throw new CdoError("CDO_E_NOT_FOUND", "BodyParts.Delete: the part is not in this collection");
  }

  DeleteAll(): void {
    for (const part of this.#list()) this.#host.removePart(part);
  }

  override *[Symbol.iterator](): Iterator<BodyPart> {
    for (const part of this.#list()) yield this.#at(part);
  }
}
