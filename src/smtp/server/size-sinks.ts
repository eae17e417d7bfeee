// Asks the sinks of MaxMsgSize about a message that is larger than the settings allow (REFERENCE 4.1).
import { EVENTS } from "../../events/catalog.ts";
import type { MessageSizeContext } from "../../events/contexts/size-contexts.ts";
import type { SystemChain, SystemSinks } from "../../events/system-chain.ts";

export interface SizeSinks {
  /** The sinks that are live now. */
  readonly chain: () => SystemChain<MessageSizeContext>;
  readonly sinks: SystemSinks;
}

export type OversizeMessage = Omit<MessageSizeContext, "limit">;

/** Whether a client may hope to bring more than the limit. */
export const mayWaive = (parts: SizeSinks | undefined): boolean =>
  parts !== undefined && !parts.chain().isEmpty;

/** The bytes that the message may have: `limit`, unless a sink raises it. A promise never rejects. */
export function raisedLimit(
  parts: SizeSinks | undefined,
  message: OversizeMessage,
  limit: number,
): number | Promise<number> {
  if (parts === undefined || parts.chain().isEmpty) return limit;
  const subject: MessageSizeContext = { ...message, limit };
  const outcome = parts.sinks.run(parts.chain(), {
    subject,
    server: message.server,
    onFault: EVENTS.MaxMsgSize.onFault,
    remember: () => {
      const before = subject.limit;
      return () => {
        subject.limit = before;
      };
    },
  });
  const settled = (): number => (subject.limit > limit ? subject.limit : limit);
  return outcome instanceof Promise ? outcome.then(settled) : settled();
}
