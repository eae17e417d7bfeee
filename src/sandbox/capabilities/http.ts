// One HTTP request of a script, without redirects: to an address that was checked, with an answer that is bounded.
import type { LookupAddress } from "node:dns";
import http, { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import https from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { describeError } from "../../core/errors.ts";
import type { AddressRule } from "./addresses.ts";
import { unlessAborted } from "../../core/turns.ts";
import { systemCodeOf } from "../../core/system-error.ts";

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** The addresses of a host, as the system knows them. */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>;

export interface HttpHop {
  readonly url: URL;
  readonly method: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
  readonly maxResponseBytes: number;
  readonly maxHeaderBytes: number;
  /** A host given as an address that `allow.fetch` names. */
  readonly isNamedAddress: boolean;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
}

export interface HttpParts {
  readonly resolveHost: ResolveHost;
  readonly mayReach: AddressRule;
}

/** What the script is told. */
export class HttpRefusal extends Error {}

/** 1xx answers in front of the real one: nobody needs more. */
const MAX_INFORMATIONAL = 16;

/** Rejects with HttpRefusal for what a script may run into. */
export async function requestOnce(parts: HttpParts, hop: HttpHop): Promise<HttpAnswer> {
  hop.signal.throwIfAborted();
  const host = hop.url.hostname.replace(/^\[(.*)\]$/, "$1");
  const mayReach: AddressRule = hop.isNamedAddress ? () => true : parts.mayReach;
  if (isIP(host) !== 0 && !mayReach(host)) throw unreachable(host, host);
  const addresses =
    isIP(host) === 0
      ? await unlessAborted(hop.signal, publicAddresses(parts.resolveHost, mayReach, host))
      : undefined;
  return new Promise((resolve, reject) => {
    const request = open(hop, host, addresses);
    const fail = (error: unknown): void => {
      reject(hop.signal.aborted ? hop.signal.reason : asRefusal(error));
      request.destroy();
    };
    request.on("error", fail);
    request.on("socket", (socket) => checkPeer(socket, mayReach, host, fail));
    boundInformational(request, fail);
    // Once there is an answer its stream knows whether it is complete; the connection may be gone before all of it was read.
    let isAnswered = false;
    request.on("close", () => {
      if (!isAnswered) fail(new Error("the connection was closed before there was an answer"));
    });
    request.on("response", (response) => {
      isAnswered = true;
      collect(response, hop).then(resolve, fail);
    });
    request.end(hop.body);
  });
}

function open(hop: HttpHop, host: string, addresses: readonly LookupAddress[] | undefined): ClientRequest {
  const { url, method, signal, maxHeaderBytes } = hop;
  const options = {
    method,
    host,
    port: url.port === "" ? undefined : Number(url.port),
    path: `${url.pathname}${url.search}`,
    headers: headersOf(hop),
    signal,
    // A connection of its own: a kept one would have to be told apart by what allowed it.
    agent: false,
    maxHeaderSize: maxHeaderBytes,
    insecureHTTPParser: false,
    ...(addresses === undefined ? undefined : { lookup: answerWith(addresses) }),
  };
  if (url.protocol === "http:") return http.request(options);
  // Whatever the environment says: a script's secrets go to who can prove its name.
  return https.request({ ...options, rejectUnauthorized: true });
}

function headersOf({ url, headers, body, method }: HttpHop): OutgoingHttpHeaders {
  // Names are the script's: "constructor" and "__proto__" are names like any other.
  const sent = new Map<string, string[]>([["host", [url.host]]]);
  for (const [name, value] of headers) sent.set(name, [...(sent.get(name) ?? []), value]);
  const hasBody = body.length > 0 || method === "POST" || method === "PUT" || method === "PATCH";
  if (hasBody) sent.set("content-length", [String(body.length)]);
  return Object.fromEntries(
    [...sent].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

/** The name is resolved once, here, and the connection gets what was checked: a second answer of the DNS changes nothing. */
async function publicAddresses(
  resolveHost: ResolveHost,
  mayReach: AddressRule,
  host: string,
): Promise<readonly LookupAddress[]> {
  let found: readonly LookupAddress[];
  try {
    found = await resolveHost(host);
  } catch (error) {
    throw new HttpRefusal(`${host} has no address: ${describeError(error)}`);
  }
  const first = found[0];
  if (first === undefined) throw new HttpRefusal(`${host} has no address`);
  const allowed = found.filter(({ address }) => mayReach(address));
  if (allowed.length === 0) throw unreachable(host, first.address);
  return allowed;
}

function answerWith(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, done) => {
    const [first] = addresses;
    if (options.all === true) done(null, [...addresses]);
    else done(null, first?.address ?? "", first?.family);
  };
}

const unreachable = (host: string, address: string): HttpRefusal =>
  new HttpRefusal(
    `${host}${host === address ? "" : ` (${address})`} is not on the public Internet; ` +
      "sandbox.fetchPrivateNetworks of the configuration would have to list its network",
  );

/** The address that was really connected to, whatever way it came to that. First of all listeners: nothing was sent by then. */
function checkPeer(
  socket: Socket,
  mayReach: AddressRule,
  host: string,
  fail: (error: unknown) => void,
): void {
  socket.prependOnceListener("connect", () => {
    const address = socket.remoteAddress;
    if (address !== undefined && mayReach(address)) return;
    socket.destroy();
    fail(unreachable(host, address ?? "?"));
  });
}

function boundInformational(request: ClientRequest, fail: (error: unknown) => void): void {
  let count = 0;
  request.on("information", () => {
    count += 1;
    if (count > MAX_INFORMATIONAL)
      fail(new HttpRefusal("the server sends informational answers without end"));
  });
  request.on("upgrade", (_response, socket) => {
    socket.destroy();
    fail(new HttpRefusal("the server wants another protocol"));
  });
}

async function collect(
  response: IncomingMessage,
  { maxResponseBytes, method }: HttpHop,
): Promise<HttpAnswer> {
  const tooLarge = new HttpRefusal(`the answer is longer than ${maxResponseBytes} bytes`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const announced = response.headers["content-length"];
  if (announced !== undefined && Number(announced) > maxResponseBytes && method !== "HEAD") throw tooLarge;
  for await (const chunk of response) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no encoding is set
    const part = chunk as Buffer;
    bytes += part.length;
    if (bytes > maxResponseBytes) throw tooLarge;
    chunks.push(part);
  }
  if (!response.complete) throw new HttpRefusal("the answer ended before it was complete");
  return {
    status: response.statusCode ?? 0,
    statusText: response.statusMessage ?? "",
    headers: pairsOf(response.rawHeaders),
    body: Buffer.concat(chunks, bytes),
  };
}

function pairsOf(raw: readonly string[]): HeaderPairs {
  const pairs: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2)
    pairs.push([(raw[index] ?? "").toLowerCase(), raw[index + 1] ?? ""]);
  return pairs;
}

function asRefusal(error: unknown): HttpRefusal {
  if (error instanceof HttpRefusal) return error;
  const code = systemCodeOf(error);
  if (code === "HPE_HEADER_OVERFLOW") return new HttpRefusal("the header of the answer is too long");
  return new HttpRefusal(describeError(error) || code || "the connection failed");
}
