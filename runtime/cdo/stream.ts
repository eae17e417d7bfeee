// _Stream (ADODB.Stream): bytes with a position, read and written as bytes or as text. Those of messages and parts are
// copies: Flush() puts the content back into its owner, and DataSource.Save() makes that permanent.
import { bytesFrom, clearBytes, copyRange, createBytes, lengthOf, putBytes } from "../bytes.ts";
import { CdoError } from "./errors.ts";
import { filePath } from "./files.ts";
import type { Host } from "../host.ts";
import { refuseWrite, toText } from "./member-names.ts";
import { byteOrderMark, encodeStreamText, TextWindow } from "./stream-text.ts";
import { cut } from "../contract.ts";

const BINARY = 1;
const TEXT = 2;
const READ_ALL = -1;
const READ_LINE = -2;
const READ_ONLY = 1;
const WRITE_ONLY = 2;
const MAX_BYTES = 1024 * 1024 * 1024;
const SMALLEST_CAPACITY = 256;
/** SaveOptionsEnum: adSaveCreateNotExist and adSaveCreateOverWrite. */
const CREATE = 1;
const OVERWRITE = 2;

const SEPARATORS: Readonly<Record<number, string>> = { [-1]: "\r\n", 10: "\n", 13: "\r" };

/** Where the content of a stream came from, and goes back to. */
export interface StreamOwner {
  /** As in "GetStream", for the warning about content that was never flushed. */
  readonly name: string;
  flush(stream: Stream): void;
}

interface Opening {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly type: number;
  readonly charset: string;
  readonly owner: StreamOwner;
}

const NO_BYTES = createBytes(0);

export class Stream {
  readonly #host: () => Host;
  readonly #owner: StreamOwner | undefined;
  #bytes = NO_BYTES;
  #size = 0;
  #position = 0;
  #type = TEXT;
  #charset = "Unicode";
  #lineSeparator = -1;
  #mode = 0;
  #isOpen = false;
  #window: TextWindow | undefined;

  /** Closed and empty, or open with what a message gave. */
  constructor(host: () => Host, opening?: Opening) {
    this.#host = host;
    if (opening === undefined) return;
    this.#bytes = opening.bytes;
    this.#size = lengthOf(opening.bytes);
    this.#type = opening.type;
    this.#charset = opening.charset;
    this.#owner = opening.owner;
    this.#isOpen = true;
  }

