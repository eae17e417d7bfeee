// Looks for CR and LF that stand alone in content that comes in counted chunks (RFC 3030 §3: only BINARYMIME may have them).
import type { BareLineEnding } from "./stream-parser.ts";

const CR = 0x0d;
const LF = 0x0a;
// One native search is several times faster than a loop over the bytes.
const BARE = /\r(?!\n)|(?<!\r)\n/;

export class BareLineEndingScan {
  #found: BareLineEnding | undefined;
  /** The last byte so far is a CR whose LF may be in the next chunk. */
  #owesLf = false;

  add(chunk: Buffer): void {
    if (this.#found !== undefined || chunk.length === 0) return;
    const first = chunk[0];
    if (this.#owesLf && first !== LF) {
      this.#found = "CR";
      return;
    }
    const start = this.#owesLf ? 1 : 0;
    this.#owesLf = chunk[chunk.length - 1] === CR && chunk.length > start;
    const text = chunk.toString("latin1", start, chunk.length - (this.#owesLf ? 1 : 0));
    const at = text.search(BARE);
    if (at >= 0) this.#found = text.charCodeAt(at) === CR ? "CR" : "LF";
  }

  end(): BareLineEnding | undefined {
    return this.#found ?? (this.#owesLf ? "CR" : undefined);
  }
}
