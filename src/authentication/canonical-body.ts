// The body of a message as DKIM hashes it (RFC 6376 §3.4.3, §3.4.4), in one pass and in bounded memory.
import { type Hash, createHash } from "node:crypto";

export type BodyForm = "simple" | "relaxed";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const CRLF = Buffer.from("\r\n");
/** Empty lines that turn out not to be the last ones are hashed in blocks of so many. */
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

  constructor(form: BodyForm) {
    this.#relaxed = form === "relaxed";
  }

  update(chunk: Buffer): void {
    // Each byte gives at most itself, a line end and a blank before it.
    const out = Buffer.allocUnsafe(chunk.length * 2 + 4);
    let length = 0;
    for (const byte of chunk) {
      if (byte === LF) {
        if (!this.#afterCr) this.#endLine();
        this.#afterCr = false;
        continue;
      }
      this.#afterCr = byte === CR;
      if (byte === CR) {
        this.#endLine();
        continue;
      }
      if (this.#relaxed && (byte === SPACE || byte === TAB)) {
        this.#blank = true;
        continue;
      }
      if (this.#breaks > 1) {
        this.#hash.update(out.subarray(0, length));
        length = 0;
        this.#hashBreaks();
      } else if (this.#breaks === 1) {
        this.#breaks = 0;
        out[length++] = CR;
        out[length++] = LF;
      }
      if (this.#blank) {
        this.#blank = false;
        out[length++] = SPACE;
      }
      this.#isEmpty = false;
      out[length++] = byte;
    }
    this.#hash.update(out.subarray(0, length));
  }

  /** Base64, for bh=. */
  digest(): string {
    // RFC 6376 §3.4.3: a body of nothing is one line end in the simple form, and nothing in the relaxed one.
    if (!this.#relaxed || !this.#isEmpty) this.#hash.update(CRLF);
    return this.#hash.digest("base64");
  }

  #endLine(): void {
    this.#blank = false;
    this.#breaks += 1;
  }

  #hashBreaks(): void {
    const block = Buffer.from("\r\n".repeat(Math.min(this.#breaks, BREAKS_AT_ONCE)));
    for (; this.#breaks > 0; this.#breaks -= Math.min(this.#breaks, BREAKS_AT_ONCE))
      this.#hash.update(block.subarray(0, Math.min(this.#breaks, BREAKS_AT_ONCE) * 2));
  }
}
