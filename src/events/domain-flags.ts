// What the sinks of GetAuxDomainInfoFlags say of domains, kept for a while: a domain is looked at for each recipient.
import type { Clock } from "../core/clock.ts";
import { EVENTS } from "./catalog.ts";
import type { DomainInfoContext } from "./contexts/domain-contexts.ts";
import type { SystemChain, SystemSinks } from "./system-chain.ts";

export interface DomainFlagsParts {
  readonly chain: () => SystemChain<DomainInfoContext>;
  readonly sinks: SystemSinks;
  /** Name of the virtual server. */
  readonly server: string;
  readonly clock: Clock;
}

const KEPT_MS = 60_000;
const MAX_DOMAINS = 10_000;

export class DomainFlags {
  readonly #parts: DomainFlagsParts;
  readonly #known = new Map<string, { readonly flags: number; readonly until: number }>();
  /** What is known was said by these sinks. */
  #askedOf: SystemChain<DomainInfoContext> | undefined;

  constructor(parts: DomainFlagsParts) {
    this.#parts = parts;
  }

  /** Bits of `domainFlag`; `domain` is in lower case. */
  readonly of = (domain: string): number => {
    const chain = this.#parts.chain();
    return chain.isEmpty ? 0 : this.#flagsOf(domain, chain);
  };

  #flagsOf(domain: string, chain: SystemChain<DomainInfoContext>): number {
    if (this.#askedOf !== chain) this.#known.clear();
    this.#askedOf = chain;
    const now = this.#parts.clock.now();
    const known = this.#known.get(domain);
    if (known !== undefined && known.until > now) return known.flags;
    const flags = this.#ask(domain, chain);
    // Domains are named by strangers: what is known must not grow with what they think of.
    if (this.#known.size >= MAX_DOMAINS) this.#known.clear();
    this.#known.set(domain, { flags, until: now + KEPT_MS });
    return flags;
  }

  #ask(domain: string, chain: SystemChain<DomainInfoContext>): number {
    const { server, sinks } = this.#parts;
    let flags = 0;
    const subject: DomainInfoContext = {
      domain,
      server,
      get flags() {
        return flags;
      },
      // What is no number would take away what the sinks before have added, requireTls among it.
      set flags(bits) {
        if (!Number.isInteger(bits)) throw new RangeError(`flags of ${domain} have to be a whole number`);
        flags = bits;
      },
    };
    void sinks.run(chain, {
      subject,
      server,
      onFault: EVENTS.GetAuxDomainInfoFlags.onFault,
      promises: EVENTS.GetAuxDomainInfoFlags.promises,
      remember: () => {
        const before = flags;
        return () => {
          flags = before;
        };
      },
    });
    return flags;
  }
}
