// The bodies of the arriving message as they were last read: scripts look at a body and then add to it, and each look costs a
// copy and a decoding on the other side.

/** Longer ones would fill the script's memory. */
const KEPT_CHARS = 64 * 1024;

export class ReadBodies {
  #text: string | undefined;
  #html: string | undefined;

  get(kind: "text" | "html"): string | undefined {
    return kind === "html" ? this.#html : this.#text;
  }

  keep(kind: "text" | "html", body: string | undefined): void {
    if (body === undefined || body.length > KEPT_CHARS) return;
    if (kind === "html") this.#html = body;
    else this.#text = body;
  }

  /** At any edit: a header field may change how a body is read. */
  forget(): void {
    this.#text = this.#html = undefined;
  }
}
