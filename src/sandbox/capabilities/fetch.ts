// fetch for scripts: what `allow.fetch` names and nothing else, also after redirects, within bounds of size, time and number.
import { promises as dns } from "node:dns";
import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { WaitsFor } from "./broker-contract.ts";
import { type AddressRule, createAddressRule } from "./addresses.ts";
import { type HeaderPairs, type HttpAnswer, HttpRefusal, type ResolveHost, requestOnce } from "./http.ts";
import { Turns } from "../../core/turns.ts";
import { checkUrl, withoutQuery } from "./urls.ts";
import { cut } from "../../../runtime/contract.ts";

export interface FetchSettings {
  readonly maxResponseBytes: number;
  /** The header block of an answer, and that of a request. */
  readonly maxHeaderBytes: number;
  /** The whole of it: waiting for a turn, every redirect, the last byte. */
  readonly timeoutMs: number;
  readonly maxRedirects: number;
  readonly maxConcurrent: number;
  readonly maxConcurrentPerScript: number;
  /** Networks beside the public Internet that names in `allow.fetch` may lead to, as "10.0.0.0/8". */
  readonly privateNetworks: readonly string[];
}

export interface FetchRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
}

/** In whose name. */
export interface FetchGrant {
  /** `allow.fetch` of the binding. */
  readonly allow: readonly string[];
  /** File name of the script. */
  readonly script: string;
  /** What the caller can still take; at most FetchSettings.maxResponseBytes counts. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
  readonly waitsFor?: WaitsFor;
}

export type FetchAnswer =
  | (HttpAnswer & {
      readonly kind: "response";
      /** After redirects. */
      readonly url: string;
    })
  | { readonly kind: "refused"; readonly message: string };

export interface Fetcher {
  /** Never rejects. */
  fetch(request: FetchRequest, grant: FetchGrant): Promise<FetchAnswer>;
}

export interface FetchParts {
  readonly settings: FetchSettings;
  readonly clock: Clock;
  /** Product and version, as "OnArrival/1.0". */
  readonly userAgent: string;
  readonly resolveHost?: ResolveHost;
}

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const WITHOUT_BODY: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Framing, routing and coding are ours: with them a script could smuggle a second request (RFC 9112 §11.2). */
const OUR_HEADERS =
  /^(?:host|connection|content-length|transfer-encoding|accept-encoding|expect|te|trailer|upgrade|keep-alive|x-onarrival|proxy-.*)$/;
/** What goes along to another origin. Any other header may be a credential, whatever it is called. */
const HARMLESS_HEADERS = /^(?:accept|accept-language|content-type|content-language|user-agent)$/;
const MAX_HEADERS = 100;

/** Lookups block threads that the store needs, too; libuv gives them half of its threads at most. */
const systemResolver: ResolveHost = (host) => dns.lookup(host, { all: true });

export function createFetcher(parts: FetchParts): Fetcher {
  return new BoundedFetcher(parts);
}

class BoundedFetcher implements Fetcher {
  #parts: FetchParts;
  #resolveHost: ResolveHost;
  #mayReach: AddressRule;
  #turns: Turns;
  #turnsOf = new Map<string, { readonly turns: Turns; users: number }>();

  constructor(parts: FetchParts) {
    this.#parts = parts;
    this.#resolveHost = parts.resolveHost ?? systemResolver;
    this.#mayReach = createAddressRule(parts.settings.privateNetworks);
    this.#turns = new Turns(parts.settings.maxConcurrent);
  }

