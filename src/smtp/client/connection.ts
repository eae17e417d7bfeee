// Mail transactions on one open session, one after the other, as a state machine driven by the peer's replies.
// The hot path of the relay: MAIL, RCPT and DATA in one write, the content with its end in another.
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isPositive, reply, type Reply } from "../../core/reply.ts";
import type { Content } from "../../message/content.ts";
import { chunkCommand, type ContentForm, formOf, streamContent } from "./content-writer.ts";
import type { DestinationSettings, OutboundMessage } from "./destination.ts";
import { envelopeCommands } from "./envelope-commands.ts";
import { NO_EXTENSIONS, type PeerExtensions, withoutChunks } from "./extensions.ts";
import { isParameterError, isUnknownCommand, plain } from "./judgement.ts";
import { OutboundEvents, type OutboundProtocol, takePart } from "./outbound-events.ts";
import type { ConnectionOwner, Job } from "./outbound-job.ts";
import { prepare } from "./preparation.ts";
import type { PeerReply } from "./reply-reader.ts";
import type { OpenSession } from "./session-opening.ts";
import { TransactionPlan } from "./transaction-plan.ts";
import { watchedQuit, WatchedTransaction } from "./watched-transaction.ts";
import type { Wire, WireListener } from "./wire.ts";

/**
 * idle → (preparing →) envelope → content → end-of-data → idle; reset after any refusal; ended from everywhere.
 * `watched`: sinks take part, and the transaction has a state machine of its own (watched-transaction.ts).
 * `discard`: the end of an empty message that a peer asked for after refusing all recipients.
 */
type State =
  | "idle"
  | "preparing"
  | "envelope"
  | "content"
  | "end-of-data"
  | "discard"
  | "reset"
  | "watched"
  | "ended";

/** Content up to this size is written at once, larger content at the pace of the peer. */
const WRITE_AT_ONCE_BYTES = 256 * 1024;

export class Connection implements WireListener {
  readonly wire: Wire;
  idleSince: number;
  #extensions: PeerExtensions;
  #settings: DestinationSettings;
  #logger: Logger;
  #clock: Clock;
  #owner: ConnectionOwner<Connection>;
  readonly #protocol: OutboundProtocol | undefined;
  #events: OutboundEvents | undefined;
  #state: State = "idle";
  #started = 0;

  // Of the transaction in hand.
  #job: Job | undefined;
  #offered: PeerExtensions = NO_EXTENSIONS;
  #plan: TransactionPlan | undefined;
  /** Which reply comes next: below 0 XFORWARD, 0 MAIL, 1 to n RCPT, n + 1 DATA. */
  #step = 0;
  #contentAfterChunk = 0;
  /** The job to repeat without parameters after RSET. */
  #again: Job | undefined;

  constructor(
    session: OpenSession,
    settings: DestinationSettings,
    logger: Logger,
    clock: Clock,
    owner: ConnectionOwner<Connection>,
  ) {
    this.wire = session.wire;
    this.#extensions = session.extensions;
    this.#settings = settings;
    this.#logger = logger;
    this.#clock = clock;
    this.#owner = owner;
    this.#protocol = settings.protocol;
    this.#events = session.events;
    this.idleSince = clock.now();
    this.wire.listener = this;
    this.wire.startStage("idle", Infinity);
  }

