// A header block: raw until edited; fields that nobody touches stay byte for byte.
import type { Splice } from "../core/splice.ts";
import { decodeUnlabelled, encodeGuessed, isAsciiText, isLatin1Text } from "./charset.ts";
import { foldField, requireFieldName, requireFieldValue, trimBlanks, unfoldValue } from "./header-field.ts";
import { encodeHeaderValue } from "./header-value.ts";
import { DEFAULT_MIME_LIMITS } from "./limits.ts";

/** A field, or a line that is none. Text here is Latin-1: one character per byte of the block. */
class Field {
  /** The whole field with its line end. */
  raw: string;
  /** What stands before the colon; "" for what cannot be a field (no colon, or past the limit). */
  readonly #before: string;
  readonly valueStart: number;
  /** Place in the original block; a new field has none (-1). */
  readonly start: number;
  readonly end: number;
  edited: boolean;
  #name: string | undefined;

  constructor(raw: string, before: string, valueStart: number, start: number) {
    this.raw = raw;
    this.#before = before;
    this.valueStart = valueStart;
    this.start = start;
    this.end = start < 0 ? -1 : start + raw.length;
    this.edited = start < 0;
  }

  /**
   * Lower case; "" for a line that is no field (mbox "From ", leading blanks): a name holds neither blanks nor line breaks. Made out
   * when it is first asked for, which is never for most fields of a message.
   */
  get name(): string {
    return (this.#name ??= /[\s\0]/.test(this.#before) ? "" : this.#before.toLowerCase());
  }

  /** The name as it is written; "" for a line that is no field. */
  get label(): string {
    return this.name === "" ? "" : this.#before;
  }

  /** `name`: in lower case and not "". In Latin-1 no letter changes the length with its case. */
  isNamed(name: string): boolean {
    return this.#before.length === name.length && this.name === name;
  }
}

const CRLF = "\r\n";
/** From so many fields on the names are indexed: whoever reads one field after the other would search all of them each time. */
const INDEXED_FROM = 200;

const decodeText = (text: string): string =>
  isAsciiText(text) ? text : decodeUnlabelled(Buffer.from(text, "latin1"));

/** A value as bytes, one per character. `before`: the present field. */
function wireValue(name: string, value: string, before?: Field): string {
  // 8-bit bytes of others stay what they were, whatever they mean.
  if (!isAsciiText(value) && before !== undefined) {
    const bytes = Buffer.from(unfoldValue(before.raw.slice(before.valueStart)), "latin1");
    const kept = encodeGuessed(value, bytes, "");
    if (kept !== undefined) return kept.toString("latin1");
  }
  const encoded = encodeHeaderValue(name, value);
  return isAsciiText(encoded) ? encoded : Buffer.from(encoded, "utf8").toString("latin1");
}

/** The bytes of fields. A character that is no byte would lose its high half, and the other one may be a line end. */
function bytesOf(text: string): Buffer {
  if (!isLatin1Text(text)) throw new RangeError("A header field holds a character that is no byte");
  return Buffer.from(text, "latin1");
}

const valueOf = (field: Field): string => decodeText(unfoldValue(field.raw.slice(field.valueStart)));

function noteFirst(firsts: Map<string, Field>, field: Field): void {
  if (!firsts.has(field.name)) firsts.set(field.name, field);
}

/** What a field may be set to: sink properties may be numbers and booleans too. */
export type FieldValue = string | number | boolean;

export class Headers {
  readonly #block: Buffer;
  readonly #maxFields: number;
  #fields: Field[] | undefined;
  #newline = CRLF;
  #tailStart = 0;
  /** The blank line; in a block without one it may be added. */
  #tail = "";
  #tailAdded = false;
  #revision = 0;
  /** The first field of each name. */
  #index: Map<string, Field> | undefined;

  constructor(block: Buffer, maxFields: number = DEFAULT_MIME_LIMITS.maxHeaders) {
    this.#block = block;
    this.#maxFields = maxFields;
  }

  static empty(): Headers {
    return new Headers(Buffer.from(CRLF));
  }

  /** Counts the edits: what was derived from a field is stale when this moved. */
  get revision(): number {
    return this.#revision;
  }

  get changed(): boolean {
    return this.#revision > 0;
  }

