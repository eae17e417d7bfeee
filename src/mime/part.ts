// One part of a message: its headers, its body as bytes or as children, read from the original until edited.
import { decodeCharset, decodeUnlabelled } from "./charset.ts";
import { ContentFields, requireMediaType } from "./content-fields.ts";
import { Headers } from "./headers.ts";
import { formatParameters } from "./parameters.ts";
import { indexBody, partRanges, type ByteRange, type ChildrenBody, type PartBody } from "./part-body.ts";
import { PartContext } from "./part-context.ts";
import { serialize } from "./serialize.ts";
import { bufferSource, headerEnd, type ByteSource } from "./source.ts";
import { encodeDecodedBody, encodeTextBody, type TextOptions } from "./text-body.ts";
import { decodeTransferEncoding } from "./transfer-encoding.ts";
import { randomToken, type TokenSource } from "./boundaries.ts";

const EMPTY = Buffer.alloc(0);
const wholeOf = (source: ByteSource): ByteRange => ({ source, start: 0, end: source.size });
/** What describes the body and moves with it. Content-Class is CDO's and describes the message. */
const isContentField = (name: string): boolean => name.startsWith("content-") && name !== "content-class";
const isMultipartType = (mediaType: string): boolean => mediaType.startsWith("multipart/");

export class MimePart {
  readonly context: PartContext;
  readonly depth: number;
  #headerRange: ByteRange | undefined;
  /** The delimiter lines of the original are given up for new ones. */
  #boundaryRenewed = false;
  #parent: MimePart | undefined;
  #headers: Headers | undefined;
  #body: PartBody;
  #bodyChanged = false;
  readonly #content: ContentFields;
  #textLength = -1;
  /** The revision of the headers with which the body could not be read as a multipart; -1 when none. */
  #opaqueAt = -1;

  /** For the document and its parts only: `create` makes a new part. */
  constructor(
    context: PartContext,
    depth: number,
    parent: MimePart | undefined,
    headerRange: ByteRange | undefined,
    body: ByteRange,
  ) {
    this.context = context;
    this.#content = new ContentFields(context);
    this.depth = depth;
    this.#parent = parent;
    this.#headerRange = headerRange;
    this.#body = { kind: "bytes", range: body };
  }

  static create(
    mediaType: string,
    parameters: Record<string, string> = {},
    token: TokenSource = randomToken,
  ): MimePart {
    const part = new MimePart(
      new PartContext({}, token),
      0,
      undefined,
      undefined,
      wholeOf(bufferSource(EMPTY)),
    );
    part.headers.set(
      "Content-Type",
      formatParameters({ value: mediaType, parameters: new Map(Object.entries(parameters)) }),
    );
    if (isMultipartType(part.mediaType)) part.#becomeMultipart();
    return part;
  }

  get parent(): MimePart | undefined {
    return this.#parent;
  }

  get isRoot(): boolean {
    return this.context.root === this;
  }

  /** The header block in the original; undefined for a new one. */
  get headerRange(): ByteRange | undefined {
    return this.#headerRange;
  }

  get headers(): Headers {
    const range = this.#headerRange;
    this.#headers ??=
      range === undefined
        ? Headers.empty()
        : new Headers(range.source.slice(range.start, range.end), this.context.limits.maxHeaders);
    return this.#headers;
  }

  /** The headers only when somebody has looked at them: unread ones cannot have changed. */
  get headersIfRead(): Headers | undefined {
    return this.#headers;
  }

  get body(): PartBody {
    return this.#body;
  }

  /** Whether this part itself was edited (its children answer for themselves). */
  get ownChange(): boolean {
    return this.#bodyChanged || this.#headers?.changed === true;
  }

  get mediaType(): string {
    const { value } = this.#content.type(this.headers);
    // RFC 2045 §5.2: what is no type/subtype counts as absent.
    if (value.includes("/")) return value;
    // RFC 2046 §5.1.5
    return this.#parent?.mediaType === "multipart/digest" ? "message/rfc822" : "text/plain";
  }

  get contentParameters(): ReadonlyMap<string, string> {
    return this.#content.type(this.headers).parameters;
  }

