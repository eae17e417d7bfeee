// The body of a message as DKIM hashes it (RFC 6376 §3.4.3, §3.4.4), in one pass and in bounded memory.
import { type Hash, createHash } from "node:crypto";

export type BodyForm = "simple" | "relaxed";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const CRLF = Buffer.from("\r\n");
/** Empty lines that turn out not to be the last ones are hashed this many at a time. */
const BREAKS_AT_ONCE = 4096;

/**
 * Hashes the body as it leaves: a CR or LF that stands alone goes out as CRLF, and a last line without its end gets one
 * (src/smtp/client/content-encoder.ts), so both are hashed like that.
 */
export class CanonicalBody {
  readonly #hash: Hash = createHash("sha256");
  readonly #relaxed: boolean;
  #afterCr = false;
  /** Blanks that count only if something else follows on the line. */
  #blank = false;
  /** Line ends that count only if a line that is not empty follows. */
  #breaks = 0;
  #isEmpty = true;
  #out: Buffer = Buffer.alloc(0);

  constructor(form: BodyForm) {
    this.#relaxed = form === "relaxed";
  }

  update(chunk: Buffer): void {
    // Each byte gives at most itself, a line end and a blank before it. Locals: this loop is what a signature costs.
    const out = this.#roomFor(chunk.length * 2 + 4);
    let length = 0;
    let [afterCr, blank, breaks] = [this.#afterCr, this.#blank, this.#breaks];
    const relaxed = this.#relaxed;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (byte === CR || (byte === LF && !afterCr)) {
        blank = false;
        breaks += 1;
      } else if (relaxed && (byte === SPACE || byte === TAB)) {
        blank = true;
      } else if (byte !== LF) {
        if (breaks > 1) {
          this.#hash.update(out.subarray(0, length));
          length = 0;
          this.#hashBreaks(breaks);
        } else if (breaks === 1) {
          out[length++] = CR;
          out[length++] = LF;
        }
        breaks = 0;
        if (blank) out[length++] = SPACE;
        blank = false;
        out[length++] = byte;
      }
      afterCr = byte === CR;
    }
    this.#isEmpty &&= length === 0;
    this.#hash.update(out.subarray(0, length));
    this.#afterCr = afterCr;
    this.#blank = blank;
    this.#breaks = breaks;
  }

  /** Base64, for bh=. */
  digest(): string {
    // RFC 6376 §3.4.3: a body of nothing is one line end in the simple form, and nothing in the relaxed one.
    if (!this.#relaxed || !this.#isEmpty) this.#hash.update(CRLF);
    return this.#hash.digest("base64");
  }

  /** Large messages come in many chunks: one buffer does for all of them. */
  #roomFor(bytes: number): Buffer {
    if (this.#out.length < bytes) this.#out = Buffer.allocUnsafe(bytes);
    return this.#out;
  }

  #hashBreaks(count: number): void {
    const block = Buffer.from("\r\n".repeat(Math.min(count, BREAKS_AT_ONCE)));
    this.#isEmpty = false;
    for (let left = count; left > 0; left -= BREAKS_AT_ONCE)
      this.#hash.update(left < BREAKS_AT_ONCE ? block.subarray(0, left * 2) : block);
  }
}
