// The commands of one transaction in the order in which their replies come: XFORWARD, MAIL, RCPT, and DATA unless a chunk
// carries the content.
import type { DestinationSettings, OutboundMessage } from "./destination.ts";
import type { EnvelopeCommands } from "./envelope-commands.ts";
import type { PeerExtensions } from "./extensions.ts";
import { usesChunks } from "./preparation.ts";
import { TransactionReplies } from "./transaction-replies.ts";
import { xforwardCommands } from "./xforward.ts";

const NO_LINES: readonly string[] = [];

/** Steps below 0 are XFORWARD, 0 is MAIL, 1 to n are RCPT, n + 1 is DATA. */
export class TransactionPlan {
  readonly message: OutboundMessage;
  readonly commands: EnvelopeCommands;
  readonly replies: TransactionReplies;
  readonly isChunk: boolean;
  readonly #preamble: readonly string[];

  constructor(
    message: OutboundMessage,
    commands: EnvelopeCommands,
    offered: PeerExtensions,
    settings: DestinationSettings,
  ) {
    this.message = message;
    this.commands = commands;
    this.replies = new TransactionReplies(message.recipients.length, commands.refused);
    this.isChunk = usesChunks(message, offered, settings);
    this.#preamble =
      settings.xforward && offered.xforward.length > 0
        ? xforwardCommands(message.id, message.origin, offered.xforward)
        : NO_LINES;
  }

  get firstStep(): number {
    return -this.#preamble.length;
  }

  get rcpts(): number {
    return this.commands.rcpts.length;
  }

  /** RFC 2920 §3.1: all that may go out in one group. A chunk waits for the replies: it would bring its content along. */
  group(): string {
    const { mail, rcpts } = this.commands;
    return `${this.#preamble.join("")}${mail}${rcpts.join("")}${this.isChunk ? "" : "DATA\r\n"}`;
  }

  line(step: number): string {
    if (step < 0) return this.#preamble[this.#preamble.length + step] ?? "";
    if (step === 0) return this.commands.mail;
    return this.commands.rcpts[step - 1] ?? "DATA\r\n";
  }
}
