// Mail transactions on one open session, one after the other, as a state machine driven by the peer's replies.
// The hot path of the relay: MAIL, RCPT and DATA in one write, the content with its end in another.
import type { Clock } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import { isPositive, reply, type Reply } from "../../core/reply.ts";
import type { Content } from "../../message/content.ts";
import { ContentEncoder } from "./content-encoder.ts";
import type { DeliveryOutcome, DestinationSettings, OutboundMessage } from "./destination.ts";
import { envelopeCommands, type EnvelopeCommands } from "./envelope-commands.ts";
import { NO_EXTENSIONS, type PeerExtensions } from "./extensions.ts";
import { isParameterError, judgeRcpt, plain } from "./judgement.ts";
import { hasSinks, OutboundEvents, type OutboundProtocol } from "./outbound-events.ts";
import { outboundSession } from "./outbound-session.ts";
import type { PeerReply } from "./reply-reader.ts";
import type { OpenSession } from "./session-opening.ts";
import { watchedQuit, WatchedTransaction } from "./watched-transaction.ts";
import type { Wire, WireListener } from "./wire.ts";

/** A message on its way and who waits for the outcome. */
export interface Job {
  readonly message: OutboundMessage;
  readonly resolve: (outcome: DeliveryOutcome) => void;
}

export interface ConnectionOwner {
  /** Free for the next message. */
  onReady(connection: Connection): void;
  /** The peer had closed a kept connection before it saw the message: not a failure, it goes over another one. */
  onUnsent(job: Job): void;
  /** Takes no more messages. */
  onEnded(connection: Connection): void;
}

/**
 * idle → envelope → content → end-of-data → idle; reset after any refusal; ended from everywhere.
 * `watched`: sinks take part, and the transaction has a state machine of its own (watched-transaction.ts).
 * `discard`: the end of an empty message that a peer asked for after refusing all recipients.
 */
type State = "idle" | "envelope" | "content" | "end-of-data" | "discard" | "reset" | "watched" | "ended";

/** Content up to this size is written at once, larger content at the pace of the peer. */
const WRITE_AT_ONCE_BYTES = 256 * 1024;
const STREAM_SLICE_BYTES = 64 * 1024;

export class Connection implements WireListener {
  readonly wire: Wire;
  idleSince: number;
  #extensions: PeerExtensions;
  #settings: DestinationSettings;
  #logger: Logger;
  #clock: Clock;
  #owner: ConnectionOwner;
  readonly #protocol: OutboundProtocol | undefined;
  #events: OutboundEvents | undefined;
  #state: State = "idle";
  #started = 0;

  // Of the transaction in hand.
  #job: Job | undefined;
  #offered: PeerExtensions = NO_EXTENSIONS;
  #commands: EnvelopeCommands | undefined;
  /** Which reply comes next: 0 MAIL, 1 to n RCPT, n + 1 DATA. */
  #step = 0;
  #mailRefusal: Reply | undefined;
  #rcptReplies: Reply[] = [];
  #accepted = 0;
  #contentAfterChunk = 0;
  /** The job to repeat without parameters after RSET. */
  #again: Job | undefined;

  constructor(
    session: OpenSession,
    settings: DestinationSettings,
    logger: Logger,
    clock: Clock,
    owner: ConnectionOwner,
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
    const events = this.#watchers();
    if (events === undefined) this.#begin(job, this.#extensions);
    else void this.#sendWatched(job, events);
  }

