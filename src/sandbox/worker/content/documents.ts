// The messages of one call by number: the arriving one, and those that the script made beside it.
import type { MimePart } from "../../../mime/part.ts";
import { bufferSource } from "../../../mime/source.ts";
import { JobDocument } from "./job-document.ts";

/** A handle names a document and a part in it: document × this + part. The root of the arriving message is 0. */
const PARTS_PER_DOCUMENT = 65_536;
const NOTHING = Buffer.alloc(0);

export interface LocatedPart {
  readonly document: JobDocument;
  /** By which the script's object names the part. */
  readonly number: number;
  readonly part: MimePart;
}

export class Documents {
  readonly #arriving: JobDocument;
  #made: JobDocument[] | undefined;

  constructor(arriving: JobDocument) {
    this.#arriving = arriving;
  }

  /** How many the script made. */
  get count(): number {
    return this.#made?.length ?? 0;
  }

  /** A new, empty message; its root's handle. */
  create(): number {
    this.#made ??= [];
    return this.#made.push(new JobDocument(bufferSource(NOTHING), true)) * PARTS_PER_DOCUMENT;
  }

  document(handle: number): JobDocument | undefined {
    const number = Math.floor(handle / PARTS_PER_DOCUMENT);
    return number === 0 ? this.#arriving : this.#made?.[number - 1];
  }

  find(handle: number): LocatedPart | undefined {
    const document = this.document(handle);
    const number = handle % PARTS_PER_DOCUMENT;
    const part = document?.part(number);
    return document === undefined || part === undefined ? undefined : { document, number, part };
  }

  part(handle: number): MimePart | undefined {
    return this.document(handle)?.part(handle % PARTS_PER_DOCUMENT);
  }

  /** The handle of a part in the document that `sibling` names a part of. */
  handleOf(sibling: number, part: MimePart): number {
    return this.rootOf(sibling) + (this.document(sibling)?.numberOf(part) ?? 0);
  }

  /** The handle of the message that `handle` names a part of. */
  rootOf(handle: number): number {
    return handle - (handle % PARTS_PER_DOCUMENT);
  }
}
