// The answer to fetch: status, headers and the body, which is here as a whole.
import { copyRange, lengthOf } from "../bytes.ts";
import type { Host } from "../host.ts";

type Bytes = Uint8Array<ArrayBuffer>;
export type HeaderPairs = readonly (readonly [name: string, value: string])[];

export class Headers implements Iterable<readonly [string, string]> {
  readonly #values = new Map<string, string>();

  constructor(pairs: HeaderPairs) {
    for (const [name, value] of pairs) {
      const key = name.toLowerCase();
      const before = this.#values.get(key);
      this.#values.set(key, before === undefined ? value : `${before}, ${value}`);
    }
  }

  get(name: unknown): string | null {
    return this.#values.get(String(name).toLowerCase()) ?? null;
  }

  has(name: unknown): boolean {
    return this.#values.has(String(name).toLowerCase());
  }

  entries(): Iterator<[string, string]> & Iterable<[string, string]> {
    return this.#values.entries();
  }

  keys(): Iterator<string> & Iterable<string> {
    return this.#values.keys();
  }

  values(): Iterator<string> & Iterable<string> {
    return this.#values.values();
  }

  forEach(visit: (value: string, name: string) => void): void {
    for (const [name, value] of this.#values) visit(value, name);
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values.entries();
  }
}

export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly headers: HeaderPairs;
}

export class Response {
  readonly #head: ResponseHead;
  readonly #headers: Headers;
  readonly #body: Bytes;
  readonly #host: Host;

  constructor(host: Host, head: ResponseHead, body: Bytes) {
    this.#host = host;
    this.#head = head;
    this.#headers = new Headers(head.headers);
    this.#body = body;
  }

  get status(): number {
    return this.#head.status;
  }

  get ok(): boolean {
    return this.#head.status >= 200 && this.#head.status < 300;
  }

  get statusText(): string {
    return this.#head.statusText;
  }

  get url(): string {
    return this.#head.url;
  }

  get headers(): Headers {
    return this.#headers;
  }

  /** As UTF-8, whatever the answer says of itself: what fetch does everywhere. */
  async text(): Promise<string> {
    return this.#host.decodeText("utf-8", this.#body);
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text()) as unknown;
  }

  async bytes(): Promise<Bytes> {
    return copyRange(this.#body, 0, lengthOf(this.#body));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }
}
