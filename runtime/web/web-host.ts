// What URL and TextDecoder ask of the worker: it has Node's, which know the standards whole (IDNA, forty encodings). Questions
// without a message behind them, so they are answered while the script is being loaded, too.
import { bufferOf } from "../bytes.ts";
import type { HostFunction } from "../host.ts";

/** No mail needs a longer one. */
const MAX_URL_CHARS = 64 * 1024;

export class WebHost {
  readonly #call: HostFunction;

  constructor(call: HostFunction) {
    this.#call = call;
  }

  /** The parts of a URL (PARTS of url.ts), a line each; undefined when it is none. */
  url(text: string, base: string | undefined): string | undefined {
    if (text.length > MAX_URL_CHARS || (base?.length ?? 0) > MAX_URL_CHARS) return undefined;
    return this.#text(base === undefined ? this.#call("url", "", text) : this.#call("url", "", text, base));
  }

  /** The parts of `href` after one of them was set. */
  setUrl(href: string, part: string, value: string): string | undefined {
    return value.length > MAX_URL_CHARS ? undefined : this.#text(this.#call("url", part, href, value));
  }

  /** The name of the encoding that a label means; undefined: none. */
  encoding(label: string): string | undefined {
    return label.length > 100 ? undefined : this.#text(this.#call("encoding", "", label));
  }

  /** Undefined when `fatal` and something is invalid. */
  decode(encoding: string, bytes: Uint8Array<ArrayBuffer>, fatal: boolean): string | undefined {
    const exact = bufferOf(new Uint8Array(bytes));
    return this.#text(this.#call("decodeWeb", fatal ? "fatal" : "", encoding, undefined, 0, exact));
  }

  #text(answer: unknown): string | undefined {
    if (answer === false) {
      const reason = this.#call("error");
      throw new Error(`the sandbox refuses: ${typeof reason === "string" ? reason.trim() : ""}`);
    }
    return typeof answer === "string" ? answer : undefined;
  }
}
