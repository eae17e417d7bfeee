// Mail transactions on one open session, one after the other, as a state machine driven by the peer's replies.
// The hot path of the relay: MAIL, RCPT and DATA in one write; the content with its end in another, which takes the next
// message's MAIL, RCPT and DATA along when one waits.
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isPositive, ownReply, type Reply } from "../../core/reply.ts";
import type { Content } from "../../message/content.ts";
import { BehindContent } from "./behind-content.ts";
import { type ContentForm, goesAtOnce, startContent, streamContent, writeContent } from "./content-writer.ts";
import type { DestinationSettings, OutboundMessage } from "./destination.ts";
import { envelopeCommands } from "./envelope-commands.ts";
import { leftFor, NO_EXTENSIONS, type PeerExtensions } from "./extensions.ts";
import { plain } from "./sinks/judgement.ts";
import type { OutboundEvents } from "./sinks/outbound-events.ts";
import { type ConnectionOwner, type Job, type Lie, unreachable } from "./outbound-job.ts";
import { prepare } from "./preparation.ts";
import type { PeerReply } from "./reply-reader.ts";
import type { OpenSession } from "./session-opening.ts";
import type { SessionWatchers } from "./sinks/session-watchers.ts";
import { TransactionPlan } from "./transaction-plan.ts";
import { watchedQuit } from "./sinks/watched-quit.ts";
import { WatchedTransaction } from "./sinks/watched-transaction.ts";
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

export class Connection implements WireListener {
  readonly wire: Wire;
  idleSince: number;
  #extensions: PeerExtensions;
  #settings: DestinationSettings;
  #logger: Logger;
  #clock: Clock;
  #owner: ConnectionOwner<Connection>;
  readonly #watchers: SessionWatchers;
  #state: State = "idle";
  #started = 0;

