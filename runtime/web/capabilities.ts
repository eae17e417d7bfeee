// fetch, kv, dns and secret. All but secret answer a promise: the request leaves the isolate, the script's turn ends when
// nothing is left to run, and a later turn brings the answer.
/* oxlint-disable typescript/no-unsafe-type-assertion -- answers come from the relay; arguments of scripts have no type */
import { bytesFrom, bytesOver } from "../bytes.ts";
import type { CapabilityAnswer, CapabilityRequest } from "../contract.ts";
import type { Host } from "../host.ts";
import { toText } from "../cdo/member-names.ts";
import { type HeaderPairs, Response } from "./responses.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Answered = Exclude<CapabilityAnswer, { readonly kind: "refused" }>;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly read: (answer: Answered, bytes: Bytes) => unknown;
  /** The error to reject with, made where the script asked, so that its stack names that line. */
  readonly refusal: Error;
}

const { parse, stringify } = JSON;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** The requests of one call that are not answered yet. Those of an ended call never are. */
export class OpenRequests {
  /** Made at the first request: most calls make none. */
  #pending: Map<number, Pending> | undefined;

  ask(
    host: Host,
    request: CapabilityRequest,
    body: Bytes | undefined,
    read: (answer: Answered, bytes: Bytes) => unknown,
  ): Promise<unknown> {
    const number = host.request(stringify(request), body);
    return new Promise((resolve, reject) => {
      this.#pending ??= new Map();
      this.#pending.set(number, { resolve, reject, read, refusal: new Error() });
    });
  }

  /** Runs no code of the script: what hangs on the promise runs when the turn comes to its microtasks. */
  settle(number: number, answerText: string, bytes: Bytes): void {
    const pending = this.#pending?.get(number);
    if (pending === undefined) return;
    this.#pending?.delete(number);
    const answer = parse(answerText) as CapabilityAnswer;
    if (answer.kind !== "refused") {
      pending.resolve(pending.read(answer, bytes));
      return;
    }
    pending.refusal.message = answer.message;
    pending.reject(pending.refusal);
  }
}

/** What one call of the script needs to ask for capabilities. */
export interface Asker {
  readonly host: Host;
  readonly requests: OpenRequests;
}

export type CapabilityName = "fetch" | "kv" | "dns" | "secret";

export function createCapabilities(
  askerNow: () => Asker,
  secret: (name: string) => string,
): Readonly<Record<CapabilityName, unknown>> {
  const ask = (
    request: CapabilityRequest,
    body: Bytes | undefined,
    read: (answer: Answered, bytes: Bytes, host: Host) => unknown,
  ): Promise<unknown> => {
    const { host, requests } = askerNow();
    return requests.ask(host, request, body, (answer, bytes) => read(answer, bytes, host));
  };

  const kvGet = (key: unknown, read: (bytes: Bytes, host: Host) => unknown): Promise<unknown> =>
    ask({ kind: "kv", operation: "get", key: toText(key) }, undefined, (answer, bytes, host) =>
      answer.kind === "kv" && answer.found ? read(bytes, host) : undefined,
    );
  const kvSet = (key: unknown, bytes: Bytes, options: unknown): Promise<unknown> => {
    const ttlMs = propertyOf(options, "ttlMs");
    const lifetime = ttlMs === undefined ? {} : { ttlMs: Number(ttlMs) };
    return ask({ kind: "kv", operation: "set", key: toText(key), ...lifetime }, bytes, () => undefined);
  };
  const utf8 = (text: string): Bytes => askerNow().host.encodeText("utf-8", text);

  return {
    async fetch(resource: unknown, init?: unknown): Promise<unknown> {
      const given = propertyOf(init, "body");
      const body = given === undefined || given === null ? undefined : bodyBytes(given, utf8);
      const headers = headerPairs(propertyOf(init, "headers"));
      if (typeof given === "string" && !headers.some(([name]) => name.toLowerCase() === "content-type"))
        headers.push(["content-type", "text/plain;charset=UTF-8"]);
      const method = toText(propertyOf(init, "method") ?? "GET").toUpperCase();
      return ask({ kind: "fetch", url: toText(resource), method, headers }, body, (answer, bytes, host) =>
        answer.kind === "fetch" ? new Response(host, answer, bytes) : undefined,
      );
    },
    kv: Object.freeze({
      get: async (key: unknown) => kvGet(key, textOf),
      getBytes: async (key: unknown) => kvGet(key, (bytes) => bytes),
      getJson: async (key: unknown) => kvGet(key, (bytes, host) => parse(textOf(bytes, host)) as unknown),
      set: async (key: unknown, value: unknown, options?: unknown) =>
        kvSet(key, bodyBytes(value, utf8), options),
      setJson: async (key: unknown, value: unknown, options?: unknown) =>
        kvSet(key, utf8(jsonOf(value)), options),
      delete: async (key: unknown) =>
        ask(
          { kind: "kv", operation: "delete", key: toText(key) },
          undefined,
          (answer) => answer.kind === "kv" && answer.found,
        ),
    }),
    dns: Object.freeze({
      resolve: async (name: unknown, type: unknown = "A") =>
        ask(
          { kind: "dns", name: toText(name), type: toText(type).toUpperCase() },
          undefined,
          (answer) => answer.kind === "dns" && answer.records,
        ),
    }),
    secret: (name: unknown) => secret(toText(name)),
  };
}

const textOf = (bytes: Bytes, host: Host): string => host.decodeText("utf-8", bytes);

const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;

function jsonOf(value: unknown): string {
  const text: unknown = stringify(value);
  if (typeof text !== "string") throw new TypeError("kv.setJson: the value has no form as JSON");
  return text;
}

function bodyBytes(value: unknown, utf8: (text: string) => Bytes): Bytes {
  if (typeof value === "string") return utf8(value);
  const bytes = bytesFrom(value, MAX_BODY_BYTES);
  if (bytes === undefined) throw new TypeError("a text, a Uint8Array or an ArrayBuffer is needed");
  return bytes;
}

/** From pairs, anything that iterates over pairs, or an object. */
function headerPairs(given: unknown): [string, string][] {
  if (typeof given !== "object" || given === null) return [];
  const pairs =
    Symbol.iterator in given ? [...(given as Iterable<HeaderPairs[number]>)] : Object.entries(given);
  return pairs.map(([name, value]) => [toText(name), toText(value).trim()]);
}

/** Bytes that came with an answer. */
export const answerBytes = (buffer: unknown): Bytes =>
  bytesOver(buffer instanceof ArrayBuffer ? buffer : new ArrayBuffer(0));
