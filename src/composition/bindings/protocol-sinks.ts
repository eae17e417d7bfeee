// The native sinks of protocol events as listeners and connections to next hops ask for them: always those that are live now.
import type { VirtualServerSettings } from "../../config/schema.ts";
import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../core/logger.ts";
import { FiringCounter, type Firings } from "../../events/firings.ts";
import type { ProtocolServer } from "../../events/contexts/protocol-contexts.ts";
import type { OutboundProtocol } from "../../smtp/client/sinks/outbound-events.ts";
import type { InboundProtocol } from "../../smtp/server/command-run.ts";
import type { EventSinkParts } from "./event-sinks.ts";
import { type ProtocolChains, type ServerChains, buildProtocolChains } from "./protocol-chains.ts";
import { describeCategorizer } from "../servers/server-categorizer.ts";
import { defaultDomainOf } from "../settings.ts";

/** With what changes when the file is saved. */
interface FollowedProtocol extends Omit<InboundProtocol, "server" | "sinkDeadlineMs"> {
  server: ProtocolServer;
  sinkDeadlineMs: number;
}

export class ProtocolSinks {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** The property bag of a virtual server outlives every reload. */
  readonly #servers = new Map<string, ProtocolServer>();
  /** What listeners were given: they outlive every reload, too. */
  readonly #inbound = new Map<string, FollowedProtocol>();
  #chains: ServerChains;
  #firings: FiringCounter | undefined;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#chains = buildProtocolChains({ configured: [], log, nextMessageId: () => "" });
  }

  /** To be told before listeners and couriers are made. */
  countBy(firings: Firings): void {
    this.#firings = new FiringCounter({ firings, clock: this.#clock, log: this.#log });
  }

  /** Takes over other bindings: from the next command on. */
  use(parts: EventSinkParts): void {
    this.#chains = buildProtocolChains(parts);
  }

  inbound(server: VirtualServerSettings): InboundProtocol {
    const inbound: FollowedProtocol = {
      chain: () => this.#chainsOf(server).inbound,
      server: this.#serverOf(server),
      sinkDeadlineMs: server.limits.sinkTimeoutMs,
      firings: this.#firings,
      clock: this.#clock,
      log: this.#log,
    };
    this.#inbound.set(server.name, inbound);
    return inbound;
  }

  /** These settings of the server count from the next command on. */
  follow(server: VirtualServerSettings): void {
    const inbound = this.#inbound.get(server.name);
    if (inbound === undefined) return;
    inbound.server = this.#serverOf(server);
    inbound.sinkDeadlineMs = server.limits.sinkTimeoutMs;
  }

  outbound(server: VirtualServerSettings): OutboundProtocol {
    return {
      chains: () => this.#chainsOf(server).outbound,
      server: this.#serverOf(server),
      sinkDeadlineMs: server.outbound.sinkTimeoutMs,
      maxSinkCommands: server.outbound.sinkCommands,
      firings: this.#firings,
      clock: this.#clock,
      log: this.#log,
    };
  }

  #chainsOf({ name }: VirtualServerSettings): ProtocolChains {
    return this.#chains.own.get(name) ?? this.#chains.shared;
  }

  #serverOf(server: VirtualServerSettings): ProtocolServer {
    const known = this.#servers.get(server.name);
    const described: ProtocolServer = {
      name: server.name,
      defaultDomain: defaultDomainOf(server),
      categorizer: describeCategorizer(server),
      properties: known?.properties ?? new Map<string, unknown>(),
    };
    this.#servers.set(server.name, described);
    return described;
  }
}
