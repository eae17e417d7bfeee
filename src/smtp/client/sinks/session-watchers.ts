// The sinks that watch one session, from its greeting on. What they share is made when the first of them wants to see something.
import type { DestinationSettings, OutboundMessage } from "../destination.ts";
import { OutboundEvents, takePart } from "./outbound-events.ts";
import type { Wire } from "../wire.ts";

export class SessionWatchers {
  readonly #wire: Wire;
  readonly #settings: DestinationSettings;
  #events: OutboundEvents | undefined;

  constructor(wire: Wire, settings: DestinationSettings) {
    this.#wire = wire;
    this.#settings = settings;
  }

  /** Undefined when no sink of an outbound event is bound, or none that concerns the message. */
  of(message?: OutboundMessage): OutboundEvents | undefined {
    const { protocol } = this.#settings;
    if (protocol === undefined || !takePart(protocol.chains(), message)) return undefined;
    return (this.#events ??= new OutboundEvents(protocol, this.#wire, this.#settings));
  }

  /** A sink that saw a reply wants the session to end. */
  get isEnded(): boolean {
    return this.#events?.isEnded === true;
  }
}
