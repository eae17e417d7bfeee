// One message of a job: opened when a script first looks, saved when a script says so, rolled back when one fails.
import type { Splice } from "../../../core/splice.ts";
import { attachmentParts, htmlBodyPart, textBodyPart } from "../../../mime/bodies.ts";
import { MimeDocument } from "../../../mime/document.ts";
import type { MimePart } from "../../../mime/part.ts";
import { bufferSource, type ByteSource } from "../../../mime/source.ts";
import type { ChangeNotes } from "../change-notes.ts";
import { completeHeaders, flatten } from "./compose.ts";
import { composeSplices, EditedSource, replacementSplices } from "./edited-source.ts";

const MAX_NAMED_CHANGES = 8;
/** Parts that a script's objects may name: more of them than any message has, fewer than the numbers that hold them. */
export const MAX_NAMED_PARTS = 65_000;

export class JobDocument {
  readonly #original: ByteSource;
  /** Made by a script, not opened from what was there: gets the header fields of a new message when it is written out. */
  #isComposed: boolean;
  /** Edits of the job's content that a script of this job saved. */
  #saved: readonly Splice[] = [];
  /** Edits below the open document: those saved when it was opened. */
  #base: readonly Splice[] = [];
  #open: MimeDocument | undefined;
  readonly #unsaved = new Set<string>();
  #parts: MimePart[] | undefined;
  #numbers: Map<MimePart, number> | undefined;
  #isFlat = false;
  #attachments: readonly MimePart[] | undefined;
  #textBody: MimePart | undefined;
  #htmlBody: MimePart | undefined;
  #watcher: ChangeNotes | undefined;

  constructor(original: ByteSource, isComposed = false) {
    this.#original = original;
    this.#isComposed = isComposed;
  }

  get mime(): MimeDocument {
    this.#open ??= new MimeDocument(
      this.#base.length === 0 ? this.#original : new EditedSource(this.#original, this.#base),
    );
    return this.#open;
  }

  /** What was changed since the last save, by name. */
  get unsaved(): readonly string[] {
    return [...this.#unsaved];
  }

  get isDirty(): boolean {
    return this.#unsaved.size > 0;
  }

  get saved(): readonly Splice[] {
    return this.#saved;
  }

  /** Size of the content with what is saved. */
  get savedSize(): number {
    return this.#saved.reduce(
      (size, { start, end, bytes }) => size + bytes.length - (end - start),
      this.#original.size,
    );
  }

  /** MimeFormatted = False: written out as one text with its attachments uuencoded. */
  get isFlat(): boolean {
    return this.#isFlat;
  }

  set isFlat(value: boolean) {
    if (this.#isFlat === value) return;
    this.#isFlat = value;
    this.noteChange("MimeFormatted");
  }

  /** The parts that count as attachments; looked for anew after a change only. */
  get attachments(): readonly MimePart[] {
    return (this.#attachments ??= attachmentParts(this.mime));
  }

  /** The part that is the body; where there is one, it is looked for anew after a change of the structure only. */
  bodyPart(kind: "text" | "html"): MimePart | undefined {
    if (kind === "html") return (this.#htmlBody ??= htmlBodyPart(this.mime));
    return (this.#textBody ??= textBodyPart(this.mime));
  }

  /** Edits are told to the notes of the call that makes them. */
  watch(notes: ChangeNotes): void {
    this.#watcher = notes;
  }

  /** `what` names it in the effect log, where that differs. */
  noteChange(name: string, what = name): void {
    this.#textBody = this.#htmlBody = undefined;
    this.noteNewText(name, what);
  }

  /** A body that was there has another text: what is an attachment may depend on it, what is a body does not. */
  noteNewText(name: string, what = name): void {
    this.#attachments = undefined;
    this.#watcher?.add("content", what);
    if (this.#unsaved.size < MAX_NAMED_CHANGES) this.#unsaved.add(name);
  }

  save(): void {
    if (!this.isDirty) return;
    this.#saved = this.#isFlat
      ? replacementSplices(this.#original, flatten(this.mime))
      : composeSplices(this.#original.size, this.#base, this.mime.splices());
    this.#unsaved.clear();
  }

  /** The content was written to another object: nothing waits any more. */
  markSaved(): void {
    this.#unsaved.clear();
  }

  /** Size of what toBuffer() gives, before it is made; an estimate where parts were edited. */
  get estimatedSize(): number {
    return this.#original.size + this.#base.reduce((sum, splice) => sum + splice.bytes.length, 0);
  }

  /** The message as it stands, unsaved changes included. */
  toBuffer(): Buffer {
    if (this.#isComposed) completeHeaders(this.mime.root);
    return this.#isFlat ? flatten(this.mime) : this.mime.toBuffer();
  }

  /** Takes other bytes for the whole message. Not saved thereby. */
  replace(bytes: Buffer, change: string): void {
    this.#isComposed = false;
    const number = this.#open === undefined ? undefined : this.#numbers?.get(this.#open.root);
    this.#base = replacementSplices(this.#original, bytes);
    this.#open = new MimeDocument(bufferSource(bytes));
    if (number !== undefined) this.rename(number, this.#open.root);
    this.noteChange(change);
  }

  /** The start of a call: numbers of parts given to an earlier script mean nothing any more. */
  startCall(): readonly Splice[] {
    this.#forgetParts();
    return this.#saved;
  }

  /** Forgets what is not in `saved`: after a fault all of the call, else what it changed and did not save. */
  rollBackTo(saved: readonly Splice[]): void {
    // A flat message was saved in a form that the open document does not have.
    if (!this.isDirty && this.#saved === saved && !this.#isFlat) return;
    this.#open = undefined;
    this.#isFlat = false;
    this.#saved = saved;
    this.#base = saved;
    this.#unsaved.clear();
    this.#forgetParts();
  }

  /**
   * The number by which a script's object names the part. A body or an attachment that is the root has one of its own:
   * what comes beside it makes another part the root.
   */
  numberOf(part: MimePart): number {
    this.#parts ??= [];
    this.#numbers ??= new Map();
    const known = this.#numbers.get(part);
    if (known !== undefined) return known;
    if (this.#parts.length >= MAX_NAMED_PARTS) throw new RangeError("the message has too many parts");
    const number = this.#parts.push(part);
    this.#numbers.set(part, number);
    return number;
  }

  /** 0 is the root, whichever part that is. Undefined when the number was never given or the part has been deleted. */
  part(number: number): MimePart | undefined {
    const { root } = this.mime;
    if (number === 0) return root;
    const part = this.#parts?.[number - 1];
    let top = part;
    while (top?.parent !== undefined) top = top.parent;
    return top === root ? part : undefined;
  }

  /** The object with this number names `part` from now on. That of the root does so by itself. */
  rename(number: number, part: MimePart): void {
    const old = this.#parts?.[number - 1];
    if (old === undefined || this.#parts === undefined) return;
    this.#numbers?.delete(old);
    this.#numbers?.set(part, number);
    this.#parts[number - 1] = part;
  }

  #forgetParts(): void {
    this.#parts = this.#numbers = this.#attachments = undefined;
    this.#textBody = this.#htmlBody = undefined;
  }
}
