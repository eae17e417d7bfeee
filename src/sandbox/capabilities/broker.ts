// Performs what waiting scripts ask for, as far as their bindings grant it: fetch, the key-value store, DNS.
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { CapabilityRequest } from "../../../runtime/contract.ts";
import {
  type CapabilityBroker,
  type CapabilityGrant,
  type PerformedRequest,
  refuse,
} from "./broker-contract.ts";
import { createDnsLookup, type DnsLookup, type DnsResolver, type DnsSettings } from "./dns.ts";
import { createFetcher, type Fetcher, type FetchSettings } from "./fetch.ts";
import type { ResolveHost } from "./http.ts";
import { createKeyValueStores, type KeyValueSettings, type KeyValueStores } from "./kv.ts";

export interface BrokerSettings {
  readonly fetch: FetchSettings;
  readonly kv: KeyValueSettings;
  readonly dns: DnsSettings;
}

export interface BrokerParts {
  readonly settings: BrokerSettings;
  /** Holds the stores of the scripts. */
  readonly kvFolder: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Product and version, as "OnArrival/1.0". */
  readonly userAgent: string;
  /** The addresses of a host for fetch; absent: what the system says. */
  readonly resolveHost?: ResolveHost;
  /** Absent: the name servers of the system. */
  readonly dnsResolver?: DnsResolver;
}

export interface ServiceBroker extends CapabilityBroker {
  /** What was confirmed is on the disk. */
  close(): Promise<void>;
}

type RequestOf<Kind extends CapabilityRequest["kind"]> = Extract<CapabilityRequest, { kind: Kind }>;

const NO_BYTES = Buffer.alloc(0);

export function createCapabilityBroker(parts: BrokerParts): ServiceBroker {
  const { settings, kvFolder, clock, log, userAgent, resolveHost, dnsResolver } = parts;
  return new Broker(
    createFetcher({ settings: settings.fetch, clock, userAgent, ...(resolveHost && { resolveHost }) }),
    createKeyValueStores({ folder: kvFolder, settings: settings.kv, clock, log }),
    createDnsLookup(settings.dns, clock, dnsResolver),
    log,
  );
}

/** For runs that shall change nothing, as those of shadow bindings: reading is performed, the rest refused. */
export function createReadingBroker(broker: CapabilityBroker): CapabilityBroker {
  return {
    perform(request, body, grant) {
      const isReading =
        request.kind === "dns" ||
        (request.kind === "kv" && request.operation === "get") ||
        (request.kind === "fetch" && (request.method === "GET" || request.method === "HEAD"));
      return isReading
        ? broker.perform(request, body, grant)
        : Promise.resolve(refuse(`${request.kind}: a run that shall change nothing only reads`));
    },
  };
}

class Broker implements ServiceBroker {
  #fetcher: Fetcher;
  #stores: KeyValueStores;
  #dns: DnsLookup;
  #log: Logger;

  constructor(fetcher: Fetcher, stores: KeyValueStores, dns: DnsLookup, log: Logger) {
    this.#fetcher = fetcher;
    this.#stores = stores;
    this.#dns = dns;
    this.#log = log;
  }

  async perform(request: CapabilityRequest, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest> {
    const performed = await this.#perform(request, body, grant);
    return performed.bytes.length <= grant.maxAnswerBytes
      ? performed
      : refuse(`${request.kind}: the answer is longer than what is left of limits.requestBytes`);
  }

  close(): Promise<void> {
    return this.#stores.close();
  }

  #perform(request: CapabilityRequest, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest> {
    switch (request.kind) {
      case "fetch":
        return this.#fetch(request, body, grant);
      case "kv":
        return grant.allow.kv === true
          ? this.#keyValue(request, body, grant)
          : Promise.resolve(refuse("kv is not granted: allow: { kv: true } of the binding"));
      case "dns":
        return grant.allow.dns === true
          ? this.#resolve(request, grant)
          : Promise.resolve(refuse("dns is not granted: allow: { dns: true } of the binding"));
    }
  }

  async #fetch(request: RequestOf<"fetch">, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest> {
    const { allow, script, maxAnswerBytes, signal, waitsFor } = grant;
    const { url, method, headers } = request;
    const found = await this.#fetcher.fetch(
      { url, method, headers, body },
      { allow: allow.fetch ?? [], script, maxBytes: maxAnswerBytes, signal, ...(waitsFor && { waitsFor }) },
    );
    if (found.kind === "refused") return refuse(`fetch: ${found.message}`);
    const { status, statusText, body: bytes } = found;
    return {
      answer: { kind: "fetch", status, statusText, url: found.url, headers: found.headers },
      bytes,
    };
  }

  async #keyValue(request: RequestOf<"kv">, body: Buffer, grant: CapabilityGrant): Promise<PerformedRequest> {
    const { script, messageId } = grant;
    const { key } = request;
    try {
      switch (request.operation) {
        case "get": {
          const value = await this.#stores.get(script, key);
          return kvAnswer(value !== undefined, value);
        }
        case "delete":
          return kvAnswer(await this.#stores.delete(script, key));
        case "set": {
          const problem = await this.#stores.set(script, key, body, request.ttlMs);
          return problem === undefined ? kvAnswer(true) : refuse(`kv: ${problem}`);
        }
      }
    } catch (error) {
      this.#log.error(
        { script, message: messageId, error: describeError(error) },
        "the key-value store of a script cannot be read or written; look at free space and rights of Scripts/kv",
      );
      return refuse("kv: the store cannot be read or written; the service's log says why");
    }
  }

  async #resolve({ name, type }: RequestOf<"dns">, grant: CapabilityGrant): Promise<PerformedRequest> {
    const found = await this.#dns.resolve(name, type, grant.signal);
    if (found.kind === "refused") return refuse(`dns: ${found.message}`);
    const { records } = found;
    if (JSON.stringify(records).length > grant.maxAnswerBytes)
      return refuse("dns: the answer is longer than what is left of limits.requestBytes");
    return { answer: { kind: "dns", records }, bytes: NO_BYTES };
  }
}

const kvAnswer = (found: boolean, bytes: Buffer = NO_BYTES): PerformedRequest => ({
  answer: { kind: "kv", found },
  bytes,
});
