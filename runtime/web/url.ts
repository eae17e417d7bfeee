// URL (WHATWG URL) as scripts see it. The host's parser does the work: IDNA tables and forty encodings are nothing to carry in
// each isolate, and a second parser would be a second opinion about what a URL is.
import { URLSearchParams } from "./url-search-params.ts";
import type { WebHost } from "./web-host.ts";
import { cut } from "../contract.ts";

/** In the order of the host's answer. */
const PARTS = [
  "href",
  "origin",
  "protocol",
  "username",
  "password",
  "host",
  "hostname",
  "port",
  "pathname",
  "search",
  "hash",
] as const;
type Part = (typeof PARTS)[number];

const toUsv = (value: unknown): string => String(value).toWellFormed();

abstract class WebUrl {
  readonly #web: WebHost;
  #parts: readonly string[];
  #searchParams: URLSearchParams | undefined;

  constructor(web: WebHost, parts: string) {
    this.#web = web;
    this.#parts = parts.split("\n");
  }

  static {
    for (const [at, part] of PARTS.entries()) {
      const get = function (this: WebUrl): string {
        return this.#parts[at] ?? "";
      };
      const set = function (this: WebUrl, value: unknown): void {
        // As on the web, an assignment to the origin is without effect.
        if (part !== "origin") this.#set(part, toUsv(value));
      };
      Object.defineProperty(WebUrl.prototype, part, { get, set, enumerable: true, configurable: true });
    }
  }

  get searchParams(): URLSearchParams {
    const query = this.#parts[PARTS.indexOf("search")] ?? "";
    return (this.#searchParams ??= URLSearchParams.ofUrl(query, (text) => this.#assign("search", text)));
  }

  toString(): string {
    return this.#parts[0] ?? "";
  }

  toJSON(): string {
    return this.toString();
  }

  #set(part: Part, value: string): void {
    this.#assign(part, value);
    if (this.#searchParams !== undefined && (part === "search" || part === "href"))
      URLSearchParams.refill(this.#searchParams, this.#parts[PARTS.indexOf("search")] ?? "");
  }

  /** A value that is not valid for its part changes nothing; for the whole it is an error. */
  #assign(part: Part, value: string): void {
    const parts = this.#web.setUrl(this.toString(), part, value);
    if (parts !== undefined) this.#parts = parts.split("\n");
    else if (part === "href") throw new TypeError(`URL: "${cut(value, 200)}" is no URL`);
  }
}

/** The class that scripts see, bound to its host. */
export function createUrl(web: WebHost): { readonly prototype: object } {
  const partsOf = (url: unknown, base: unknown): string | undefined =>
    web.url(toUsv(url), base === undefined ? undefined : toUsv(base));
  return class URL extends WebUrl {
    constructor(url: unknown, base?: unknown) {
      const parts = partsOf(url, base);
      if (parts === undefined) throw new TypeError(`URL: "${cut(toUsv(url), 200)}" is no URL`);
      super(web, parts);
    }

    static canParse(url: unknown, base?: unknown): boolean {
      return partsOf(url, base) !== undefined;
    }

    static parse(url: unknown, base?: unknown): URL | null {
      return URL.canParse(url, base) ? new URL(url, base) : null;
    }
  };
}
