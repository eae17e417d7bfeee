// What the built-in handler of a command answers. Nothing has changed yet: the effect follows when no sink turned it down.
import { formatReply, isPermanent, type Reply } from "../../core/reply.ts";

export interface Verdict {
  readonly code: number;
  /** Complete reply lines, CRLF between them, none at the end. */
  readonly text: string;
  /** Makes the command count, once it is replied to. Not called when a sink made a failure of it. */
  readonly effect?: (() => void) | undefined;
  /** The session ends behind the reply, or behind this one more. */
  readonly ends?: boolean | Reply | undefined;
  /** The message is in the store: whatever sinks say or do behind it, it is accepted. */
  readonly isDurable?: boolean | undefined;
  /** Counts against the limit of errors. */
  readonly isError: boolean;
}

export type PendingVerdict = Verdict | Promise<Verdict>;

export function verdict(of: Reply, effect?: () => void): Verdict {
  return { code: of.code, text: formatReply(of), effect, isError: isPermanent(of) };
}

/** The message is in the store. */
export function durable(of: Reply): Verdict {
  return { code: of.code, text: formatReply(of), isDurable: true, isError: false };
}

/** The reply after which the session ends. */
export function lastVerdict(of: Reply): Verdict {
  return { code: of.code, text: formatReply(of), ends: true, isError: isPermanent(of) };
}
