// What a test has prepared for a script that fetches, keeps keys or asks DNS: the requests of its messages are answered from it and reach
// nothing else. All other messages are served as ever.
import { randomUUID } from "node:crypto";
import { STATUS_CODES } from "node:http";
import type { Capabilities, CapabilityRequest } from "../../../runtime/contract.ts";
import {
  type CapabilityBroker,
  type CapabilityGrant,
  type PerformedRequest,
  refuse,
} from "./broker-contract.ts";

export interface PreparedAnswer {
  /** Default 200. */
  readonly status?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Buffer | undefined;
}

export interface Preparation {
  /** By URL, or by method and URL as "POST https://example.com/". */
  readonly fetch?: Readonly<Record<string, PreparedAnswer | string>> | undefined;
  /** What the key-value store of the script holds. */
  readonly kv?: Readonly<Record<string, string | Buffer>> | undefined;
  /** By type and name, as "MX example.com": the records as scripts get them. */
  readonly dns?: Readonly<Record<string, readonly unknown[]>> | undefined;
}

export interface FetchedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** The capabilities of one message of a test. */
export class Rehearsal {
  readonly messageId = `TEST-${randomUUID()}`;
  readonly #answers = new Map<string, PreparedAnswer>();
  readonly #records: ReadonlyMap<string, readonly unknown[]>;
  /** What was fetched, in order. */
  readonly fetched: FetchedRequest[] = [];
  /** The store of the script, as it is now. */
  readonly kv: Map<string, Buffer>;

  constructor({ fetch = {}, kv = {}, dns = {} }: Preparation) {
    for (const [key, answer] of Object.entries(fetch))
      this.#answers.set(requestKey(key), typeof answer === "string" ? { body: answer } : answer);
    this.#records = new Map(Object.entries(dns).map(([key, records]) => [key.toLowerCase(), records]));
    this.kv = new Map(Object.entries(kv).map(([key, value]) => [key, Buffer.from(value)]));
  }

  /** What a binding would have to grant for it. */
  get allow(): Capabilities {
    return {
      fetch: [...this.#answers.keys()].map((key) => key.replace(/^[A-Z]+ /, "")),
      kv: true,
      dns: true,
    };
  }

  perform(request: CapabilityRequest, body: Buffer): PerformedRequest {
    switch (request.kind) {
      case "fetch":
        return this.#fetch(request, body);
      case "kv":
        return this.#keyValue(request, body);
      case "dns":
        return this.#resolve(request);
    }
  }

  #fetch(request: Extract<CapabilityRequest, { kind: "fetch" }>, body: Buffer): PerformedRequest {
    const { method, url, headers } = request;
    this.fetched.push({ method, url, headers, body });
    const found = this.#answers.get(`${method} ${url}`) ?? this.#answers.get(url);
    if (found === undefined) return refuse(`fetch: the test has prepared no answer for ${method} ${url}`);
    const { status = 200, headers: fields = {}, body: bytes = "" } = found;
    const answer = {
      kind: "fetch",
      status,
      statusText: STATUS_CODES[status] ?? "",
      url,
      headers: Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value] as const),
    } as const;
    return { answer, bytes: Buffer.from(bytes) };
  }

  #keyValue(request: Extract<CapabilityRequest, { kind: "kv" }>, value: Buffer): PerformedRequest {
    const { key, operation } = request;
    const before = this.kv.get(key);
    if (operation === "set") this.kv.set(key, Buffer.from(value));
    if (operation === "delete") this.kv.delete(key);
    const bytes = operation === "get" && before !== undefined ? before : NO_BYTES;
    return { answer: { kind: "kv", found: operation === "set" || before !== undefined }, bytes };
  }

  #resolve({ type, name }: Extract<CapabilityRequest, { kind: "dns" }>): PerformedRequest {
    const records = this.#records.get(`${type} ${name}`.toLowerCase());
    return records === undefined
      ? refuse(`dns: the test has prepared no answer for ${type} ${name}`)
      : { answer: { kind: "dns", records }, bytes: NO_BYTES };
  }
}

const NO_BYTES = Buffer.alloc(0);

/** As requests name it: URLs are compared in their normal form. */
function requestKey(key: string): string {
  const [, method = "", url = key] = /^([A-Z]+ )?(.*)$/.exec(key) ?? [];
  return method + (URL.canParse(url) ? new URL(url).href : url);
}

export class PreparedAnswers implements CapabilityBroker {
  readonly #others: CapabilityBroker | undefined;
  readonly #rehearsals = new Map<string, Rehearsal>();

  /** `others`: who serves the messages that are no test's. */
  constructor(others: CapabilityBroker | undefined) {
    this.#others = others;
  }

  begin(preparation: Preparation): Rehearsal {
    const rehearsal = new Rehearsal(preparation);
    this.#rehearsals.set(rehearsal.messageId, rehearsal);
    return rehearsal;
  }

  end({ messageId }: Rehearsal): void {
    this.#rehearsals.delete(messageId);
  }

  perform(request: CapabilityRequest, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest> {
    const rehearsal = this.#rehearsals.get(grant.messageId);
    if (rehearsal !== undefined) return Promise.resolve(rehearsal.perform(request, body));
    return (
      this.#others?.perform(request, body, grant) ??
      Promise.resolve(
        refuse(`${request.kind}: nothing is served without a service; a test gives ${request.kind}: { … }`),
      )
    );
  }
}