  /** A copy of all bytes, for the objects that take the content over. */
  static contentOf(stream: Stream): Uint8Array<ArrayBuffer> {
    stream.#requireOpen();
    return copyRange(stream.#bytes, 0, stream.#size);
  }

  /** Replaces all bytes: the content of an object that is saved here. */
  static fill(stream: Stream, bytes: Uint8Array<ArrayBuffer>): void {
    stream.#requireWritable("SaveToObject");
    stream.#bytes = bytes;
    stream.#size = lengthOf(bytes);
    stream.#position = 0;
    stream.#changed();
  }

  get Charset(): string {
    return this.#charset;
  }

  set Charset(value: unknown) {
    const charset = toText(value);
    if (this.#position !== 0)
      throw new CdoError("adErrIllegalOperation", "Stream.Charset changes at Position 0 only");
    if (!this.#host().isCharset(charset))
      throw new CdoError("CDO_E_INVALID_CHARSET", `Stream.Charset "${cut(charset, 40)}"`);
    this.#charset = charset;
    this.#window = undefined;
  }

  get EOS(): boolean {
    this.#requireOpen();
    return this.#position >= this.#size;
  }

  set EOS(_value: unknown) {
    refuseWrite("Stream.EOS");
  }

  /** adCRLF (-1), adLF (10) or adCR (13). */
  get LineSeparator(): number {
    return this.#lineSeparator;
  }

  set LineSeparator(value: unknown) {
    const separator = Number(value);
    if (SEPARATORS[separator] === undefined)
      throw new CdoError("adErrInvalidArgument", "Stream.LineSeparator is -1, 10 or 13");
    this.#lineSeparator = separator;
  }

  get Mode(): number {
    return this.#mode;
  }

  set Mode(value: unknown) {
    if (this.#isOpen) throw new CdoError("adErrObjectOpen", "Stream.Mode");
    this.#mode = modeOf(value);
  }

  get Position(): number {
    this.#requireOpen();
    return this.#position;
  }

  set Position(value: unknown) {
    this.#requireOpen();
    const position = Number(value);
    if (!Number.isInteger(position) || position < 0)
      throw new CdoError("adErrInvalidArgument", "Stream.Position");
    if (position > this.#size) {
      this.#requireWritable("Position behind the end");
      this.#resize(position);
    }
    this.#position = position;
  }

  get Size(): number {
    this.#requireOpen();
    return this.#size;
  }

  set Size(_value: unknown) {
    refuseWrite("Stream.Size");
  }

  get State(): number {
    return this.#isOpen ? 1 : 0;
  }

  set State(_value: unknown) {
    refuseWrite("Stream.State");
  }

  get Type(): number {
    return this.#type;
  }

  set Type(value: unknown) {
    const type = Number(value);
    if (type !== BINARY && type !== TEXT) throw new CdoError("adErrInvalidArgument", "Stream.Type is 1 or 2");
    if (this.#position !== 0)
      throw new CdoError("adErrIllegalOperation", "Stream.Type changes at Position 0 only");
    this.#type = type;
  }

  Open(source?: unknown, mode: unknown = 0): void {
    if (this.#isOpen) throw new CdoError("adErrObjectOpen", "Stream.Open");
    if (source !== undefined && source !== null && source !== "")
      throw new CdoError("CDO_E_NOT_AVAILABLE", "Stream.Open with a source: open it empty");
    const wanted = modeOf(mode);
    if (wanted !== 0) this.#mode = wanted;
    this.#isOpen = true;
  }

  Close(): void {
    this.#requireOpen();
    this.#bytes = NO_BYTES;
    this.#size = this.#position = 0;
    this.#window = undefined;
    this.#isOpen = false;
  }

  /** The next bytes, all of them by default; null at the end. */
  Read(count: unknown = READ_ALL): Uint8Array | null {
    this.#requireReadable(BINARY, "Read");
    const wanted = countOf(count, "Stream.Read");
    if (wanted < READ_ALL) throw new CdoError("adErrInvalidArgument", "Stream.Read");
    if (this.#position >= this.#size) return null;
    const end = wanted === READ_ALL ? this.#size : Math.min(this.#position + wanted, this.#size);
    const bytes = copyRange(this.#bytes, this.#position, end);
    this.#position = end;
    return bytes;
  }

  /** The next characters; adReadAll (-1) by default, adReadLine (-2) up to the line separator. */
  ReadText(count: unknown = READ_ALL): string {
    this.#requireReadable(TEXT, "ReadText");
    const wanted = countOf(count, "Stream.ReadText");
    if (wanted < READ_LINE) throw new CdoError("adErrInvalidArgument", "Stream.ReadText");
    if (this.#position >= this.#size) return "";
    this.#window ??= new TextWindow(this.#host, this.#charset);
    const stream = { bytes: this.#bytes, size: this.#size };
    const taken =
      wanted === READ_LINE
        ? this.#window.takeLine(stream, this.#position, SEPARATORS[this.#lineSeparator] ?? "\r\n")
        : this.#window.take(stream, this.#position, wanted === READ_ALL ? this.#size : wanted);
    this.#position = taken.position;
    return taken.text;
  }

  SkipLine(): void {
    this.ReadText(READ_LINE);
  }

  Write(value: unknown): void {
    this.#requireWritable("Write");
    this.#requireType(BINARY, "Write");
    const bytes = bytesFrom(value, MAX_BYTES);
    if (bytes === undefined)
      throw new CdoError("adErrInvalidArgument", "Stream.Write takes a Uint8Array or an ArrayBuffer");
    this.#put(bytes);
  }

  /** `options` 1 (adWriteLine) appends the line separator. */
  WriteText(value: unknown, options: unknown = 0): void {
    this.#requireWritable("WriteText");
    this.#requireType(TEXT, "WriteText");
    const option = Number(options);
    if (option !== 0 && option !== 1)
      throw new CdoError("adErrInvalidArgument", "Stream.WriteText: options are 0 or 1");
    const text = toText(value) + (option === 1 ? (SEPARATORS[this.#lineSeparator] ?? "") : "");
    const bytes = encodeStreamText(this.#host, this.#charset, text);
    if (this.#position === 0 && text !== "") this.#putMark();
    this.#put(bytes);
  }

  /** The stream ends at Position. */
  SetEOS(): void {
    this.#requireWritable("SetEOS");
    this.#size = this.#position;
    this.#changed();
  }

  CopyTo(target: unknown, count: unknown = READ_ALL): void {
    this.#requireOpen();
    if (!(target instanceof Stream) || target === this)
      throw new CdoError("adErrInvalidArgument", "Stream.CopyTo needs another stream");
    if (this.#type === BINARY && target.#type === TEXT)
      throw new CdoError("adErrIllegalOperation", "Stream.CopyTo of bytes into a text stream");
    if (this.#type === BINARY) {
      const bytes = this.Read(count);
      if (bytes !== null) target.Write(bytes);
    } else if (target.#type === TEXT) target.WriteText(this.ReadText(count));
    else target.Write(encodeStreamText(this.#host, this.#charset, this.ReadText(count)));
  }

  /** Puts the content back into the message or body part it came from. */
  Flush(): void {
    this.#requireOpen();
    if (this.#owner === undefined) return;
    this.#owner.flush(this);
    this.#host().updated(this);
  }

  /** There is never anything in progress that could be cancelled. */
  Cancel(): void {
    this.#requireOpen();
  }

  /** A file below the script folder that the binding's `allow.write` grants; Position is 0 afterwards. */
  SaveToFile(fileName: unknown, options: unknown = CREATE): void {
    this.#requireOpen();
    const option = Number(options);
    if (option !== CREATE && option !== OVERWRITE)
      throw new CdoError(
        "adErrInvalidArgument",
        "Stream.SaveToFile: options are adSaveCreateNotExist (1) or adSaveCreateOverWrite (2)",
      );
    const path = filePath(toText(fileName), "Stream.SaveToFile");
    this.#host().saveFile(path, option, copyRange(this.#bytes, 0, this.#size));
    this.#position = 0;
  }

  /** A file below the script folder that the binding's `allow.read` grants; Position is 0 afterwards. */
  LoadFromFile(fileName: unknown): void {
    this.#requireWritable("LoadFromFile");
    const path = filePath(toText(fileName), "Stream.LoadFromFile");
    Stream.fill(this, this.#host().fileContent(path));
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new CdoError("adErrObjectClosed", "Stream (call Open first)");
  }

  #requireType(type: number, member: string): void {
    if (this.#type === type) return;
    const kinds = type === BINARY ? "a binary stream (Type 1)" : "a text stream (Type 2)";
    throw new CdoError("adErrIllegalOperation", `Stream.${member} needs ${kinds}`);
  }

  #requireReadable(type: number, member: string): void {
    this.#requireOpen();
    if (this.#mode === WRITE_ONLY)
      throw new CdoError("adErrIllegalOperation", `Stream.${member}: Mode is write`);
    this.#requireType(type, member);
  }

  #requireWritable(member: string): void {
    this.#requireOpen();
    if (this.#mode === READ_ONLY)
      throw new CdoError("adErrIllegalOperation", `Stream.${member}: Mode is read`);
  }

  #putMark(): void {
    const mark = byteOrderMark(this.#charset);
    if (mark.length === 0) return;
    const bytes = createBytes(mark.length);
    for (const [at, byte] of mark.entries()) bytes[at] = byte;
    this.#put(bytes);
  }

  #put(bytes: Uint8Array<ArrayBuffer>): void {
    const end = this.#position + lengthOf(bytes);
    if (end > this.#size) this.#resize(end);
    putBytes(this.#bytes, bytes, this.#position);
    this.#position = end;
    this.#changed();
  }

  #resize(size: number): void {
    const capacity = lengthOf(this.#bytes);
    if (size > capacity) this.#grow(Math.max(size, Math.min(2 * capacity, MAX_BYTES), SMALLEST_CAPACITY));
    else clearBytes(this.#bytes, this.#size, size);
    this.#size = size;
    this.#changed();
  }

  #grow(capacity: number): void {
    let grown: Uint8Array<ArrayBuffer>;
    try {
      if (capacity > MAX_BYTES) throw new RangeError("too large");
      grown = createBytes(capacity);
    } catch {
      throw new CdoError(
        "adErrWriteFile",
        "the stream would need more than the script's memory (limits.memoryMb)",
      );
    }
    putBytes(grown, copyRange(this.#bytes, 0, this.#size), 0);
    this.#bytes = grown;
  }

  #changed(): void {
    this.#window = undefined;
    const { name } = this.#owner ?? {};
    if (name !== undefined) this.#host().expectUpdate(this, () => `stream of ${name} (no Flush)`);
  }
}

function modeOf(value: unknown): number {
  const mode = Number(value);
  if (!Number.isInteger(mode) || mode < 0) throw new CdoError("adErrInvalidArgument", "Stream.Mode");
  // The share flags (4 and above) mean nothing for a stream in memory.
  return mode & 3;
}

function countOf(value: unknown, member: string): number {
  const count = Number(value);
  if (!Number.isInteger(count)) throw new CdoError("adErrInvalidArgument", member);
  return count;
}
