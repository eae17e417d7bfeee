// The types that routers gave to messages (GetMessageType, REFERENCE 4.4): kept until a message ends or types are reset, and
// given back then.
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { MessageRouter, RoutedMessage } from "../../events/contexts/router-contexts.ts";

interface TypedMessage {
  /** The one that routed the message last. */
  router: MessageRouter;
  readonly type: number;
  readonly round: number;
}

const MAX_TYPE = 0xffff_ffff;

export class MessageTypes {
  readonly #log: Logger;
  readonly #known = new Map<string, TypedMessage>();
  #round = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Throws what the router throws, RangeError for a type that is none. */
  typeOf(msg: RoutedMessage, router: MessageRouter): number {
    const known = this.#known.get(msg.id);
    if (known?.round === this.#round) {
      known.router = router;
      return known.type;
    }
    this.ended(msg.id);
    const type = router.getMessageType?.(msg) ?? 0;
    if (!Number.isInteger(type) || type < 0 || type > MAX_TYPE)
      throw new RangeError("getMessageType has to answer an integer from 0 to 4294967295");
    if (router.getMessageType !== undefined || router.connectionFailed !== undefined)
      this.#known.set(msg.id, { router, type, round: this.#round });
    return type;
  }

  /** Routers are asked for the types of all messages anew. */
  reset(): void {
    this.#round += 1;
  }

  /** The message is finished, or gets another type. */
  ended(id: string): void {
    const known = this.#known.size === 0 ? undefined : this.#known.get(id);
    if (known === undefined) return;
    this.#known.delete(id);
    this.#tell(id, () => known.router.releaseMessageType?.(known.type, 1));
  }

  connectionFailed(id: string, nextHop: string): void {
    const router = this.#known.size === 0 ? undefined : this.#known.get(id)?.router;
    if (router !== undefined) this.#tell(id, () => router.connectionFailed?.(nextHop));
  }

  #tell(id: string, call: () => void): void {
    try {
      call();
    } catch (thrown) {
      this.#log.error({ message: id, fault: describeError(thrown) }, "router failed on a notice");
    }
  }
}
