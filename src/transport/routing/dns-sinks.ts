// Step 9, for those who bind sinks to DnsResolver: records that sinks supply stand in for what DNS would answer.
import { isIP } from "node:net";
import { EVENTS } from "../../events/catalog.ts";
import type { DnsSubject, HostLookupContext, MxLookupContext } from "../../events/contexts/dns-contexts.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";
import type { MxRecord, MxResolver } from "./mx.ts";

export interface DnsSinksParts {
  readonly chain: () => SystemChain<DnsSubject>;
  readonly sinks: SystemSinks;
  /** Name of the virtual server whose mail it is. */
  readonly server: string;
}

const MAX_RECORDS = 100;

/** Mail waits as after any trouble with DNS: a fault must not choose the way (docs/decisions/0025). */
class SinkTrouble extends Error {
  /** What people read of the queue, in the place of ESERVFAIL and the like. */
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.code = message.replaceAll(/\p{Cc}+/gu, " ").slice(0, 200);
  }
}

export class SinkResolver implements MxResolver {
  readonly #dns: MxResolver;
  readonly #parts: DnsSinksParts;

  constructor(dns: MxResolver, parts: DnsSinksParts) {
    this.#dns = dns;
    this.#parts = parts;
  }

  async resolveMx(domain: string): Promise<readonly MxRecord[]> {
    const subject: MxLookupContext = { kind: "mx", domain, records: undefined };
    await this.#ask(subject, () => {
      const { records } = subject;
      return () => {
        subject.records = records;
      };
    });
    if (subject.records === undefined) return this.#dns.resolveMx(domain);
    return listOf(subject.records, isMxRecord, `MX records of ${domain}`);
  }

  resolve4(host: string): Promise<readonly string[]> {
    return this.#resolve(host, 4);
  }

  resolve6(host: string): Promise<readonly string[]> {
    return this.#resolve(host, 6);
  }

  async #resolve(host: string, family: 4 | 6): Promise<readonly string[]> {
    const subject: HostLookupContext = { kind: "host", host, family, addresses: undefined };
    await this.#ask(subject, () => {
      const { addresses } = subject;
      return () => {
        subject.addresses = addresses;
      };
    });
    if (subject.addresses === undefined)
      return family === 4 ? this.#dns.resolve4(host) : this.#dns.resolve6(host);
    const addresses = listOf(subject.addresses, isAddress, `addresses of ${host}`);
    return addresses.filter((address) => isIP(address) === family);
  }

  async #ask(subject: DnsSubject, remember: () => () => void): Promise<void> {
    const chain = this.#parts.chain();
    if (chain.isEmpty) return;
    const { server, sinks } = this.#parts;
    const { onFault } = EVENTS.DnsResolver;
    const outcome = await sinks.run(chain, { subject, server, onFault, remember });
    if (outcome.kind === "fault") throw new SinkTrouble(`${outcome.binding.displayName}: ${outcome.message}`);
  }
}

function listOf<T>(list: unknown, isOne: (value: unknown) => value is T, what: string): readonly T[] {
  if (Array.isArray(list) && list.length <= MAX_RECORDS && list.every(isOne)) return list;
  throw new SinkTrouble(`a sink supplied ${what} that are none`);
}

const isAddress = (value: unknown): value is string => typeof value === "string" && isIP(value) !== 0;

const isMxRecord = (value: unknown): value is MxRecord =>
  typeof value === "object" &&
  value !== null &&
  "exchange" in value &&
  typeof value.exchange === "string" &&
  value.exchange.length <= 255 &&
  /^[\w.:-]*$/.test(value.exchange) &&
  "priority" in value &&
  typeof value.priority === "number" &&
  Number.isInteger(value.priority) &&
  value.priority >= 0 &&
  value.priority < 65_536;
