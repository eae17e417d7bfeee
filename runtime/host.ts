// The way out of the isolate: a few synchronous operations of the worker, with text and numbers in both directions.
// The worker's side is src/sandbox/worker/calls/host-calls.ts, which names the same operations.
import { bytesOf, exactBuffer } from "./bytes.ts";
import { MAX_CHANGE_NOTES } from "./contract.ts";
import { CdoError, isCdoErrorName } from "./cdo/errors.ts";
import { handleIn, linesOf, partNumbers } from "./host-answers.ts";
import { PARTS_PER_MESSAGE, ReadTexts } from "./read-texts.ts";
import type { FindPlace, Member } from "./source-place.ts";

type Primitive = string | number | boolean | undefined;
/** Buffers cross as copies. */
export type Answer = Primitive | ArrayBuffer;
type Bytes = Uint8Array<ArrayBuffer>;

/** `false` says that it failed; "error" then tells why, as `NAME detail`. `place`: of the script's statement, at edits. */
export type HostFunction = (
  operation: string,
  a?: Primitive,
  b?: Primitive,
  c?: Primitive,
  place?: number,
  bytes?: ArrayBuffer,
) => Answer;

export type PartKind = "attachment" | "child";

/** What a content is read or put back as. `text` and a charset: the bytes are text in that charset. */
export type ContentForm = "whole" | "encoded" | "decoded" | "unicode" | `text ${string}`;

/** "raw" is the header as on the wire; "text" decodes words, "addresses" decodes display names only. */
export type HeaderView = "raw" | "text" | "addresses";

const READ_HEADER = { raw: "header", text: "headerText", addresses: "headerAddresses" } as const;
const SET_HEADER = { raw: "setHeader", text: "setHeaderText", addresses: "setHeaderAddresses" } as const;

/** What one call of the script may do. Closed afterwards, so that objects kept by a script cannot reach a later message. */
export class Host {
  readonly #call: HostFunction;
  readonly #growthBytes: number;
  #uncommitted: Map<object, () => string> | undefined;
  #open = true;
  readonly #place: FindPlace;
  #placesLeft = MAX_CHANGE_NOTES;
  #writtenAt = 0;
  #member: Member | undefined;
  readonly #read = new ReadTexts();

  constructor(call: HostFunction, growthBytes: number, place: FindPlace) {
    this.#call = call;
    this.#growthBytes = growthBytes;
    this.#place = place;
  }

  close(): void {
    this.#open = false;
    this.#read.forget();
  }

  /** `owner` has values that wait for Update(); `describe` names them in the warning when the call ends first. */
  expectUpdate(owner: object, describe: () => string): void {
    this.#uncommitted ??= new Map();
    this.#uncommitted.set(owner, describe);
  }

  updated(owner: object): void {
    this.#uncommitted?.delete(owner);
  }

  /** Names of what was set and never passed to Update(). */
  uncommitted(): string[] {
    return this.#uncommitted === undefined
      ? []
      : [...this.#uncommitted.values()].map((describe) => describe());
  }

  /** The place of the script's statement for the effect log; 0 when it is unknown, or when enough edits have one. */
  placeOfEdit(member?: Member): number {
    return this.#placesLeft-- > 0 ? this.#place(member) : 0;
  }

  /** The next edit is asked for by this member of the object model. */
  by(member: Member): this {
    this.#member = member;
    return this;
  }

  /** Edits until the next call of it were asked for by the statement at this place; 0: each by the statement that runs. */
  writtenAt(place: number): void {
    this.#writtenAt = place;
  }

  /** An operation that changes the message or its envelope. */
  #edit(operation: string, a?: Primitive, b?: Primitive, c?: Primitive, bytes?: ArrayBuffer): Answer {
    this.#read.forget();
    // Messages that the script makes have no effect log.
    const isNoted = typeof a !== "number" || a < PARTS_PER_MESSAGE;
    let place = isNoted ? this.#writtenAt : 0;
    if (isNoted && place === 0) place = this.placeOfEdit(this.#member);
    this.#member = undefined;
    return this.#invoke(operation, a, b, c, bytes, place);
  }

  #invoke(
    operation: string,
    a?: Primitive,
    b?: Primitive,
    c?: Primitive,
    bytes?: ArrayBuffer,
    place = 0,
  ): Answer {
    if (!this.#open) throw new CdoError("CDO_E_INACTIVE");
    // A text leaves the isolate as a copy: what could never be accepted must not be copied first.
    const tooLong =
      (typeof b === "string" && b.length > this.#growthBytes) ||
      (typeof c === "string" && c.length > this.#growthBytes);
    if (tooLong) this.#call("limit", "growthBytes");
    const result = tooLong ? false : this.#cross(operation, a, b, c, bytes, place);
    if (result === false) throw this.#failure();
    return result;
  }

  /** An argument that is not there is not passed: each costs a conversion on the way out. */
  #cross(
    operation: string,
    a: Primitive,
    b: Primitive,
    c: Primitive,
    bytes: ArrayBuffer | undefined,
    place: number,
  ): Answer {
    if (bytes !== undefined) return this.#call(operation, a, b, c, place, bytes);
    if (place !== 0) return this.#call(operation, a, b, c, place);
    return c === undefined ? this.#call(operation, a, b) : this.#call(operation, a, b, c);
  }

  #failure(): Error {
    const told = this.#call("error");
    const reason = typeof told === "string" ? told : "";
    const space = reason.indexOf(" ");
    const name = reason.slice(0, space);
    const detail = reason.slice(space + 1);
    // No error of the object model: the call may be over, for a limit or its time.
    if (name === "") this.#call("faultedAt", this.#place());
    return isCdoErrorName(name) ? new CdoError(name, detail === "" ? undefined : detail) : new Error(detail);
  }

  #text(operation: string, a?: Primitive, b?: Primitive, c?: Primitive): string | undefined {
    const result = this.#invoke(operation, a, b, c);
    return typeof result === "string" ? result : undefined;
  }

