// Between the connection (sockets, TLS, framing: library-connection.ts) and the conversation (verbs, replies: conversation.ts).
import type { BareLineEnding, FramingFault } from "./stream-parser.ts";

/** What a conversation can do to its connection. */
export interface Wire {
  /** Without the IPv4-mapped prefix of a dual-stack socket. */
  readonly remoteAddress: string;
  /** 0: not known. */
  readonly remotePort: number;
  /** Ours, as the client reached it. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly isSecure: boolean;
  /** The client sent more than what has been handed to the conversation. */
  readonly hasPendingInput: boolean;
  readonly isInsideLine: boolean;
  /** Queues reply lines, CRLF included; they leave in one write when the input at hand is used up. */
  reply(lines: string): void;
  /** No further command or content until `release`. Calls are counted. */
  hold(): void;
  release(): void;
  /** The next line is no command. */
  expectLine(): void;
  /** What follows is message content. */
  expectData(): void;
  /** The next `count` bytes are message content, whatever they are. */
  expectBytes(count: number): void;
  /** Sends what is queued, drops the input at hand, and turns to TLS. */
  startTls(): void;
  /** Sends what is queued and closes; the client gets a moment to read it. */
  close(): void;
  /** Closes at once. */
  destroy(): void;
}

/** One session. Called by its connection, one call at a time. */
export interface Conversation {
  onConnect(): void;
  /** A line without its CRLF. */
  onCommand(line: string): void;
  /** The line that was asked for, as it came. */
  onLine(line: Buffer): void;
  onData(chunk: Buffer): Promise<void> | undefined;
  onDataEnd(bare: BareLineEnding | undefined): void;
  onFault(fault: FramingFault): void;
  onSecured(): void;
  /** Nothing came or went for the idle time. */
  onIdle(): void;
  onClose(): void;
}
