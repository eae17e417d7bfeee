// The SMTP session (RFC 5321 §4): greeting, one command after the other past sinks and handlers, limits, and the end.
// Sockets and framing are behind Wire, the verbs in command-handlers.ts.
import { describeError } from "../../core/errors.ts";
import { formatReply, reply, type Reply } from "../../core/reply.ts";
import { parseChunk } from "./chunk-command.ts";
import { type Command, CommandHandlers } from "./command-handlers.ts";
import { CommandRun, type CommandSubject } from "./command-run.ts";
import { isUnsafe, withoutTrailingBlanks } from "./line-checks.ts";
import { FAULT_REPLIES, FOREIGN, LOCAL_FAULT, SHUTTING_DOWN, START_INPUT, UNSAFE_LINE } from "./replies.ts";
import { formatReplyText, parseReplyText } from "./reply-text.ts";
import type { SessionParts } from "./session-parts.ts";
import { SessionState } from "./session-state.ts";
import { SessionWatch } from "./session-watch.ts";
import { CompleteMessage, messageView, sessionView } from "./session-view.ts";
import type { BareLineEnding, FramingFault } from "./stream-parser.ts";
import { lastVerdict, type PendingVerdict, type Verdict, verdict } from "./verdict.ts";
import type { Conversation, Wire } from "./wire.ts";

type Handle = (command: Command) => PendingVerdict;

/** Commands that move a message on; all others are harmless one by one and a load by the thousand (FAULTS S05). */
const MOVING = new Set(["MAIL", "RCPT", "DATA", "BDAT", "QUIT", "STARTTLS", "AUTH"]);
const TOO_EARLY = lastVerdict(reply(554, "5.0", "Data sent before it was asked for"));
const END_OF_DATA: Command = { verb: "_EOD", line: "", argument: "" };

export class SmtpConversation implements Conversation {
  readonly #parts: SessionParts;
  readonly #wire: Wire;
  readonly #onClosed: (conversation: SmtpConversation) => void;
  readonly #refusal: Reply | undefined;
  readonly #state: SessionState;
  readonly #handlers: CommandHandlers;
  readonly #handle: Handle;
  readonly #watch: SessionWatch;
  #subject: CommandSubject | undefined;
  #isGreeted = false;
  #isClosed = false;
  /** A command is being worked on: the parser is held. */
  #isHeld = false;
  /** The command in hand waits for the client's next line. */
  #awaited: ((line: Buffer | undefined) => void) | undefined;
  /** The command in hand is the end of data: so many replies, and whatever they say, the transaction is over. */
  #dataReplies = 0;
  /** Of the command in hand. */
  #verb = "";
  /** Bytes of a chunk that nobody has taken yet. */
  #unread = 0;
  #isSkipping = false;
  /** The chunk of the command in hand was skipped. */
  #hasSkipped = false;
  /** Counted content is being read. */
  #onBytes: (() => void) | undefined;
  #errors = 0;
  #junk = 0;
  #sessionBytes = 0;
  #lineSince: number | undefined;
  #cancelGreeting: () => void = () => undefined;

