// What was last read of the arriving message: scripts look at a body and then add to it, and look at the same few header fields.
// Each look beyond the isolate costs a crossing, and at a body a copy and a decoding.

/** Handles of parts of the arriving message are below it. */
export const PARTS_PER_MESSAGE = 65_536;

/** Longer ones would fill the script's memory. */
const KEPT_CHARS = 64 * 1024;

/** Of the fields that most scripts look at, in the order of the operation "mainHeaders". */
export const MAIN_HEADERS = ["Subject", "From", "To"] as const;

export class ReadTexts {
  #text: string | undefined;
  #html: string | undefined;
  #mainHeaders: readonly string[] | undefined;
  #names: { readonly part: number; readonly names: readonly string[] } | undefined;
  /** False: they were too long to be given together, or an edit made them stale. */
  hasMainHeaders = true;

  body(kind: "text" | "html"): string | undefined {
    return kind === "html" ? this.#html : this.#text;
  }

  keepBody(kind: "text" | "html", body: string | undefined): void {
    if (body === undefined || body.length > KEPT_CHARS) return;
    if (kind === "html") this.#html = body;
    else this.#text = body;
  }

  /** By its place in MAIN_HEADERS; "" when the message has none. */
  mainHeader(index: number): string | undefined {
    return this.#mainHeaders?.[index];
  }

  /** `joined` by NUL. */
  keepMainHeaders(joined: string | undefined): void {
    this.#mainHeaders = joined?.split("\0");
    this.hasMainHeaders = joined !== undefined;
  }

  headerNames(part: number): readonly string[] | undefined {
    return this.#names?.part === part ? this.#names.names : undefined;
  }

  /** Of the part that was looked at last: in a loop over its fields each is asked for by its place. */
  keepHeaderNames(part: number, names: readonly string[]): readonly string[] {
    // Messages that the script makes get fields when they are written out, too.
    if (part < PARTS_PER_MESSAGE) this.#names = { part, names };
    return names;
  }

  /** At any edit: a header field may change how a body is read. */
  forget(): void {
    this.#text = this.#html = this.#mainHeaders = this.#names = undefined;
    this.hasMainHeaders = false;
  }
}
