// The sinks of the events of the transport as they are live: each message asks for them, each change of bindings replaces them.
import type { Config, VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import { OnArrivalError } from "../../core/errors.ts";
import type { MailEvent } from "../../events/catalog.ts";
import type { Logger } from "../../core/logger.ts";
import type { DnsSubject } from "../../events/contexts/dns-contexts.ts";
import type { DomainInfoContext } from "../../events/contexts/domain-contexts.ts";
import { DomainFlags } from "../../events/domain-flags.ts";
import type { SinkChain } from "../../events/dispatcher.ts";
import type { Firings } from "../../events/firings.ts";
import type { MessageSizeContext } from "../../events/contexts/size-contexts.ts";
import { type SystemChain, SystemSinks } from "../../events/system-chain.ts";
import type { TrackingRecord } from "../../events/contexts/tracking-contexts.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";
import type { SizeSinks } from "../../smtp/server/size-sinks.ts";
import { SinkResolver } from "../../transport/routing/dns-sinks.ts";
import type { MxResolver } from "../../transport/routing/mx.ts";
import type { TransportChains, TransportEvents } from "../../transport/transport.ts";
import type { ChainParts } from "./bindings.ts";
import type { TrackingSinks } from "../observation/message-tracker.ts";
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
  #size: SystemChain<MessageSizeContext> | undefined;
  #domains: SystemChain<DomainInfoContext> | undefined;
  #tracking: SystemChain<TrackingRecord> | undefined;
  readonly #flags = new Map<string, DomainFlags>();
  /** Settings of each virtual server, by its name, as they are now. */
  readonly #settings = new Map<string, VirtualServerSettings>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** The bindings changed. */
  use(parts: ChainParts): void {
    this.#mail = buildMailChains(parts);
    this.#dns = buildSystemChain(parts, "DnsResolver");
    this.#size = buildSystemChain(parts, "MaxMsgSize");
    this.#domains = buildSystemChain(parts, "GetAuxDomainInfoFlags");
    this.#tracking = buildSystemChain(parts, "MsgTrackLog");
    this.#transport = buildTransportChains(parts);
  }

  /** These settings of the server count from the next call on. */
  follow(server: VirtualServerSettings): void {
    this.#settings.set(server.name, server);
  }

  /** Of an event that gets the message itself. */
  readonly chain = (event: MailEvent): SinkChain<ScriptTarget> => there(this.#mail)[event];

  /** DNS behind the sinks of DnsResolver. */
  resolver(dns: MxResolver, server: VirtualServerSettings, firings: Firings | undefined): MxResolver {
    const sinks = this.#sinksOf(server, firings);
    return new SinkResolver(dns, { chain: () => there(this.#dns), sinks, server: server.name });
  }

  /** What sinks say of messages above the limit. */
  sizeSinks(server: VirtualServerSettings, firings: Firings | undefined): SizeSinks {
    const sinks = this.#sinksWithin(server, ({ limits }) => limits.sinkTimeoutMs, firings);
    return { chain: () => there(this.#size), sinks };
  }

  /** What sinks say of domains; one memory for all who ask in the name of a virtual server. */
  domainFlags(server: VirtualServerSettings, firings: Firings | undefined): DomainFlags {
    const known = this.#flags.get(server.name);
    if (known !== undefined) return known;
    const chain = (): SystemChain<DomainInfoContext> => there(this.#domains);
    const sinks = this.#sinksOf(server, firings);
    const flags = new DomainFlags({ chain, sinks, server: server.name, clock: this.#clock });
    this.#flags.set(server.name, flags);
    return flags;
  }

  /** Those who see the records of the message tracking log. */
  tracking(sinks: SystemSinks): TrackingSinks {
    return { chain: () => there(this.#tracking), sinks };
  }

  /** For events whose sinks nobody waits for. */
  unawaited(
    { openPromises, openPromiseMs }: Pick<Config["nativeSinks"], "openPromises" | "openPromiseMs">,
    firings: Firings | undefined,
  ): SystemSinks {
    return new SystemSinks({
      firings,
      sinkDeadlineMs: openPromiseMs,
      maxOpenPromises: openPromises,
      clock: this.#clock,
      log: this.#log,
    });
  }

  /** The events of steps 7 to 11. */
  events(
    server: VirtualServerSettings,
    firings: Firings | undefined,
    unawaited: SystemSinks,
  ): TransportEvents {
    return { sinks: this.#sinksOf(server, firings), unawaited, chains: () => there(this.#transport) };
  }

  #sinksOf(server: VirtualServerSettings, firings: Firings | undefined): SystemSinks {
    return this.#sinksWithin(server, ({ outbound }) => outbound.sinkTimeoutMs, firings);
  }

  #sinksWithin(
    server: VirtualServerSettings,
    deadlineOf: (settings: VirtualServerSettings) => number,
    firings: Firings | undefined,
  ): SystemSinks {
    const settings = this.#settings;
    return new SystemSinks({
      firings,
      get sinkDeadlineMs() {
        return deadlineOf(settings.get(server.name) ?? server);
      },
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
