// The commands of one transaction in the order in which their replies come: XFORWARD, MAIL, RCPT, and DATA unless a chunk
// carries the content.
import { isPositive } from "../../core/reply.ts";
import type { DestinationSettings, OutboundMessage } from "./destination.ts";
import type { EnvelopeCommands } from "./envelope-commands.ts";
import type { PeerExtensions } from "./extensions.ts";
import { isParameterError, isUnknownCommand, plain } from "./sinks/judgement.ts";
import type { Job } from "./outbound-job.ts";
import { usesChunks } from "./preparation.ts";
import type { PeerReply } from "./reply-reader.ts";
import { TransactionReplies } from "./transaction-replies.ts";
import { xforwardCommands } from "./xforward.ts";

const NO_LINES: readonly string[] = [];

/** Steps below 0 are XFORWARD, 0 is MAIL, 1 to n are RCPT, n + 1 is DATA. */
export class TransactionPlan {
  readonly job: Job;
  /** What of the job's message this peer gets. */
  readonly message: OutboundMessage;
  readonly commands: EnvelopeCommands;
  readonly offered: PeerExtensions;
  readonly replies: TransactionReplies;
  /** Its envelope was sent behind the content of another one. */
  isBehind = false;
  /** Which reply comes next. */
  step: number;
  readonly isChunk: boolean;
  /** All in one group, instead of a command behind the reply to the one before. */
  readonly pipelines: boolean;
  readonly #preamble: readonly string[];
  readonly #isLmtp: boolean;

  constructor(
    job: Job,
    message: OutboundMessage,
    commands: EnvelopeCommands,
    offered: PeerExtensions,
    settings: DestinationSettings,
  ) {
    this.job = job;
    this.message = message;
    this.commands = commands;
    this.offered = offered;
    this.replies = new TransactionReplies(message.recipients.length, commands.refused);
    this.isChunk = usesChunks(message, offered, settings);
    this.pipelines = offered.pipelining;
    this.#isLmtp = settings.dialect === "lmtp";
    this.#preamble =
      settings.xforward && offered.xforward.length > 0
        ? xforwardCommands(message.id, message.origin, offered.xforward)
        : NO_LINES;
    this.step = -this.#preamble.length;
  }

  /** What the peer makes of XFORWARD says nothing of the message. */
  get isUnanswered(): boolean {
    return this.step <= 0;
  }

  get rcpts(): number {
    return this.commands.rcpts.length;
  }

  get isDataNext(): boolean {
    return this.step > this.rcpts;
  }

  /** To XFORWARD, MAIL or RCPT. What the peer makes of XFORWARD is its own affair, the mail goes on. */
  answered(answer: PeerReply): void {
    const { step, replies } = this;
    this.step = step + 1;
    if (step > 0) replies.addRcpt(answer);
    else if (step === 0 && !isPositive(answer)) replies.mailRefusal = plain(answer);
  }

  /** RFC 2033 §4.2: after the content, LMTP has one reply for each accepted recipient; whether more are to come. */
  awaitsMore(final: PeerReply): boolean {
    return this.#isLmtp && final.code !== 421 && !this.replies.addFinal(final);
  }

  /** FAULTS N05: CHUNKING was offered and BDAT is not known. LMTP: who answers otherwise for one recipient does know it. */
  lacksChunks(last: PeerReply): boolean {
    const isClosing = last.code === 421 && this.replies.hasFinals;
    return this.isChunk && this.replies.knowsNothing && (isClosing || isUnknownCommand(last));
  }

  /** LMTP: broken off when all answers were those of a host that does not know BDAT. */
  get mayLackChunks(): boolean {
    return this.isChunk && this.replies.hasFinals && this.replies.knowsNothing;
  }

  /** Why the connection cannot serve another message. */
  closingFor({ code }: PeerReply, early: boolean): string | undefined {
    // Refused before it was read: what is still on the way would be taken for commands.
    if (early) return "the peer refused the content before its end";
    if (code === 421) return "the peer closes the channel";
    // LMTP: content that was read as commands would have answers left for the next message.
    return this.isChunk && this.replies.beganUnknown ? "BDAT may not have been known" : undefined;
  }

  /** FAULTS N05: the peer offered what it does not know. */
  get dislikesParameters(): boolean {
    const { mailRefusal, rcptRefusals } = this.replies;
    if (mailRefusal !== undefined) return this.commands.parameters && isParameterError(mailRefusal);
    return this.commands.rcptParameters && rcptRefusals.some(isParameterError);
  }

  /** RFC 2920 §3.1: all that may go out in one group. A chunk waits for the replies: it would bring its content along. */
  group(): string {
    const { mail, rcpts } = this.commands;
    return `${this.#preamble.join("")}${mail}${rcpts.join("")}${this.isChunk ? "" : "DATA\r\n"}`;
  }

  /** The command whose reply comes next. */
  get line(): string {
    const { step } = this;
    if (step < 0) return this.#preamble[this.#preamble.length + step] ?? "";
    if (step === 0) return this.commands.mail;
    return this.commands.rcpts[step - 1] ?? "DATA\r\n";
  }
}