  async fetch(request: FetchRequest, grant: FetchGrant): Promise<FetchAnswer> {
    const { settings, clock } = this.#parts;
    const problem = requestProblem(request, settings.maxHeaderBytes);
    if (problem !== undefined) return refused(problem);
    const checked = checkUrl(request.url, grant.allow);
    if (checked.kind === "refused") return refused(checked.message);
    const ending = new AbortController();
    const end = (reason: string): void => ending.abort(new HttpRefusal(reason));
    const abandon = (): void => end("nobody waits for the answer any more");
    const cancel = clock.after(settings.timeoutMs, () => end(`no answer within ${settings.timeoutMs} ms`));
    grant.signal?.addEventListener("abort", abandon);
    if (grant.signal?.aborted === true) abandon();
    try {
      return await this.#inTurn(grant, ending.signal, () =>
        this.#follow(request, checked.url, grant, ending.signal),
      );
    } catch (error) {
      return refused(`${withoutQuery(checked.url)}: ${describeError(error)}`);
    } finally {
      cancel();
      grant.signal?.removeEventListener("abort", abandon);
    }
  }

  async #inTurn<T>(
    { script, waitsFor }: FetchGrant,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    const own = this.#turnsOf.get(script) ?? {
      turns: new Turns(this.#parts.settings.maxConcurrentPerScript),
      users: 0,
    };
    this.#turnsOf.set(script, own);
    own.users += 1;
    try {
      if (own.turns.isFull) waitsFor?.("sandbox.fetchMaxConcurrentPerScript");
      return await own.turns.take(() => {
        if (this.#turns.isFull) waitsFor?.("sandbox.fetchMaxConcurrent");
        return this.#turns.take(() => {
          waitsFor?.(undefined);
          return work();
        }, signal);
      }, signal);
    } finally {
      own.users -= 1;
      if (own.users === 0) this.#turnsOf.delete(script);
    }
  }

  async #follow(
    request: FetchRequest,
    start: URL,
    grant: FetchGrant,
    signal: AbortSignal,
  ): Promise<FetchAnswer> {
    const { settings } = this.#parts;
    const http = { resolveHost: this.#resolveHost, mayReach: this.#mayReach };
    let url = start;
    let { method, body, headers } = normalized(request);
    for (let redirects = 0; ; redirects += 1) {
      const answer = await requestOnce(http, {
        url,
        method,
        body,
        headers: this.#complete(headers, grant.script),
        maxResponseBytes: Math.min(settings.maxResponseBytes, grant.maxBytes),
        maxHeaderBytes: settings.maxHeaderBytes,
        isNamedAddress: isAddress(url),
        signal,
      });
      const location = locationOf(answer);
      if (location === undefined) return { kind: "response", ...answer, url: url.href };
      if (redirects >= settings.maxRedirects)
        return refused(`${withoutQuery(start)}: more than ${settings.maxRedirects} redirects`);
      const next = checkUrl(URL.parse(location, url)?.href ?? location, grant.allow);
      if (next.kind === "refused") return refused(`${withoutQuery(url)} redirects: ${next.message}`);
      if (next.url.origin !== url.origin) headers = headers.filter(([name]) => HARMLESS_HEADERS.test(name));
      if (becomesGet(answer.status, method)) {
        method = "GET";
        body = Buffer.alloc(0);
        headers = headers.filter(([name]) => !name.startsWith("content-"));
      }
      url = next.url;
    }
  }

  /** Who asks, for the log of the server; nothing coded, since a few bytes could become a gigabyte. */
  #complete(headers: HeaderPairs, script: string): HeaderPairs {
    const own: (readonly [string, string])[] = [
      ["accept-encoding", "identity"],
      ["x-onarrival", script.replaceAll(/[^\w.-]/g, "_").slice(0, 100)],
      ["connection", "close"],
    ];
    if (!headers.some(([name]) => name === "user-agent")) own.push(["user-agent", this.#parts.userAgent]);
    if (!headers.some(([name]) => name === "accept")) own.push(["accept", "*/*"]);
    return [...own, ...headers];
  }
}

const refused = (message: string): FetchAnswer => ({ kind: "refused", message: cut(message, 900) });

/** The entry of the allow-list that granted the URL names this very address: hosts are compared as a whole. */
const isAddress = ({ hostname }: URL): boolean => /^(?:\[.*\]|\d+(?:\.\d+){3})$/.test(hostname);

function normalized({ method, headers, body }: FetchRequest): Omit<FetchRequest, "url"> {
  return {
    method: method.toUpperCase(),
    body,
    headers: headers.map(([name, value]) => [name.toLowerCase(), value.trim()]),
  };
}

function requestProblem({ method, headers, body }: FetchRequest, maxHeaderBytes: number): string | undefined {
  const verb = method.toUpperCase();
  if (!METHODS.has(verb)) return `the method ${cut(method, 20)} is not served`;
  if (body.length > 0 && WITHOUT_BODY.has(verb)) return `a ${verb} request has no body`;
  if (headers.length > MAX_HEADERS) return `more than ${MAX_HEADERS} header fields`;
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += name.length + value.length + 4;
    if (OUR_HEADERS.test(name.toLowerCase())) return `the header field ${name} is set by the service`;
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      return `the header field ${JSON.stringify(cut(name, 50))} holds characters that HTTP does not allow`;
    }
  }
  return bytes > maxHeaderBytes ? `header fields of more than ${maxHeaderBytes} bytes` : undefined;
}

function locationOf({ status, headers }: HttpAnswer): string | undefined {
  return REDIRECTS.has(status) ? headers.find(([name]) => name === "location")?.[1] : undefined;
}

/** RFC 9110 §15.4.4; for 301 and 302 what every client does with POST (RFC 9110 §15.4.2). */
function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return (status === 301 || status === 302) && method === "POST";
}