  get(name: string): string | undefined {
    const field = this.#find(name.toLowerCase());
    return field === undefined ? undefined : valueOf(field);
  }

  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const found: string[] = [];
    for (const field of this.#parsed())
      if (wanted !== "" && field.isNamed(wanted)) found.push(valueOf(field));
    return found;
  }

  has(name: string): boolean {
    return this.#find(name.toLowerCase()) !== undefined;
  }

  count(name: string): number {
    const wanted = name.toLowerCase();
    let count = 0;
    for (const field of this.#parsed()) if (wanted !== "" && field.isNamed(wanted)) count++;
    return count;
  }

  /** The fields in order, lines that are no fields left out. */
  entries(): { name: string; value: string }[] {
    const found: { name: string; value: string }[] = [];
    for (const field of this.#parsed())
      if (field.name !== "") found.push({ name: decodeText(field.label), value: valueOf(field) });
    return found;
  }

  /** Replaces the first field of the name where it stands and removes further ones; appends when there is none. */
  set(name: string, value: FieldValue): void {
    const wanted = name.toLowerCase();
    const first = this.#find(wanted);
    if (first === undefined) return this.add(name, value);
    requireFieldName(name);
    const given = value.toString();
    const text = trimBlanks(given);
    // The present value may be set again even where its bytes could not be written anew.
    if (valueOf(first) !== text) {
      requireFieldValue(name, given);
      first.raw = foldField(first.label, wireValue(name, text, first), this.#newline);
      first.edited = true;
      this.#revision++;
    }
    this.#removeFields((field) => field !== first && field.isNamed(wanted));
  }

  add(name: string, value: FieldValue): void {
    const field = this.#create(name, value.toString());
    const fields = this.#parsed();
    const last = fields.at(-1);
    // A block cut off inside a line has no end to append at.
    if (last !== undefined && !last.raw.endsWith("\n")) this.#insertAtTop(field);
    else this.#append(field);
    this.#revision++;
  }

  prepend(name: string, value: FieldValue): void {
    this.#insertAtTop(this.#create(name, value.toString()));
    this.#revision++;
  }

  remove(name: string): number {
    const wanted = name.toLowerCase();
    return this.#removeFields((field) => wanted !== "" && field.isNamed(wanted));
  }

  /** Removes those fields of the name whose value the test accepts. */
  removeValues(name: string, test: (value: string) => boolean): number {
    const wanted = name.toLowerCase();
    return this.#removeFields((field) => wanted !== "" && field.isNamed(wanted) && test(valueOf(field)));
  }

  /** Removes the fields whose name (in lower case) the test accepts. */
  removeWhere(test: (name: string) => boolean): number {
    return this.#removeFields((field) => field.name !== "" && test(field.name));
  }

  /** The fields whose name the test accepts, as they stand, for `adopt` of another block. */
  rawFields(test: (name: string) => boolean): string[] {
    const found: string[] = [];
    for (const field of this.#parsed()) if (field.name !== "" && test(field.name)) found.push(field.raw);
    return found;
  }

  /** Appends fields that `rawFields` gave, byte for byte. */
  adopt(fields: readonly string[]): void {
    for (const raw of fields) {
      const ended = raw.endsWith("\n") ? raw : raw + this.#newline;
      const colon = ended.indexOf(":");
      this.#append(new Field(ended, ended.slice(0, colon).trimEnd(), colon + 1, -1));
      this.#revision++;
    }
  }

  /** A block that ends without its blank line gets one: a body is to follow. */
  ensureBlankLine(): void {
    const last = this.#parsed().at(-1);
    if (this.#tail !== "") return;
    this.#tail =
      last === undefined || last.raw.endsWith("\n") ? this.#newline : this.#newline + this.#newline;
    this.#tailAdded = true;
    this.#revision++;
  }

  /** The edits relative to the message, the block starting at `base`. */
  splices(base: number): Splice[] {
    if (!this.changed) return [];
    const found: Splice[] = [];
    let cursor = 0;
    let pending = "";
    const keepFrom = (start: number): void => {
      if (start > cursor || pending !== "") {
        found.push({ start: base + cursor, end: base + start, bytes: bytesOf(pending) });
      }
      pending = "";
    };
    for (const field of this.#parsed()) {
      if (field.edited) pending += field.raw;
      else {
        keepFrom(field.start);
        cursor = field.end;
      }
    }
    keepFrom(this.#tailStart);
    if (this.#tailAdded) {
      found.push({
        start: base + this.#block.length,
        end: base + this.#block.length,
        bytes: Buffer.from(this.#tail),
      });
    }
    return found;
  }

  toBuffer(): Buffer {
    if (!this.changed) return this.#block;
    let text = "";
    for (const field of this.#parsed()) text += field.raw;
    return bytesOf(text + this.#tail);
  }

  #find(wanted: string): Field | undefined {
    if (wanted === "") return undefined;
    const fields = this.#parsed();
    if (fields.length >= INDEXED_FROM) return this.#indexed(fields).get(wanted);
    for (const field of fields) if (field.isNamed(wanted)) return field;
    return undefined;
  }

  #indexed(fields: readonly Field[]): Map<string, Field> {
    if (this.#index !== undefined) return this.#index;
    const firsts = new Map<string, Field>();
    for (const field of fields) noteFirst(firsts, field);
    this.#index = firsts;
    return firsts;
  }

  #create(name: string, value: string): Field {
    requireFieldName(name);
    requireFieldValue(name, value);
    // A part of no bytes at all (RFC 2046 allows the blank line to be missing too) gets its blank line with its first field.
    if (this.#block.length === 0) this.ensureBlankLine();
    this.#parsed();
    const raw = foldField(name, wireValue(name, trimBlanks(value)), this.#newline);
    return new Field(raw, name, name.length + 1, -1);
  }

  #append(field: Field): void {
    this.#parsed().push(field);
    if (this.#index !== undefined) noteFirst(this.#index, field);
  }

  /** Below an mbox "From " line, and never above a line of blanks and text: it would become part of the new field. */
  #insertAtTop(field: Field): void {
    const fields = this.#parsed();
    let index = 0;
    for (
      let above = fields[0];
      above?.name === "" && /^(?:[ \t]|>?From )/.test(above.raw);
      above = fields[index]
    ) {
      if (!above.raw.endsWith("\n")) {
        above.raw += this.#newline;
        above.edited = true;
      }
      index++;
    }
    fields.splice(index, 0, field);
    this.#index = undefined;
  }

  #removeFields(test: (field: Field) => boolean): number {
    const fields = this.#parsed();
    const kept = fields.filter((field) => !test(field));
    const removed = fields.length - kept.length;
    if (removed > 0) {
      this.#fields = kept;
      this.#index = undefined;
      this.#revision++;
    }
    return removed;
  }

  #parsed(): Field[] {
    this.#fields ??= this.#parse(this.#block.toString("latin1"));
    return this.#fields;
  }

  #parse(text: string): Field[] {
    const fields: Field[] = [];
    const firstBreak = text.indexOf("\n");
    if (firstBreak >= 0 && text[firstBreak - 1] !== "\r") this.#newline = "\n";
    let position = 0;
    while (position < text.length) {
      const code = text.charCodeAt(position);
      if (code === 0x0a || (code === 0x0d && text.charCodeAt(position + 1) === 0x0a)) break;
      const end = fields.length < this.#maxFields ? fieldEnd(text, position) : lastLineEnd(text, position);
      fields.push(parseField(text.slice(position, end), position, fields.length < this.#maxFields));
      position = end;
    }
    this.#tailStart = position;
    this.#tail = text.slice(position);
    return fields;
  }
}

/** After the field that starts here: its line and the folded lines behind it. */
function fieldEnd(text: string, start: number): number {
  let position = start;
  for (;;) {
    const lineEnd = text.indexOf("\n", position);
    if (lineEnd < 0) return text.length;
    position = lineEnd + 1;
    const next = text.charCodeAt(position);
    if (next !== 0x20 && next !== 0x09) return position;
  }
}

/** Past the field limit the rest of the block, up to its blank line, is one entry without a name. */
function lastLineEnd(text: string, start: number): number {
  if (text.endsWith("\n\r\n")) return Math.max(text.length - 2, start);
  return text.endsWith("\n\n") ? Math.max(text.length - 1, start) : text.length;
}

function parseField(raw: string, start: number, named: boolean): Field {
  const colon = named ? raw.indexOf(":") : -1;
  // RFC 5322 §4.5 allows blanks before the colon.
  return new Field(raw, colon <= 0 ? "" : trimBlanksAtEnd(raw, colon), colon + 1, start);
}

function trimBlanksAtEnd(raw: string, colon: number): string {
  let end = colon;
  while (end > 0 && (raw[end - 1] === " " || raw[end - 1] === "\t")) end--;
  return raw.slice(0, end);
}
