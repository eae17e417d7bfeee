// The events of one session, made when the first sink wants to see something of it.
import type { DestinationSettings, OutboundMessage } from "./destination.ts";
import { OutboundEvents, takePart } from "./outbound-events.ts";
import type { Wire } from "./wire.ts";

export class SessionWatchers {
  readonly #wire: Wire;
  readonly #settings: DestinationSettings;
  #events: OutboundEvents | undefined;

  /** `events`: those that the opening of the session has raised already. */
  constructor(wire: Wire, settings: DestinationSettings, events: OutboundEvents | undefined) {
    this.#wire = wire;
    this.#settings = settings;
    this.#events = events;
  }

  /** Undefined when no sink of an outbound event is bound, or none that concerns the message. */
  of(message?: OutboundMessage): OutboundEvents | undefined {
    const { protocol } = this.#settings;
    if (protocol === undefined || !takePart(protocol.chains(), message)) return undefined;
    return (this.#events ??= new OutboundEvents(protocol, this.#wire, this.#settings));
  }
}
