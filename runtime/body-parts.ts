// IBodyPart and IBodyParts: the parts of the MIME tree, and the collection of those that count as attachments.
import { Collection } from "./collections.ts";
import { CdoError } from "./errors.ts";
import { type FieldSource, Fields, headerSource, MAIL_HEADER } from "./fields.ts";
import type { Host } from "./host.ts";
import { defineUnavailable, refuseWrite, toText } from "./member-names.ts";

function derivedFields(host: Host, part: number): ReadonlyMap<string, FieldSource> {
  return new Map<string, FieldSource>([
    ["urn:schemas:httpmail:attachmentfilename", { read: () => host.partText(part, "fileName") }],
    ["urn:schemas:httpmail:content-disposition-type", { read: () => host.partText(part, "disposition") }],
    [
      "urn:schemas:httpmail:content-media-type",
      {
        read: () => host.partText(part, "mediaType"),
        write: (value) => host.setPartText(part, "mediaType", toText(value)),
      },
    ],
    ["dav:contentclass", headerSource(host, part, "Content-Class", "text")],
  ]);
}

export class BodyPart {
  readonly #host: Host;
  readonly #part: number;
  #fields: Fields | undefined;

  constructor(host: Host, part: number) {
    this.#host = host;
    this.#part = part;
  }

  /** For the collection that is told to delete this part. */
  static numberOf(bodyPart: BodyPart): number {
    return bodyPart.#part;
  }

  get BodyParts(): BodyParts {
    return new BodyParts(this.#host, () => this.#host.children(this.#part));
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

  get Fields(): Fields {
    this.#fields ??= new Fields(this.#host, this.#part, () => derivedFields(this.#host, this.#part));
    return this.#fields;
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
    return new BodyPart(this.#host, parent);
  }

  GetFieldParameter(fieldName: unknown, parameter: unknown): string {
    const name = toText(fieldName);
    if (!name.toLowerCase().startsWith(MAIL_HEADER))
      throw new CdoError("CDO_E_PROP_NONHEADER", name.slice(0, 200));
    const value = this.#host.headerParameter(this.#part, name.slice(MAIL_HEADER.length), toText(parameter));
    if (value === undefined) throw new CdoError("CDO_E_PROP_NOT_FOUND", name.slice(0, 200));
    return value;
  }

  GetInterface(name: unknown): BodyPart {
    if (toText(name).toLowerCase() === "ibodypart") return this;
    throw new CdoError("E_NOINTERFACE", toText(name).slice(0, 100));
  }
}
defineUnavailable(BodyPart, [
  "AddBodyPart",
  "ContentClassName",
  "DataSource",
  "GetDecodedContentStream",
  "GetEncodedContentStream",
  "GetStream",
  "SaveToFile",
]);

/** Items count from 1. */
export class BodyParts extends Collection<BodyPart> {
  readonly #host: Host;
  readonly #list: () => number[];

  constructor(host: Host, list: () => number[]) {
    super();
    this.#host = host;
    this.#list = list;
  }

  override get Count(): number {
    return this.#list().length;
  }

  override Item(index: unknown): BodyPart {
    const part = this.#list()[Number(index) - 1];
    if (part === undefined)
      throw new CdoError("CDO_E_NOT_FOUND", `item ${toText(index).slice(0, 40)} of ${this.Count}`);
    return new BodyPart(this.#host, part);
  }

  /** By its place (from 1), or the body part itself. */
  Delete(which: unknown): void {
    const bodyPart = which instanceof BodyPart ? which : this.Item(which);
    this.#host.removePart(BodyPart.numberOf(bodyPart));
  }

  DeleteAll(): void {
    for (const part of this.#list()) this.#host.removePart(part);
  }

  override *[Symbol.iterator](): Iterator<BodyPart> {
    for (const part of this.#list()) yield new BodyPart(this.#host, part);
  }
}
defineUnavailable(BodyParts, ["Add"]);