  #number(operation: string, a?: Primitive, b?: Primitive, c?: Primitive): number | undefined {
    const result = this.#invoke(operation, a, b, c);
    return typeof result === "number" ? result : undefined;
  }

  header(part: number, name: string, view: HeaderView): string | undefined {
    return this.#text(READ_HEADER[view], part, name);
  }

  /** Subject, From or To of the arriving message, by its place in MAIN_HEADERS: the first look brings all three. */
  mainHeader(index: number): string | undefined {
    if (!this.#read.hasMainHeaders) return undefined;
    const known = this.#read.mainHeader(index);
    if (known !== undefined && this.#open) return known;
    this.#read.keepMainHeaders(this.#text("mainHeaders"));
    return this.#read.mainHeader(index);
  }

  /** The value on the wire is encoded from the view; an empty text removes the header. */
  setHeader(part: number, name: string, view: HeaderView, value: string): void {
    if (value === "") this.#edit("removeHeader", part, name);
    else this.#edit(SET_HEADER[view], part, name, value);
  }

  /** Raises what setting the header to the value would raise. */
  checkHeader(part: number, name: string, value: string): void {
    this.#invoke("checkHeader", part, name, value);
  }

  /** Of the arriving message the same list until the next edit. */
  headerNames(part: number): readonly string[] {
    const known = this.#read.headerNames(part);
    return known ?? this.#read.keepHeaderNames(part, linesOf(this.#text("headerNames", part)));
  }

  headerDate(part: number, name: string): Date | undefined {
    const time = this.#number("headerDate", part, name);
    return time === undefined ? undefined : new Date(time);
  }

  headerParameter(part: number, header: string, parameter: string): string | undefined {
    return this.#text("headerParameter", part, header, parameter);
  }

  /** Messages are named by the handle of their root part; that of the arriving message is 0. */
  body(root: number, kind: "text" | "html"): string | undefined {
    if (root !== 0) return this.#text("body", root, kind);
    const known = this.#read.body(kind);
    if (known !== undefined) return known;
    const body = this.#text("body", root, kind);
    this.#read.keepBody(kind, body);
    return body;
  }

  setBody(root: number, kind: "text" | "html", value: string): void {
    this.#edit("setBody", root, kind, value);
  }

  bodyPart(root: number, kind: "text" | "html"): number | undefined {
    return this.#number("bodyPart", root, kind);
  }

  /** The attachments of the message whose root the part is, or the parts directly below it. */
  parts(part: number, kind: PartKind): number[] {
    return partNumbers(this.#text("parts", part, kind));
  }

  partCount(part: number, kind: PartKind): number {
    return this.#number("partCount", part, kind) ?? 0;
  }

  /** Counted from 0; undefined when there is none. */
  partAt(part: number, kind: PartKind, index: number): number | undefined {
    return this.#number("partAt", part, kind, index);
  }

  parent(part: number): number | undefined {
    return this.#number("parent", part);
  }

  partText(
    part: number,
    property: "mediaType" | "charset" | "transferEncoding" | "fileName" | "disposition",
  ): string {
    return this.#text("part", part, property) ?? "";
  }

  setPartText(part: number, property: "mediaType" | "charset" | "transferEncoding", value: string): void {
    this.#edit("setPart", part, property, value);
  }

  /** Raises what setting it to the value would raise. */
  checkPartText(part: number, property: "mediaType", value: string): void {
    this.#invoke("checkPart", part, property, value);
  }

  removePart(part: number): void {
    this.#edit("removePart", part);
  }

  /** A new, empty part at a place from 1 (-1: the end) among the attachments of the message or the children of the part. */
  addPart(part: number, place: number, kind: PartKind): number {
    return handleIn(this.#edit("addPart", part, place, kind));
  }

  /** The root of a new, empty message. */
  newMessage(): number {
    return this.#number("newMessage") ?? 0;
  }

  content(part: number, form: ContentForm): Bytes {
    return bytesOf(this.#invoke("content", part, form));
  }

  setContent(part: number, form: ContentForm, bytes: Bytes): void {
    this.#edit("setContent", part, form, undefined, exactBuffer(bytes));
  }

  /** `open`: `to` becomes what `from` is, or the message in it; `embed`: the part `to` comes to hold the message. */
  copyContent(from: number, to: number, how: "open" | "embed"): void {
    this.#edit("copyContent", from, to, how);
  }

  /** A granted file of the script folder. */
  fileContent(path: string): Bytes {
    return bytesOf(this.#invoke("fileContent", path));
  }

  /** `options` as of Stream.SaveToFile. */
  saveFile(path: string, options: number, bytes: Bytes): void {
    this.#invoke("saveFile", path, options, undefined, exactBuffer(bytes));
  }

  /** The decoded content of the part, over what is there. */
  savePart(part: number, path: string): void {
    this.#invoke("savePart", part, path);
  }

  /** File names of the messages in Drop; `folder` as the script gave it, or "". */
  dropList(folder: string): string[] {
    return linesOf(this.#text("dropList", folder));
  }

  /** The root of a new message with the content of the file. */
  dropOpen(name: string): number {
    return this.#number("dropOpen", name) ?? 0;
  }

  /** The names of those that are left. */
  dropDelete(names: readonly string[]): string[] {
    return linesOf(this.#text("dropDelete", undefined, names.join("\n")));
  }

  isCharset(label: string): boolean {
    return this.#invoke("isCharset", label.slice(0, 100)) === 1;
  }

  decodeText(charset: string, bytes: Bytes): string {
    const text = this.#invoke("decodeText", charset, undefined, undefined, exactBuffer(bytes));
    return typeof text === "string" ? text : "";
  }

  encodeText(charset: string, text: string): Bytes {
    return bytesOf(this.#invoke("encodeText", charset, text));
  }

  textLength(charset: string, text: string): number {
    return this.#number("textLength", charset, text) ?? 0;
  }

  setMimeFormatted(root: number, value: boolean): void {
    this.#edit("setMimeFormatted", root, value ? 1 : 0);
  }

  protection(root: number): string {
    return this.#text("protection", root) ?? "none";
  }

  envelope(field: "sender" | "recipients" | "clientAddress" | "pickupFileName"): string {
    return this.#text("envelope", field) ?? "";
  }

  envelopeNumber(field: "arrivalTime" | "status"): number {
    return this.#number("envelope", field) ?? 0;
  }

  /** Stages one field; commitEnvelope makes all staged ones permanent at once. */
  stageEnvelope(field: "sender" | "recipients" | "status", value: string): void {
    this.#edit("stageEnvelope", field, undefined, value);
  }

  commitEnvelope(): void {
    this.#invoke("commitEnvelope");
  }

  save(): void {
    this.#invoke("save");
  }

  /** Raises when the binding does not let the script send. */
  maySend(nextHop: string): void {
    this.#invoke("maySend", nextHop);
  }

  /** `nextHop` is "host:port", or "": as the service routes it. */
  send(root: number, dsnOptions: number, nextHop: string): void {
    this.#invoke("send", root, dsnOptions, nextHop);
  }

  /** The page at the source becomes the body, without a plain text. */
  createMhtml(root: number, source: string, flags: number): void {
    this.#edit("createMhtml", root, source, flags);
  }

  /** A granted file or page as a part; `how` is "attachment", or a reference type, a blank and the reference. */
  attachFile(root: number, path: string, how: string): number {
    return handleIn(this.#edit("attachFile", root, path, how));
  }

  copyAttachments(from: number, to: number): void {
    this.#invoke("copyAttachments", from, to);
  }

  /** In-Reply-To and References of an answer. */
  refer(original: number, answer: number): void {
    this.#invoke("refer", original, answer);
  }

  /** Opens a request, which is answered in a later turn. Its number. */
  request(json: string, body: Bytes | undefined): number {
    const buffer = body === undefined ? undefined : exactBuffer(body);
    const number = this.#invoke("request", undefined, json, undefined, buffer, this.#place());
    return typeof number === "number" ? number : 0;
  }

  secret(name: string): string {
    return this.#text("secret", name) ?? "";
  }

  isDirty(root: number): boolean {
    return this.#invoke("isDirty", root) === 1;
  }

  /** The message was written to another object. */
  markSaved(root: number): void {
    this.#invoke("markSaved", root);
  }
}