  /** Ends an idle connection. */
  quit(): void {
    this.#end();
    const events = this.#watchers();
    if (events === undefined) this.wire.quit(this.#settings.deadlines.quitMs);
    else void watchedQuit(this.wire, events, this.#settings.deadlines.quitMs);
  }

  /** Undefined when no sink of an outbound event is bound. */
  #watchers(): OutboundEvents | undefined {
    const protocol = this.#protocol;
    if (protocol === undefined || !hasSinks(protocol.chains())) return undefined;
    return (this.#events ??= new OutboundEvents(protocol, this.wire, outboundSession(this.wire)));
  }

  async #sendWatched(job: Job, events: OutboundEvents): Promise<void> {
    this.#state = "watched";
    const { deadlines } = this.#settings;
    const transaction = new WatchedTransaction(this.wire, events, job.message, this.#extensions, deadlines);
    const { outcome, next, answered } = await transaction.run();
    if (next === "lost") {
      this.#end();
      // A kept connection that the peer had given up: the message goes over another one.
      if (!answered && this.#started > 1) this.#owner.onUnsent(job);
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
    const kept = this.#started > 1 && state === "envelope" && this.#step === 0;
    if (kept) return this.#owner.onUnsent(job);
    const mayDuplicate = state === "end-of-data";
    if (mayDuplicate)
      this.#logger.warn(
        { message: job.message.id, remote: this.wire.remote, reason },
        "no reply to end of data",
      );
    this.#unreachable(job, reply(451, "4.2", reason), mayDuplicate);
  }

  #begin(job: Job, offered: PeerExtensions): void {
    const commands = envelopeCommands(job.message, offered);
    this.#job = job;
    this.#offered = offered;
    this.#mailRefusal = undefined;
    this.#rcptReplies = [];
    this.#accepted = 0;
    this.#step = 0;
    if ("code" in commands) {
      this.#report(job.message.recipients.map(() => commands));
      return this.#ready();
    }
    this.#commands = commands;
    if (commands.rcpts.length === 0) {
      this.#report(this.#repliesWith(undefined));
      return this.#ready();
    }
    if (job.message.envelope.body === "8BITMIME" && !offered.eightBitMime) {
      this.#logger.debug(
        { message: job.message.id, remote: this.wire.remote },
        "8-bit content sent without 8BITMIME",
      );
    }
    this.#state = "envelope";
    this.wire.startStage("MAIL", this.#settings.deadlines.commandMs);
    // RFC 2920 §3.1: all three in one group. The replies are judged when they come.
    if (this.#pipelines) this.wire.write(`${commands.mail}${commands.rcpts.join("")}DATA\r\n`);
    else this.wire.write(commands.mail);
  }

  get #pipelines(): boolean {
    return this.#offered.pipelining && this.#settings.pipelining;
  }

  #onEnvelopeReply(answer: PeerReply): void {
    if (answer.code === 421) return this.#onClosing(answer);
    const rcpts = this.#commands?.rcpts.length ?? 0;
    const step = this.#step;
    if (step > rcpts) return this.#onDataReply(answer);
    // FAULTS N04: a 354 in the place of another reply means that one is missing.
    if (answer.code >= 300 && answer.code < 400)
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    this.#step = step + 1;
    if (step === 0) {
      if (!isPositive(answer)) this.#mailRefusal = plain(answer);
    } else {
      this.#rcptReplies.push(judgeRcpt(answer));
      if (isPositive(answer)) this.#accepted += 1;
    }
    this.#next(rcpts);
  }

  /** Sends what follows, unless it is on the wire already. */
  #next(rcpts: number): void {
    const { commandMs, dataInitiationMs } = this.#settings.deadlines;
    const step = this.#step;
    if (step <= rcpts) this.wire.startStage("RCPT", commandMs);
    else this.wire.startStage("DATA", dataInitiationMs);
    if (this.#pipelines) return undefined;
    if (this.#mailRefusal !== undefined) return this.#refused(undefined);
    if (step <= rcpts) this.wire.write(this.#commands?.rcpts[step - 1] ?? "");
    else if (this.#accepted > 0) this.wire.write("DATA\r\n");
    else return this.#refused(undefined);
    return undefined;
  }

  #onDataReply(answer: PeerReply): void {
    if (isPositive(answer) && answer.code !== 354)
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    if (answer.code !== 354) return this.#refused(answer);
    if (this.#mailRefusal === undefined && this.#accepted > 0) return this.#sendContent();
    const nobody = this.#accepted === 0;
    this.#report(this.#repliesWith(undefined));
    // It refused the sender and would take an empty message all the same: without the dot it gets none.
    if (!nobody) return this.wire.fail("DATA accepted after a refused MAIL");
    // RFC 2920 §3.1: recipients refused, DATA accepted: a lone dot ends it.
    this.#state = "discard";
    this.wire.startStage("empty message", this.#settings.deadlines.endOfDataMs);
    this.wire.write(".\r\n");
    return undefined;
  }

  #sendContent(): void {
    const content = this.#job?.message.content;
    if (content === undefined) return;
    const encoder = new ContentEncoder(this.#job?.message.crlfOnly);
    this.#contentAfterChunk = this.wire.chunks;
    if (content.size > WRITE_AT_ONCE_BYTES || !content.inMemory) {
      this.#state = "content";
      void this.#stream(content, encoder);
      return;
    }
    this.#state = "end-of-data";
    this.wire.startStage("end of data", this.#settings.deadlines.endOfDataMs);
    const encoded: Buffer[] = [];
    for (const piece of content.pieces) if (Buffer.isBuffer(piece)) encoded.push(encoder.encode(piece));
    this.wire.writeAll(encoded, encoder.end());
  }

  async #stream(content: Content, encoder: ContentEncoder): Promise<void> {
    const { dataBlockMs, endOfDataMs } = this.#settings.deadlines;
    try {
      for await (const chunk of content.chunks()) {
        for (let at = 0; at < chunk.length; at += STREAM_SLICE_BYTES) {
          if (this.#state !== "content") return;
          this.wire.startStage("data block", dataBlockMs);
          const room = this.wire.write(encoder.encode(chunk.subarray(at, at + STREAM_SLICE_BYTES)));
          if (!room) await this.wire.drained();
        }
      }
    } catch (error) {
      // Without the dot the peer has nothing: a message cut short is never taken for a whole one.
      this.wire.fail(`the content cannot be read: ${describeError(error)}`);
      return;
    }
    if (this.#state !== "content") return;
    this.#state = "end-of-data";
    this.wire.startStage("end of data", endOfDataMs);
    this.wire.write(encoder.end());
  }

  #onFinalReply(answer: PeerReply): void {
    const early = this.#state === "content" || this.wire.chunks === this.#contentAfterChunk;
    if (answer.code < 400 && (early || answer.code >= 300)) {
      // A surplus reply, which would have confirmed a message that the peer has not read yet.
      return this.wire.fail(`out of step: ${answer.code} ${answer.text}`);
    }
    this.#report(this.#repliesWith(plain(answer)));
    // Refused before it was read: what is still on the way would be taken for commands.
    if (early) return this.wire.fail("the peer refused the content before its end");
    if (answer.code === 421) return this.wire.fail("the peer closes the channel");
    return isPositive(answer) ? this.#ready() : this.#reset();
  }

  /** The transaction ends before the content: MAIL, all recipients, or DATA were refused. */
  #refused(data: PeerReply | undefined): void {
    const job = this.#job;
    const refusal = this.#mailRefusal;
    // FAULTS N05: the peer offered what it does not know. Once more, with bare commands.
    if (
      job !== undefined &&
      this.#commands?.parameters === true &&
      refusal !== undefined &&
      isParameterError(refusal)
    ) {
      this.#logger.debug({ remote: this.wire.remote, reply: refusal }, "parameters refused, trying without");
      this.#again = job;
      this.#job = undefined;
      return this.#reset();
    }
    this.#report(this.#repliesWith(data === undefined ? undefined : plain(data)));
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
    return this.#begin(again, { ...NO_EXTENSIONS, pipelining: this.#extensions.pipelining });
  }

  #onClosing(answer: PeerReply): void {
    const job = this.#job;
    // The first reply on a kept connection: the peer gave it up in between, as if it had closed silently.
    const unseen = this.#started > 1 && this.#step === 0;
    if (job !== undefined && !unseen) {
      this.#job = undefined;
      this.#unreachable(job, plain(answer), false);
    }
    this.wire.fail(`${answer.code} ${answer.text}`);
  }

  /** Per recipient: its own refusal, or that of MAIL, or the reply to DATA or the end of data. */
  #repliesWith(data: Reply | undefined): Reply[] {
    const commands = this.#commands;
    const replies: Reply[] = [];
    let asked = 0;
    const count = this.#job?.message.recipients.length ?? 0;
    for (let place = 0; place < count; place += 1) {
      const local = commands?.refused.get(place);
      if (local !== undefined) {
        replies.push(local);
        continue;
      }
      const rcpt = this.#rcptReplies[asked];
      asked += 1;
      const own = rcpt !== undefined && !isPositive(rcpt) ? rcpt : data;
      replies.push(
        this.#mailRefusal ?? own ?? reply(451, "5.0", "No reply of the next host for this recipient"),
      );
    }
    return replies;
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