  get boundary(): string {
    return (this.#content.type(this.headers).parameters.get("boundary") ?? "").trimEnd();
  }

  /** False for a multipart that cannot be read as one (no boundary, past a limit): that is an opaque leaf. */
  get isMultipart(): boolean {
    if (!isMultipartType(this.mediaType)) return false;
    if (this.#body.kind === "bytes") this.#index(this.#body.range);
    return this.#body.kind === "children";
  }

  get isEmptyLeaf(): boolean {
    return (
      this.#body.kind === "bytes" && this.#body.range.start === this.#body.range.end && !this.isMultipart
    );
  }

  /** Bytes that are no multipart's, not even one's that cannot be read. */
  get hasOwnContent(): boolean {
    return !isMultipartType(this.mediaType) && !this.isEmptyLeaf;
  }

  get charset(): string {
    return (this.#content.type(this.headers).parameters.get("charset") ?? "").toLowerCase() || "us-ascii";
  }

  get transferEncoding(): string {
    return this.#content.transferEncoding(this.headers);
  }

  get disposition(): string {
    return this.#content.disposition(this.headers).value;
  }

  get fileName(): string {
    const name = this.contentParameters.get("name");
    const fileName = this.#content.disposition(this.headers).parameters.get("filename");
    if (name !== undefined && fileName !== undefined && name !== fileName)
      this.context.note("A part has two file names: that of Content-Disposition was taken");
    return fileName ?? name ?? "";
  }

  /** Without its angle brackets. */
  get contentId(): string {
    const id = (this.headers.get("Content-ID") ?? "").trim();
    return id.slice(id.startsWith("<") ? 1 : 0, id.endsWith(">") ? -1 : undefined).trim();
  }

  get children(): readonly MimePart[] {
    if (!this.isMultipart || this.#body.kind !== "children") return [];
    return this.#body.children;
  }

  rawBody(): Buffer {
    if (this.#body.kind === "bytes") {
      const { source, start, end } = this.#body.range;
      return source.slice(start, end);
    }
    return serialize(this, "body").toBuffer();
  }

  decodedBody(): Buffer {
    const raw = this.rawBody();
    // RFC 2045 §6.4: a composite type is never encoded; a label that says otherwise is ignored, as its parts were read.
    return this.isMultipart ? raw : decodeTransferEncoding(raw, this.transferEncoding);
  }

  /** `bytes`: the content, where its transfer encoding is none of MIME. */
  text(bytes = this.decodedBody()): string {
    let text = decodeCharset(bytes, this.charset);
    if (text === undefined) {
      this.context.note(
        `The charset "${this.charset.slice(0, 40)}" is unknown: the text was read as if it named none`,
      );
      text = decodeUnlabelled(bytes);
    }
    this.#textLength = text.length;
    return text;
  }

  /** Whether the text is what was read before. One of another length is not looked at. */
  isTextRead(text: string): boolean {
    return text.length === this.#textLength && text === this.text();
  }

  setText(text: string, options: TextOptions = {}): void {
    this.#requireLeaf();
    encodeTextBody(this, text, options);
  }

  setDecodedBody(bytes: Buffer, transferEncoding?: string): void {
    this.#requireLeaf();
    encodeDecodedBody(this, bytes, transferEncoding);
  }

  /** The body as it goes on the wire; the children of a multipart are then read from these bytes. */
  setRawBody(bytes: Buffer): void {
    this.#setBody({ kind: "bytes", range: wholeOf(bufferSource(bytes)) });
    this.#opaqueAt = -1;
  }

  /**
   * Keeps the parameters. A multipart that becomes a leaf loses its children and its boundary. Only an empty leaf becomes
   * a multipart, which has no content of its own: `wrapIn` keeps the content of others.
   */
  setMediaType(mediaType: string): void {
    const value = requireMediaType(mediaType);
    const becomesMultipart = isMultipartType(value) && this.isEmptyLeaf;
    if (value === this.mediaType && !becomesMultipart) return;
    if (isMultipartType(value) && this.hasOwnContent)
      throw new RangeError("A multipart has no content of its own");
    const parameters = new Map(this.contentParameters);
    if (this.isMultipart && !isMultipartType(value)) {
      parameters.delete("boundary");
      this.setRawBody(EMPTY);
    }
    this.headers.set("Content-Type", formatParameters({ value, parameters }));
    if (becomesMultipart) this.#becomeMultipart();
  }

  setContentParameter(name: string, value: string): void {
    const parameters = new Map(this.contentParameters).set(name, value);
    this.headers.set("Content-Type", formatParameters({ value: this.mediaType, parameters }));
  }

  insertChild(index: number, part: MimePart): void {
    if (!this.isMultipart || this.#body.kind !== "children")
      throw new RangeError("Only a multipart takes children");
    if (part.isRoot) throw new RangeError("The root of a document cannot be a child");
    if (this.#isInside(part)) throw new RangeError("A part cannot be inside itself");
    const { children, layout } = this.#body;
    if (index < -1 || index > children.length)
      throw new RangeError(`There is no place ${index} among ${children.length} parts`);
    part.parent?.removeChild(part);
    // Behind the part that swallowed the rest at the part limit nothing would be seen: the new one stands before it.
    const last = layout?.overflow === true ? children.length - 1 : children.length;
    children.splice(index === -1 ? last : Math.min(index, last), 0, part);
    part.#parent = this;
    this.#rearranged(this.#body);
  }

  removeChild(part: MimePart): void {
    const index = this.children.indexOf(part);
    if (index < 0 || this.#body.kind !== "children") throw new RangeError("The part is no child of this one");
    this.#body.children.splice(index, 1);
    part.#parent = undefined;
    this.#rearranged(this.#body);
  }

  replaceChild(old: MimePart, replacement: MimePart): void {
    const index = this.children.indexOf(old);
    this.removeChild(old);
    this.insertChild(index, replacement);
  }

  /**
   * This part's place is taken by a new multipart that has this part as its only child. For the root the content
   * headers move down to the child, all others stay above.
   */
  wrapIn(mediaType: string): MimePart {
    const value = requireMediaType(mediaType);
    const wrapper = new MimePart(
      this.context,
      this.depth,
      undefined,
      undefined,
      wholeOf(bufferSource(EMPTY)),
    );
    if (this.isRoot) {
      wrapper.#takeHeadersOf(this);
      this.headers.adopt(wrapper.headers.rawFields(isContentField));
      wrapper.headers.removeWhere((name) => isContentField(name) && name !== "content-type");
      this.context.root = wrapper;
    } else this.#parent?.replaceChild(this, wrapper);
    wrapper.headers.set("Content-Type", value);
    wrapper.#becomeMultipart();
    wrapper.insertChild(-1, this);
    return wrapper;
  }

  /** A multipart with a single child is replaced by that child; for the root its content headers move up. */
  unwrap(): void {
    const [child, ...others] = this.children;
    if (child === undefined || others.length > 0)
      throw new RangeError("Only a multipart with a single child can be unwrapped");
    this.removeChild(child);
    if (!this.isRoot) return this.#parent?.replaceChild(this, child);
    const fields = child.headers.rawFields(isContentField);
    this.headers.removeWhere(isContentField);
    child.#takeHeadersOf(this);
    child.headers.adopt(fields);
    child.headers.ensureBlankLine();
    child.#bodyChanged = true;
    this.context.root = child;
  }

  /** New delimiter lines with a boundary that is not the present one. */
  renewBoundary(): void {
    this.#boundaryRenewed = true;
    this.setContentParameter("boundary", this.context.createBoundary());
  }

  get boundaryRenewed(): boolean {
    return this.#boundaryRenewed;
  }

  toBuffer(): Buffer {
    return serialize(this, "whole").toBuffer();
  }

  #takeHeadersOf(other: MimePart): void {
    this.#headers = other.headers;
    this.#headerRange = other.#headerRange;
    other.#headers = undefined;
    other.#headerRange = undefined;
  }

  #isInside(part: MimePart): boolean {
    if (part === this) return true;
    for (let above = this.#parent; above !== undefined; above = above.parent) if (above === part) return true;
    return false;
  }

  #requireLeaf(): void {
    if (this.isMultipart) throw new RangeError("A multipart has no content of its own");
  }

  #setBody(body: PartBody): void {
    this.#body = body;
    this.#bodyChanged = true;
    this.headers.ensureBlankLine();
    // RFC 1864: the digest of a body that is gone.
    this.headers.remove("Content-MD5");
  }

  #rearranged(body: ChildrenBody): void {
    body.rearranged = true;
    this.#bodyChanged = true;
    this.headers.ensureBlankLine();
  }

  #becomeMultipart(): void {
    if (this.boundary === "") this.setContentParameter("boundary", this.context.createBoundary());
    // RFC 2045 §6.4: no encoding but the identity ones on a multipart.
    this.headers.remove("Content-Transfer-Encoding");
    this.#setBody({ kind: "children", layout: undefined, found: [], children: [], rearranged: true });
    this.#opaqueAt = -1;
  }

  #index(range: ByteRange): void {
    const { revision } = this.headers;
    if (this.#opaqueAt === revision) return;
    const layout = indexBody(this, range);
    const empty = range.start === range.end && this.boundary !== "";
    if (layout === undefined && !empty) {
      this.#opaqueAt = revision;
      return;
    }
    const found =
      layout === undefined
        ? []
        : partRanges(layout).map((part) => MimePart.fromRange(this.context, this, part));
    this.#body = { kind: "children", layout, found, children: [...found], rearranged: false };
  }

  /** A part as found in a range of the original: its headers end at the first blank line. */
  static fromRange(context: PartContext, parent: MimePart | undefined, range: ByteRange): MimePart {
    const { source, start, end } = range;
    const limit = Math.min(end, start + context.limits.maxHeaderBytes);
    const head = source.slice(start, limit);
    const length = headerEnd(head);
    if (length === head.length && limit < end)
      context.note("A header block is too long: its rest was taken for the body");
    const headerRange = { source, start, end: start + length };
    return new MimePart(context, (parent?.depth ?? -1) + 1, parent, headerRange, {
      source,
      start: start + length,
      end,
    });
  }
}