  /** With a `refusal` the client is told so and goes. */
  constructor(
    parts: SessionParts,
    wire: Wire,
    refusal: Reply | undefined,
    onClosed: (conversation: SmtpConversation) => void,
  ) {
    this.#parts = parts;
    this.#wire = wire;
    this.#refusal = refusal;
    this.#onClosed = onClosed;
    this.#state = new SessionState(parts, wire);
    this.#watch = new SessionWatch(parts, this.#state);
    this.#handlers = new CommandHandlers(parts, wire, this.#state, {
      askLine: async (challenge) => textOf(await this.#askLine(challenge)),
      readBytes: (count) => this.#readBytes(count, false),
      endOfData: (bare) => this.#endOfData(bare),
    });
    this.#handle = (command) => this.#handlers.handle(command);
  }

  get remoteAddress(): string {
    return this.#wire.remoteAddress;
  }

  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  // ---- the greeting ----

  onConnect(): void {
    const { settings, clock, lookUpName } = this.#parts;
    if (this.#refusal !== undefined) return this.#sayLast(this.#refusal);
    if (lookUpName !== undefined) {
      this.#wire.hold();
      void lookUpName(this.#wire.remoteAddress).then((name) => this.#greetNamed(name));
    } else if (settings.greetDelayMs === 0) this.#greet();
    if (settings.greetDelayMs > 0)
      this.#cancelGreeting = clock.after(settings.greetDelayMs, () => this.#greetLate());
  }

  #greetNamed(name: string | undefined): void {
    this.#state.reverseName = name;
    if (this.#parts.settings.greetDelayMs === 0 && !this.#isClosed) this.#greet();
    this.#wire.release();
  }

  /** Outside the parser: what is said leaves with the release of a hold. */
  #greetLate(): void {
    if (this.#isClosed) return;
    this.#wire.hold();
    if (this.#wire.hasPendingInput) this.#refuseEarlyTalker();
    else this.#greet();
    this.#wire.release();
  }

  #greet(): void {
    this.#isGreeted = true;
    this.#wire.reply(`220 ${this.#parts.settings.hostName} ESMTP OnArrival ready\r\n`);
  }

  // Programs that only send and never listen do not wait for a greeting (FAULTS S04).
  #refuseEarlyTalker(): void {
    this.#sayLast(reply(554, "5.0", "Greeting not awaited"));
  }

  // ---- commands ----

  onCommand(line: string): void {
    this.#lineSince = undefined;
    if (this.#isClosed) return;
    if (!this.#isGreeted) return this.#refuseEarlyTalker();
    const text = withoutTrailingBlanks(line);
    if (isUnsafe(text))
      return this.#state.client === undefined ? this.#sayLast(FOREIGN) : this.#say(verdict(UNSAFE_LINE));
    this.#obey(text);
  }

  #obey(text: string): void {
    const space = text.indexOf(" ");
    const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
    if (!MOVING.has(verb)) this.#countJunk();
    if (this.#isClosed) return;
    const argument = space < 0 ? "" : text.slice(space + 1);
    this.#verb = verb;
    this.#watch.began(verb, argument, text.length);
    if (verb === "BDAT") this.#unread = parseChunk(argument)?.size ?? 0;
    this.#settle(this.#run({ verb, line: text, argument }, this.#handle));
  }

  #countJunk(): void {
    if (++this.#junk > this.#parts.settings.maxJunkCommands) this.#countError();
  }

  /** Past the sinks, when there are any for the verb. */
  #run(command: Command, handle: Handle): PendingVerdict {
    const { protocol } = this.#parts;
    const sinks = protocol?.chain().sinksOf(command.verb);
    if (protocol === undefined || sinks === undefined) return handle(command);
    const subject = this.#commandSubject();
    const isEnd = command === END_OF_DATA;
    const shown = isEnd ? { ...subject, message: new CompleteMessage(this.#state) } : subject;
    return new CommandRun(protocol, sinks, command, shown, handle).run();
  }

  #settle(pending: PendingVerdict): void {
    if (pending instanceof Promise) this.#await(pending);
    else this.#conclude(pending);
  }

  #commandSubject(): CommandSubject {
    return (this.#subject ??= {
      session: sessionView(this.#state, this.#wire),
      message: messageView(this.#state),
      nextLine: (text) => this.#askLine(formatReplyText(parseReplyText(text))),
    });
  }

  #await(pending: Promise<Verdict>): void {
    if (this.#awaited === undefined && this.#onBytes === undefined) this.#hold();
    pending.then(
      (settled) => this.#conclude(settled),
      (thrown: unknown) => {
        const fields = { client: this.#wire.remoteAddress, error: describeError(thrown), cause: thrown };
        this.#parts.logger.error(fields, "fault while a command was carried out");
        this.#conclude(verdict(LOCAL_FAULT));
      },
    );
  }

  #conclude(settled: Verdict): void {
    this.#continueWith(undefined);
    // What is already here may be the content of a message: it must never run as commands (FAULTS S06).
    if (this.#verb === "DATA" && settled.code !== START_INPUT.code && this.#wire.hasPendingInput)
      return this.#finish(TOO_EARLY);
    // The bytes of a chunk that was refused are on their way all the same: they are no commands.
    if (this.#unread > 0 && !this.#isClosed && settled.ends !== true)
      return void this.#readBytes(this.#unread, true).then(() => this.#finish(settled));
    this.#finish(settled);
  }

  #finish(settled: Verdict): void {
    if (!this.#isClosed) this.#say(settled);
    if (!this.#isClosed) settled.effect?.();
    if (this.#dataReplies > 0 || this.#lacksChunk(settled)) this.#state.reset();
    this.#dataReplies = 0;
    this.#hasSkipped = false;
    if (settled.ends === true) this.#end();
    else if (typeof settled.ends === "object") this.#sayLast(settled.ends);
    // Still held: what is pipelined behind the last command of a session that ends is not looked at.
    if (this.#shouldEnd) this.#sayLast(SHUTTING_DOWN);
    this.#letGo();
  }

  /** RFC 3030 §2: a message of which a chunk was refused is none. */
  #lacksChunk({ code }: Verdict): boolean {
    const { transaction } = this.#state;
    if (this.#verb !== "BDAT" || transaction === undefined) return false;
    return (code >= 400 || this.#hasSkipped) && transaction.hasRecipients && !transaction.isOversize;
  }

  // ---- the client's next line, for commands of several steps ----

  /** Only one line is waited for at a time. */
  #askLine(text: string): Promise<Buffer | undefined> {
    this.#continueWith(undefined);
    if (this.#isClosed) return Promise.resolve(undefined);
    this.#wire.reply(`${text}\r\n`);
    return new Promise((resolve) => {
      this.#awaited = resolve;
      this.#wire.expectLine();
      this.#letGo();
    });
  }

  onLine(line: Buffer): void {
    this.#lineSince = undefined;
    if (this.#isClosed) return;
    // Nobody waits any more: the sink that asked came too late.
    if (this.#awaited === undefined) this.onCommand(line.toString());
    else this.#continueWith(line);
  }

  #continueWith(line: Buffer | undefined): void {
    const resolve = this.#awaited;
    if (resolve === undefined) return;
    this.#awaited = undefined;
    this.#hold();
    resolve(line);
  }

  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#wire.hold();
  }

  #letGo(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#wire.release();
  }

  // ---- content ----

  /** Counted content (RFC 3030 §2): kept, or skipped. */
  #readBytes(count: number, isSkipped: boolean): Promise<void> {
    this.#unread = 0;
    if (this.#isClosed) return Promise.resolve();
    this.#isSkipping = isSkipped;
    this.#hasSkipped ||= isSkipped;
    this.#wire.expectBytes(count);
    return new Promise((resolve) => {
      this.#onBytes = resolve;
      this.#letGo();
    });
  }

  onData(chunk: Buffer): Promise<void> | undefined {
    this.#sessionBytes += chunk.length;
    if (this.#sessionBytes > this.#parts.settings.maxSessionSize) {
      this.#sayLast(reply(421, "3.4", "Session size exceeds fixed maximum session size"));
      return undefined;
    }
    return this.#isSkipping ? undefined : this.#state.transaction?.add(chunk);
  }

  onDataEnd(bare: BareLineEnding | undefined): void {
    const onBytes = this.#onBytes;
    if (onBytes === undefined) {
      this.#verb = END_OF_DATA.verb;
      if (this.#state.transaction !== undefined) this.#settle(this.#endOfData(bare));
      return;
    }
    this.#onBytes = undefined;
    this.#isSkipping = false;
    this.#hold();
    onBytes();
  }

  #endOfData(bare: BareLineEnding | undefined): PendingVerdict {
    const { transaction } = this.#state;
    this.#junk = 0;
    this.#watch.began(END_OF_DATA.verb, "", transaction?.contentSize ?? 0);
    // RFC 2033 §4.2: LMTP answers for each recipient that was accepted.
    const isPerRecipient = this.#parts.settings.protocol === "lmtp";
    this.#dataReplies = isPerRecipient ? (transaction?.acceptedRecipients ?? 1) : 1;
    return this.#run(END_OF_DATA, () => this.#handlers.endOfData(bare));
  }

  onSecured(): void {
    this.#state.forgetClient();
  }

  // ---- limits and the end ----

  onFault(fault: FramingFault): void {
    this.#sayLast(FAULT_REPLIES[fault]);
  }

  onIdle(): void {
    if (!this.#isHeld) this.#sayLast(reply(451, "4.2", "Timeout waiting for client input"));
  }

  /** Called now and then: a client that sends a byte every few seconds is never idle (FAULTS S02). */
  checkPace(now: number): void {
    if (this.#state.transaction?.isTooSlow(now) === true)
      return this.#sayLast(reply(421, "4.2", "Data comes too slowly"));
    if (!this.#wire.isInsideLine) this.#lineSince = undefined;
    else this.#lineSince ??= now;
    if (this.#lineSince !== undefined && now - this.#lineSince > this.#parts.settings.idleTimeoutMs)
      this.onIdle();
  }

  /** Ends the session as soon as its transaction is through. */
  shutDown(): void {
    this.#state.isEnding = true;
    if (!this.#isHeld && this.#shouldEnd) this.#sayLast(SHUTTING_DOWN);
  }

  /** The grace is over. */
  cutOff(): void {
    this.#sayLast(SHUTTING_DOWN);
    this.#wire.destroy();
  }

  /** With no transaction in hand nothing is lost when the session ends now. */
  get #shouldEnd(): boolean {
    return this.#state.isEnding && this.#state.transaction === undefined;
  }

  onClose(): void {
    this.#isClosed = true;
    this.#cancelGreeting();
    this.#continueWith(undefined);
    // Nobody is told: half a chunk is no content.
    this.#onBytes = undefined;
    this.#state.reset();
    this.#onClosed(this);
  }

  #say(settled: Verdict): void {
    this.#watch.replied(settled.code, settled.text);
    this.#wire.reply(`${settled.text}\r\n`.repeat(Math.max(1, this.#dataReplies)));
    if (settled.isError) this.#countError();
  }

  #countError(): void {
    if (++this.#errors >= this.#parts.settings.maxErrors) this.#sayLast(reply(421, "7.0", "Too many errors"));
  }

  #sayLast(farewell: Reply): void {
    if (this.#isClosed) return;
    this.#parts.logger.debug(
      { client: this.#wire.remoteAddress, reply: formatReply(farewell) },
      "session ended by us",
    );
    const text = formatReply(farewell);
    this.#watch.replied(farewell.code, text);
    this.#wire.reply(`${text}\r\n`);
    this.#end();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#state.reset();
    this.#wire.close();
  }
}

/** Undefined: nothing that could be used as text. */
function textOf(line: Buffer | undefined): string | undefined {
  const text = line?.toString();
  return text === undefined || isUnsafe(text) ? undefined : text;
}
