// The sinks of the events of the transport as they are live: each message asks for them, each change of bindings replaces them.
import { OnArrivalError } from "../core/errors.ts";
import type { MailEvent } from "../events/catalog.ts";
import type { SinkChain } from "../events/dispatcher.ts";
import { SystemSinks, type SystemSinksParts } from "../events/system-chain.ts";
import type { ScriptTarget } from "../sandbox/script-sink.ts";
import type { TransportChains, TransportEvents } from "../transport/transport.ts";
import type { ChainParts } from "./bindings.ts";
import { type MailChains, buildMailChains, buildTransportChains } from "./transport-chains.ts";

export class TransportSinks {
  #mail: MailChains<ScriptTarget> | undefined;
  #transport: TransportChains | undefined;

  /** The bindings changed. */
  use(parts: ChainParts): void {
    this.#mail = buildMailChains(parts);
    this.#transport = buildTransportChains(parts);
  }

  /** Of an event that gets the message itself. */
  readonly chain = (event: MailEvent): SinkChain<ScriptTarget> => there(this.#mail)[event];

  /** The events of steps 7 to 11. */
  events(parts: SystemSinksParts): TransportEvents {
    return { sinks: new SystemSinks(parts), chains: () => there(this.#transport) };
  }
}

function there<Chains>(chains: Chains | undefined): Chains {
  if (chains === undefined)
    throw new OnArrivalError("INTERNAL", "a message was submitted before the bindings were there");
  return chains;
}
