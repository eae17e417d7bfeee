// The message of one job: opened when a script first looks, saved when a script says so, rolled back when one fails.
import type { Splice } from "../../core/splice.ts";
import { MimeDocument } from "../../mime/document.ts";
import type { MimePart } from "../../mime/part.ts";
import type { ByteSource } from "../../mime/source.ts";
import { composeSplices, EditedSource } from "./edited-source.ts";

const MAX_NAMED_CHANGES = 8;

export class JobDocument {
  readonly #original: ByteSource;
  /** Edits of the job's content that a script of this job saved. */
  #saved: readonly Splice[] = [];
  /** Edits below the open document: those saved when it was opened. */
  #base: readonly Splice[] = [];
  #open: MimeDocument | undefined;
  readonly #unsaved = new Set<string>();
  readonly #parts: MimePart[] = [];

  constructor(original: ByteSource) {
    this.#original = original;
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

  noteChange(name: string): void {
    if (this.#unsaved.size < MAX_NAMED_CHANGES) this.#unsaved.add(name);
  }

  save(): void {
    if (!this.isDirty) return;
    this.#saved = composeSplices(this.#original.size, this.#base, this.mime.splices());
    this.#unsaved.clear();
  }

  /** The start of a call: numbers of parts given to an earlier script mean nothing any more. */
  startCall(): readonly Splice[] {
    this.#parts.length = 0;
    return this.#saved;
  }

  /** Forgets what is not in `saved`: after a fault all of the call, else what it changed and did not save. */
  rollBackTo(saved: readonly Splice[]): void {
    if (!this.isDirty && this.#saved === saved) return;
    this.#open = undefined;
    this.#saved = saved;
    this.#base = saved;
    this.#unsaved.clear();
    this.#parts.length = 0;
  }

  /** The number by which a script's object names the part. The root is always 0. */
  numberOf(part: MimePart): number {
    if (part === this.mime.root) return 0;
    const known = this.#parts.indexOf(part);
    return known < 0 ? this.#parts.push(part) : known + 1;
  }

  part(number: number): MimePart | undefined {
    return number === 0 ? this.mime.root : this.#parts[number - 1];
  }
}