  // Of the transaction in hand.
  #job: Job | undefined;
  #plan: TransactionPlan | undefined;
  #contentAfterChunk = 0;
  readonly #behind: BehindContent;
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
    this.#watchers = session.watchers;
    this.#behind = new BehindContent(session.extensions, settings, owner, this.#watchers);
    this.idleSince = clock.now();
    this.wire.listener = this;
    this.wire.startStage("idle", Infinity);
  }

  send(job: Job): void {
    this.#started += 1;
    const events = this.#watchers.of(job.message);
    const offered = leftFor(job, this.#extensions);
    if (events === undefined) this.#prepare(job, offered);
    else void this.#sendWatched(job, events, offered);
  }

  /** Ends an idle connection. */
  quit(): void {
    this.#end();
    const events = this.#watchers.of();
    if (events === undefined) this.wire.quit(this.#settings.deadlines.quitMs);
    else void watchedQuit(this.wire, events, this.#settings.deadlines.quitMs);
  }

  async #sendWatched(job: Job, events: OutboundEvents, offered: PeerExtensions): Promise<void> {
    this.#enter("watched");
    const transaction = new WatchedTransaction(this.wire, events, job.message, offered, this.#settings);
    const { outcome, next, answered, lie } = await transaction.run();
    if (next === "lost") {
      this.#end();
      if (lie !== undefined) this.#owner.onUnsent({ ...job, ...lie });
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
    this.#behind.giveBack(state === "end-of-data" && job !== undefined);
    this.#end();
    if (job === undefined) return;
    this.#job = undefined;
    this.#again = undefined;
    const unseen = state === "preparing" || (state === "envelope" && this.#plan?.isUnanswered === true);
    if (unseen && this.#started > 1) return this.#behind.sendAgain(job, this.#plan);
    return this.#brokenOff(job, ownReply(451, "4.2", reason), state === "end-of-data");
  }

  #brokenOff(job: Job, lost: Reply, mayDuplicate: boolean): void {
    const { remote } = this.wire;
    if (mayDuplicate)
      this.#logger.warn({ message: job.message.id, remote, reason: lost.text }, "no reply to end of data");
    const hasFinals = mayDuplicate && this.#plan?.replies.hasFinals === true;
    if (!hasFinals) return this.#unreachable(job, lost, mayDuplicate);
    if (this.#plan?.mayLackChunks === true) return this.#owner.onUnsent({ ...job, noChunks: true });
    // LMTP: those that have their answer keep it.
    this.#job = job;
    return this.#reportAll(lost);
  }

  /** Most messages go out as they are, and in the same turn. */
  #prepare(job: Job, offered: PeerExtensions, accepts: PeerExtensions = offered): void {
    this.#job = job;
    const prepared = prepare(job.message, accepts, this.#settings);
    if (!(prepared instanceof Promise)) return this.#begin(job, prepared, offered);
    this.#enter("preparing");
    prepared.then(
      (message) => (this.#state === "preparing" ? this.#begin(job, message, offered) : undefined),
      (thrown: unknown) => this.#unreadable(job, thrown),
    );
    return undefined;
  }

  #begin(job: Job, message: OutboundMessage | Reply, offered: PeerExtensions): void {
    if ("code" in message) return this.#refusedHere(job, message);
    const commands = envelopeCommands(message, offered);
    if ("code" in commands) return this.#refusedHere(job, commands);
    const plan = new TransactionPlan(job, message, commands, offered, this.#settings);
    this.#plan = plan;
    if (plan.rcpts === 0) {
      this.#reportAll();
      return this.#ready();
    }
    this.#expect(plan);
    // The replies are judged when they come.
    this.wire.write(plan.pipelines ? plan.group() : plan.line);
    return undefined;
  }

  #expect(plan: TransactionPlan): void {
    this.#plan = plan;
    this.#enter("envelope");
    this.wire.startStage("MAIL", this.#behind.limitMs(plan));
    this.#behind.carries(plan.pipelines && !plan.isChunk && goesAtOnce(plan.message.content));
  }

  /** The peer is not asked. */
  #refusedHere(job: Job, refusal: Reply): void {
    this.#report(job.message.recipients.map(() => refusal));
    return this.#ready();
  }

  #unreadable(job: Job, thrown: unknown): void {
    if (this.#state !== "preparing") return;
    this.#job = undefined;
    this.#unreachable(
      job,
      ownReply(451, "3.0", `the content cannot be read: ${describeError(thrown)}`),
      false,
    );
    this.#ready();
  }

  get #isLast(): boolean {
    return this.#started >= this.#settings.maxMessagesPerConnection;
  }

  #onEnvelopeReply(answer: PeerReply): void {
    const plan = this.#plan;
    if (plan === undefined) return undefined;
    if (answer.code === 421 || this.#behind.isRefusedBy(answer, plan)) return this.#onClosing(answer);
    if (plan.isDataNext) return this.#onDataReply(plan, answer);
    // FAULTS N04: a 354 in the place of another reply means that one is missing.
    if (answer.code >= 300 && answer.code < 400)
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    plan.answered(answer);
    return this.#next(plan);
  }

  /** Sends what follows, unless it is on the wire already. */
  #next(plan: TransactionPlan): void {
    const { commandMs, dataInitiationMs } = this.#settings.deadlines;
    const { isDataNext } = plan;
    if (isDataNext && plan.isChunk)
      return plan.replies.isRefused ? this.#refused(undefined) : this.#sendContent(plan);
    this.wire.startStage(isDataNext ? "DATA" : "RCPT", isDataNext ? dataInitiationMs : commandMs);
    if (plan.pipelines) return undefined;
    const isOver = plan.replies.mailRefusal !== undefined || (isDataNext && plan.replies.isRefused);
    if (isOver) return this.#refused(undefined);
    this.wire.write(plan.line);
    return undefined;
  }

  #onDataReply(plan: TransactionPlan, answer: PeerReply): void {
    if (isPositive(answer) && answer.code !== 354)
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    if (answer.code !== 354) return this.#refused(answer);
    if (!plan.replies.isRefused) return this.#sendContent(plan);
    // It waits for content that it does not get.
    if (plan.dislikesParameters)
      return this.#without({ noPipelining: true }, "DATA accepted after refused parameters");
    const nobody = plan.replies.accepted === 0;
    this.#reportAll();
    // It refused the sender and would take an empty message all the same: without the dot it gets none.
    if (!nobody) return this.wire.fail("DATA accepted after a refused MAIL");
    // RFC 2920 §3.1: recipients refused, DATA accepted: a lone dot ends it.
    this.#enter("discard");
    this.wire.startStage("empty message", this.#settings.deadlines.endOfDataMs);
    this.wire.write(".\r\n");
    return undefined;
  }

  #sendContent(plan: TransactionPlan): void {
    const { message, isChunk } = plan;
    this.#contentAfterChunk = this.wire.chunks;
    const form = startContent(this.wire, message, isChunk);
    if (!goesAtOnce(message.content)) {
      this.#enter("content");
      void this.#stream(message.content, form);
      return;
    }
    const commands = this.#isLast ? undefined : this.#behind.next(plan);
    this.#enter("end-of-data");
    this.wire.startStage("end of data", this.#settings.deadlines.endOfDataMs);
    writeContent(this.wire, message.content, form, commands);
  }

  /** Its envelope is with the peer, which has answered the content before it. */
  #goOn(plan: TransactionPlan): void {
    this.#started += 1;
    plan.job.sentAt = this.#clock.now();
    this.#job = plan.job;
    this.#expect(plan);
  }

  async #stream(content: Content, form: ContentForm): Promise<void> {
    const { dataBlockMs, endOfDataMs } = this.#settings.deadlines;
    const isWanted = (): boolean => this.#state === "content";
    if (!(await streamContent(this.wire, content, form, dataBlockMs, isWanted))) return;
    this.#enter("end-of-data");
    this.wire.startStage("end of data", endOfDataMs);
    this.wire.write(form.end());
  }

  #onFinalReply(answer: PeerReply): void {
    const early = this.#state === "content" || this.wire.chunks === this.#contentAfterChunk;
    if (answer.code < 400 && (early || answer.code >= 300)) {
      // A surplus reply, which would have confirmed a message that the peer has not read yet.
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    }
    if (!early && this.#plan?.awaitsMore(answer) === true) return undefined;
    if (this.#plan?.lacksChunks(answer) === true)
      return this.#without({ noChunks: true }, "BDAT was offered and is not known");
    this.#reportAll(plain(answer));
    const closing = this.#plan?.closingFor(answer, early);
    if (closing !== undefined) return this.wire.fail(closing);
    const following = this.#behind.take();
    if (following !== undefined) return this.#goOn(following);
    return isPositive(answer) ? this.#ready() : this.#reset();
  }

  /** The transaction ends before the content: MAIL, all recipients, or DATA were refused. */
  #refused(data: PeerReply | undefined): void {
    const job = this.#job;
    if (job !== undefined && this.#plan?.dislikesParameters === true) {
      const fields = { remote: this.wire.remote, reply: this.#plan.replies.mailRefusal };
      this.#logger.debug(fields, "parameters refused, trying with bare commands");
      this.#again = job;
      this.#job = undefined;
      return this.#reset();
    }
    this.#reportAll(data === undefined ? undefined : plain(data));
    return this.#reset();
  }

  #reset(): void {
    this.#enter("reset");
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
    const unseen = this.#started > 1 && this.#plan?.isUnanswered === true;
    if (job !== undefined && !unseen) {
      this.#job = undefined;
      this.#unreachable(job, plain(answer), false);
    }
    this.wire.fail(`${answer.code} ${answer.text}`);
  }

  /** FAULTS N05 */
  #without(lie: Lie, why: string): void {
    const job = this.#job;
    this.#job = undefined;
    this.wire.fail(why);
    if (job !== undefined) this.#owner.onUnsent({ ...job, ...lie });
  }

  #reportAll(rest?: Reply): void {
    const plan = this.#plan;
    if (plan !== undefined) this.#report(plan.replies.all(rest), plan.offered.dsn);
  }

  #report(replies: readonly Reply[], dsn = false): void {
    const job = this.#job;
    this.#job = undefined;
    job?.resolve({ kind: "report", report: { replies, remote: this.wire.remote, dsn } });
  }

  #unreachable(job: Job, why: Reply, mayDuplicate: boolean): void {
    job.resolve(unreachable(why, true, this.wire.remote, mayDuplicate));
  }

  #ready(): void {
    if (this.#isLast) return this.quit();
    this.#enter("idle");
    this.idleSince = this.#clock.now();
    this.wire.startStage("idle", Infinity);
    return this.#owner.onReady(this);
  }

  #end(): void {
    if (this.#state === "ended") return;
    this.#enter("ended");
    this.#owner.onEnded(this);
  }

  #enter(state: State): void {
    this.#state = state;
    if (state !== "envelope" && this.#behind.following === undefined) this.#behind.carries(false);
  }
}