  send(job: Job): void {
    this.#started += 1;
    const events = this.#watchers(job.message);
    const offered = job.noChunks === true ? withoutChunks(this.#extensions) : this.#extensions;
    if (events === undefined) this.#prepare(job, offered);
    else void this.#sendWatched(job, events, offered);
  }

  /** Ends an idle connection. */
  quit(): void {
    this.#end();
    const events = this.#watchers();
    if (events === undefined) this.wire.quit(this.#settings.deadlines.quitMs);
    else void watchedQuit(this.wire, events, this.#settings.deadlines.quitMs);
  }

  /** Undefined when no sink of an outbound event is bound, or none that concerns the message. */
  #watchers(message?: OutboundMessage): OutboundEvents | undefined {
    const protocol = this.#protocol;
    if (protocol === undefined || !takePart(protocol.chains(), message)) return undefined;
    return (this.#events ??= new OutboundEvents(protocol, this.wire, this.#settings));
  }

  async #sendWatched(job: Job, events: OutboundEvents, offered: PeerExtensions): Promise<void> {
    this.#state = "watched";
    const transaction = new WatchedTransaction(this.wire, events, job.message, offered, this.#settings);
    const { outcome, next, answered } = await transaction.run();
    if (next === "lost" || next === "without-chunks") {
      this.#end();
      if (next === "without-chunks") this.#owner.onUnsent({ ...job, noChunks: true });
      // A kept connection that the peer had given up: the message goes over another one.
      else if (!answered && this.#started > 1) this.#owner.onUnsent(job);
      else job.resolve(outcome);
      return;
    }
    this.wire.listener = this;
    job.resolve(outcome);
    if (next === "quit") this.quit();
    else this.#ready();
  }

  onReply(answer: PeerReply): void {
    switch (this.#state) {
      case "envelope":
        return this.#onEnvelopeReply(answer);
      case "content":
      case "end-of-data":
        return this.#onFinalReply(answer);
      case "discard":
        return this.#reset();
      case "reset":
        return this.#onReset(answer);
      case "idle":
      case "preparing":
        // Mostly 421, the peer's idle limit. Anything else is out of step: the connection is of no use either way.
        return this.wire.fail(`closed while idle: ${answer.code} ${answer.text}`);
      case "watched":
      case "ended":
        return undefined;
    }
  }

  onLost(reason: string): void {
    const job = this.#job ?? this.#again;
    const state = this.#state;
    this.#end();
    if (job === undefined) return;
    this.#job = undefined;
    this.#again = undefined;
    const unseen = state === "preparing" || (state === "envelope" && this.#isFirstStep);
    if (unseen && this.#started > 1) return this.#owner.onUnsent(job);
    const mayDuplicate = state === "end-of-data";
    const { remote } = this.wire;
    if (mayDuplicate)
      this.#logger.warn({ message: job.message.id, remote, reason }, "no reply to end of data");
    const lost = reply(451, "4.2", reason);
    if (this.#plan?.replies.hasFinals !== true || !mayDuplicate)
      return this.#unreachable(job, lost, mayDuplicate);
    // LMTP: those that have their answer keep it.
    this.#job = job;
    return this.#reportAll(lost);
  }

  /** Most messages go out as they are, and in the same turn. */
  #prepare(job: Job, offered: PeerExtensions, accepts: PeerExtensions = offered): void {
    this.#job = job;
    const prepared = prepare(job.message, accepts, this.#settings);
    if (!(prepared instanceof Promise)) return this.#begin(prepared, offered);
    this.#state = "preparing";
    prepared.then(
      (message) => (this.#state === "preparing" ? this.#begin(message, offered) : undefined),
      (thrown: unknown) => this.#unreadable(job, thrown),
    );
    return undefined;
  }

  #begin(message: OutboundMessage | Reply, offered: PeerExtensions): void {
    this.#offered = offered;
    if ("code" in message) return this.#refusedHere(message);
    const commands = envelopeCommands(message, offered);
    if ("code" in commands) return this.#refusedHere(commands);
    const plan = new TransactionPlan(message, commands, offered, this.#settings);
    this.#plan = plan;
    if (plan.rcpts === 0) {
      this.#reportAll();
      return this.#ready();
    }
    this.#step = plan.firstStep;
    this.#state = "envelope";
    this.wire.startStage("MAIL", this.#settings.deadlines.commandMs);
    // The replies are judged when they come.
    this.wire.write(this.#pipelines ? plan.group() : plan.line(plan.firstStep));
    return undefined;
  }

  /** The peer is not asked. */
  #refusedHere(refusal: Reply): void {
    this.#report(this.#job?.message.recipients.map(() => refusal) ?? []);
    return this.#ready();
  }

  #unreadable(job: Job, thrown: unknown): void {
    if (this.#state !== "preparing") return;
    this.#job = undefined;
    this.#unreachable(job, reply(451, "3.0", `the content cannot be read: ${describeError(thrown)}`), false);
    this.#ready();
  }

  /** Nothing was answered yet. */
  get #isFirstStep(): boolean {
    return this.#step === this.#plan?.firstStep;
  }

  get #pipelines(): boolean {
    return this.#offered.pipelining && this.#settings.pipelining;
  }

  #onEnvelopeReply(answer: PeerReply): void {
    const plan = this.#plan;
    if (plan === undefined) return undefined;
    if (answer.code === 421) return this.#onClosing(answer);
    const step = this.#step;
    if (step > plan.rcpts) return this.#onDataReply(answer);
    // FAULTS N04: a 354 in the place of another reply means that one is missing.
    if (answer.code >= 300 && answer.code < 400)
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    this.#step = step + 1;
    // Below 0: what the peer makes of XFORWARD is its own affair, the mail goes on.
    if (step > 0) plan.replies.addRcpt(answer);
    else if (step === 0 && !isPositive(answer)) plan.replies.mailRefusal = plain(answer);
    return this.#next(plan);
  }

  /** Sends what follows, unless it is on the wire already. */
  #next(plan: TransactionPlan): void {
    const { commandMs, dataInitiationMs } = this.#settings.deadlines;
    const isDataNext = this.#step > plan.rcpts;
    if (isDataNext && plan.isChunk)
      return plan.replies.isRefused ? this.#refused(undefined) : this.#sendContent();
    this.wire.startStage(isDataNext ? "DATA" : "RCPT", isDataNext ? dataInitiationMs : commandMs);
    if (this.#pipelines) return undefined;
    const isOver = plan.replies.mailRefusal !== undefined || (isDataNext && plan.replies.isRefused);
    if (isOver) return this.#refused(undefined);
    this.wire.write(plan.line(this.#step));
    return undefined;
  }

  #onDataReply(answer: PeerReply): void {
    if (isPositive(answer) && answer.code !== 354)
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    if (answer.code !== 354) return this.#refused(answer);
    if (this.#plan?.replies.isRefused === false) return this.#sendContent();
    const nobody = this.#plan?.replies.accepted === 0;
    this.#reportAll();
    // It refused the sender and would take an empty message all the same: without the dot it gets none.
    if (!nobody) return this.wire.fail("DATA accepted after a refused MAIL");
    // RFC 2920 §3.1: recipients refused, DATA accepted: a lone dot ends it.
    this.#state = "discard";
    this.wire.startStage("empty message", this.#settings.deadlines.endOfDataMs);
    this.wire.write(".\r\n");
    return undefined;
  }

  #sendContent(): void {
    if (this.#plan === undefined) return;
    const { message, isChunk } = this.#plan;
    const { content } = message;
    const form = formOf(message, isChunk);
    this.#contentAfterChunk = this.wire.chunks;
    if (isChunk) this.wire.write(`${chunkCommand(message)}\r\n`);
    if (content.size > WRITE_AT_ONCE_BYTES || !content.inMemory) {
      this.#state = "content";
      void this.#stream(content, form);
      return;
    }
    this.#state = "end-of-data";
    this.wire.startStage("end of data", this.#settings.deadlines.endOfDataMs);
    const encoded: Buffer[] = [];
    for (const piece of content.pieces) if (Buffer.isBuffer(piece)) encoded.push(form.encode(piece));
    this.wire.writeAll(encoded, form.end());
  }

  async #stream(content: Content, form: ContentForm): Promise<void> {
    const { dataBlockMs, endOfDataMs } = this.#settings.deadlines;
    const isWanted = (): boolean => this.#state === "content";
    if (!(await streamContent(this.wire, content, form, dataBlockMs, isWanted))) return;
    this.#state = "end-of-data";
    this.wire.startStage("end of data", endOfDataMs);
    this.wire.write(form.end());
  }

  #onFinalReply(answer: PeerReply): void {
    if (this.#plan?.isChunk === true && isUnknownCommand(answer)) return this.#withoutChunks();
    const early = this.#state === "content" || this.wire.chunks === this.#contentAfterChunk;
    if (answer.code < 400 && (early || answer.code >= 300)) {
      // A surplus reply, which would have confirmed a message that the peer has not read yet.
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    }
    if (!early && this.#isOneOfMany(answer)) return undefined;
    this.#reportAll(plain(answer));
    // Refused before it was read: what is still on the way would be taken for commands.
    if (early) return this.wire.fail("the peer refused the content before its end");
    if (answer.code === 421) return this.wire.fail("the peer closes the channel");
    return isPositive(answer) ? this.#ready() : this.#reset();
  }

  /** The transaction ends before the content: MAIL, all recipients, or DATA were refused. */
  #refused(data: PeerReply | undefined): void {
    const job = this.#job;
    const refusal = this.#plan?.replies.mailRefusal;
    // FAULTS N05: the peer offered what it does not know. Once more, with bare commands.
    if (
      job !== undefined &&
      this.#plan?.commands.parameters === true &&
      refusal !== undefined &&
      isParameterError(refusal)
    ) {
      this.#logger.debug({ remote: this.wire.remote, reply: refusal }, "parameters refused, trying without");
      this.#again = job;
      this.#job = undefined;
      return this.#reset();
    }
    this.#reportAll(data === undefined ? undefined : plain(data));
    return this.#reset();
  }

  #reset(): void {
    this.#state = "reset";
    this.wire.startStage("RSET", this.#settings.deadlines.commandMs);
    this.wire.write("RSET\r\n");
  }

  #onReset(answer: PeerReply): void {
    if (answer.code !== 250) return this.wire.fail(`RSET answered with ${answer.code} ${answer.text}`);
    const again = this.#again;
    this.#again = undefined;
    if (again === undefined) return this.#ready();
    const { pipelining, eightBitMime } = this.#extensions;
    // It did offer 8BITMIME, whatever it thinks of the parameter: what was 8-bit stays so.
    return this.#prepare(again, { ...NO_EXTENSIONS, pipelining }, { ...NO_EXTENSIONS, eightBitMime });
  }

  #onClosing(answer: PeerReply): void {
    const job = this.#job;
    // The first reply on a kept connection: the peer gave it up in between, as if it had closed silently.
    const unseen = this.#started > 1 && this.#isFirstStep;
    if (job !== undefined && !unseen) {
      this.#job = undefined;
      this.#unreachable(job, plain(answer), false);
    }
    this.wire.fail(`${answer.code} ${answer.text}`);
  }

  /** RFC 2033 §4.2: after the content, LMTP has one reply for each accepted recipient; whether more are to come. */
  #isOneOfMany(answer: PeerReply): boolean {
    const isLast = this.#settings.dialect !== "lmtp" || answer.code === 421;
    return !isLast && this.#plan?.replies.addFinal(answer) === false;
  }

  /** FAULTS N05: CHUNKING was offered and BDAT is not known, so the content was read as commands. */
  #withoutChunks(): void {
    const job = this.#job;
    this.#job = undefined;
    this.wire.fail("BDAT was offered and is not known");
    if (job !== undefined) this.#owner.onUnsent({ ...job, noChunks: true });
  }

  #reportAll(rest?: Reply): void {
    this.#report(this.#plan?.replies.all(rest) ?? []);
  }

  #report(replies: readonly Reply[]): void {
    const job = this.#job;
    this.#job = undefined;
    job?.resolve({ kind: "report", report: { replies, remote: this.wire.remote, dsn: this.#offered.dsn } });
  }

  #unreachable(job: Job, why: Reply, mayDuplicate: boolean): void {
    const { remote } = this.wire;
    job.resolve({ kind: "unreachable", reason: why.text, transient: true, reply: why, remote, mayDuplicate });
  }

  #ready(): void {
    if (this.#started >= this.#settings.maxMessagesPerConnection) return this.quit();
    this.#state = "idle";
    this.idleSince = this.#clock.now();
    this.wire.startStage("idle", Infinity);
    return this.#owner.onReady(this);
  }

  #end(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#owner.onEnded(this);
  }
}
