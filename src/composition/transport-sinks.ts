// The sinks of the events of the transport as they are live: each message asks for them, each change of bindings replaces them.
import type { VirtualServerSettings } from "../config/schema.ts";
import type { Clock } from "../core/clock.ts";
import { OnArrivalError } from "../core/errors.ts";
import type { MailEvent } from "../events/catalog.ts";
import type { Logger } from "../core/logger.ts";
import type { DnsSubject } from "../events/dns-contexts.ts";
import type { SinkChain } from "../events/dispatcher.ts";
import type { Firings } from "../events/firings.ts";
import { type SystemChain, SystemSinks } from "../events/system-chain.ts";
import type { ScriptTarget } from "../sandbox/script-sink.ts";
import { SinkResolver } from "../transport/dns-sinks.ts";
import type { MxResolver } from "../transport/mx.ts";
import type { TransportChains, TransportEvents } from "../transport/transport.ts";
import type { ChainParts } from "./bindings.ts";
import {
  type MailChains,
  buildMailChains,
  buildSystemChain,
  buildTransportChains,
} from "./transport-chains.ts";

export class TransportSinks {
  readonly #log: Logger;
  readonly #clock: Clock;
  #mail: MailChains<ScriptTarget> | undefined;
  #transport: TransportChains | undefined;
  #dns: SystemChain<DnsSubject> | undefined;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** The bindings changed. */
  use(parts: ChainParts): void {
    this.#mail = buildMailChains(parts);
    this.#dns = buildSystemChain(parts, "DnsResolver");
    this.#transport = buildTransportChains(parts);
  }

  /** Of an event that gets the message itself. */
  readonly chain = (event: MailEvent): SinkChain<ScriptTarget> => there(this.#mail)[event];

  /** DNS behind the sinks of DnsResolver. */
  resolver(dns: MxResolver, server: VirtualServerSettings, firings: Firings | undefined): MxResolver {
    const sinks = this.#sinksOf(server, firings);
    return new SinkResolver(dns, { chain: () => there(this.#dns), sinks, server: server.name });
  }

  /** The events of steps 7 to 11. */
  events(server: VirtualServerSettings, firings: Firings | undefined): TransportEvents {
    return { sinks: this.#sinksOf(server, firings), chains: () => there(this.#transport) };
  }

  #sinksOf({ outbound }: VirtualServerSettings, firings: Firings | undefined): SystemSinks {
    return new SystemSinks({
      firings,
      sinkDeadlineMs: outbound.sinkTimeoutMs,
      clock: this.#clock,
      log: this.#log,
    });
  }
}

function there<Chains>(chains: Chains | undefined): Chains {
  if (chains === undefined)
    throw new OnArrivalError("INTERNAL", "a message was submitted before the bindings were there");
  return chains;
}
