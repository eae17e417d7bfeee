// Who writes down what is said to next hops, when somebody does.
import type { PeerReply } from "./reply-reader.ts";

/** A connection as a log tells it from others. */
export interface WireEnds {
  readonly remoteAddress: string;
  /** 0 where there is none. */
  readonly remotePort: number;
  readonly localAddress: string;
}

/** Its calls are on the path of mail: they must neither throw nor wait. */
export interface WireLog {
  /** Command lines with their CRLF, some of them in one write. Secrets of AUTH are among them. */
  sent(wire: WireEnds, lines: string): void;
  received(wire: WireEnds, reply: PeerReply): void;
}
