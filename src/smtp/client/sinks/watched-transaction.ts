// One mail transaction in whose dialogue sinks take part (step 9 of ARCHITECTURE.md): command by command, but for those to which sinks only append.
// The states are those of the original (PE_STATES): message start, per recipient, before data, session end.
import { isPositive, ownReply, type Reply } from "../../../core/reply.ts";
import type { OutboundState, ProtocolMessage } from "../../../events/contexts/protocol-contexts.ts";
import { describeError } from "../../../core/errors.ts";
import { type ContentForm, formOf, streamContent } from "../content-writer.ts";
import type { DestinationSettings, OutboundMessage } from "../destination.ts";
import { type EnvelopeCommands, envelopeCommands } from "../envelope-commands.ts";
import { NO_EXTENSIONS, type PeerExtensions } from "../extensions.ts";
import { isParameterError, isUnknownCommand, judgeRcpt, plain } from "./judgement.ts";
import { NO_COMMANDS, chunkStep, dataStep, mailStep, rcptSteps } from "./envelope-steps.ts";
import {
  ENDED_BY_SINK,
  type NativeCommand,
  type OutboundEvents,
  SINK_FAILED,
  type Step,
} from "./outbound-events.ts";
import { type Lie, type TransactionEnd, unreachable } from "../outbound-job.ts";
import { messageView } from "./outbound-session.ts";
import { type PlannedCommand, askTogether } from "./planned-commands.ts";
import { prepare, usesChunks } from "../preparation.ts";
import type { PeerReply } from "../reply-reader.ts";
import type { Wire } from "../wire.ts";
import { xforwardCommands } from "../xforward.ts";

/** A sink that sends the dialogue back to its start for ever must not keep the message for ever. */
const MAX_RESTARTS = 3;
const MAX_STATES = 40;

export class WatchedTransaction {
  readonly #wire: Wire;
  readonly #events: OutboundEvents;
  readonly #given: OutboundMessage;
  /** As this peer takes it, once that is known. */
  #message: OutboundMessage;
  #offered: PeerExtensions;
  #commands: EnvelopeCommands = NO_COMMANDS;
  readonly #settings: DestinationSettings;
  readonly #view: ProtocolMessage;
  #isChunk = false;
  #lie: Lie | undefined;
  /** MAIL and RCPT whose sinks were called already, those that come next first. */
  #planned: PlannedCommand[] = [];
  #replies: (Reply | undefined)[] = [];
  #final: Reply | undefined;
  #isOpen = false;
  #restarts = 0;
  #answered = false;
  /** The dot is out, and no reply has come. */
  #isDotPending = false;
  /** LMTP: recipients have replies of their own. */
  #hasFinals = false;
  /** All bytes of the content are out. */
  #isWhole = false;

  constructor(
    wire: Wire,
    events: OutboundEvents,
    message: OutboundMessage,
    offered: PeerExtensions,
    settings: DestinationSettings,
  ) {
    this.#wire = wire;
    this.#events = events;
    this.#given = message;
    this.#message = message;
    this.#offered = offered;
    this.#settings = settings;
    this.#view = messageView(message);
  }

  async run(): Promise<TransactionEnd> {
    const refusal = await this.#prepare(this.#offered);
    if (refusal !== undefined) {
      this.#final = refusal;
      return this.#end("ready");
    }
    await this.#introduce();
    let state: OutboundState = this.#events.isEnded ? "session-end" : "message-start";
    let left = MAX_STATES + this.#given.recipients.length;
    while (state !== "default" && state !== "session-end" && this.#wire.lost === undefined)
      state = left-- > 0 ? await this.#enter(state) : "session-end";
    if (this.#wire.lost !== undefined) return this.#lost(this.#wire.lost);
    if (this.#isOpen) await this.#reset();
    return this.#end(state === "session-end" || this.#events.isEnded ? "quit" : "ready");
  }

  /** The reply for all recipients when the peer need not be asked. `accepts`: the kinds of content that it takes. */
  async #prepare(accepts: PeerExtensions): Promise<Reply | undefined> {
    // One reply to a chunk is what sinks are shown: LMTP would give one for each recipient.
    const wanted: DestinationSettings =
      this.#settings.dialect === "lmtp" ? { ...this.#settings, chunking: "never" } : this.#settings;
    try {
      const prepared = await prepare(this.#given, accepts, wanted);
      if ("code" in prepared) return prepared;
      this.#message = prepared;
    } catch (error) {
      return ownReply(451, "3.0", `the content cannot be read: ${describeError(error)}`);
    }
    this.#isChunk = usesChunks(this.#message, this.#offered, wanted);
    const commands = envelopeCommands(this.#message, this.#offered);
    if ("code" in commands) return commands;
    this.#commands = commands;
    return undefined;
  }

  /** XFORWARD: what the peer makes of it is its own affair. */
  async #introduce(): Promise<void> {
    if (!this.#settings.xforward || this.#offered.xforward.length === 0) return;
    const { id, origin } = this.#message;
    for (const line of xforwardCommands(id, origin, this.#offered.xforward)) {
      // oxlint-disable-next-line no-await-in-loop -- each is answered before the next
      this.#checkClosing(plain(await this.#ask("XFORWARD", line.trimEnd())));
    }
  }

  async #enter(state: OutboundState): Promise<OutboundState> {
    switch (state) {
      case "session-start":
      case "message-start":
        return this.#messageStart();
      case "per-recipient":
        return this.#perRecipient();
      case "before-data":
        return this.#beforeData();
      case "default":
      case "session-end":
        return state;
    }
  }

  async #messageStart(): Promise<OutboundState> {
    const commands = this.#commands;
    if (this.#restarts++ > MAX_RESTARTS) return "session-end";
    if (this.#isOpen) await this.#reset();
    if (this.#events.isEnded) return "session-end";
    this.#replies = this.#message.recipients.map((_, place) => commands.refused.get(place));
    const { commandMs } = this.#settings.deadlines;
    const mail = mailStep(commands, this.#message, commandMs);
    const natives = [mail, ...rcptSteps(commands, this.#message, commandMs)];
    this.#planned = this.#offered.pipelining ? await this.#events.plan(natives, this.#view) : [];
    const isWhole = this.#planned.length === natives.length && this.#planned.at(-1)?.paused === undefined;
    if (isWhole) return this.#together(natives);
    return this.#afterMail(await this.#events.perform(mail, this.#view, this.#planned.shift()));
  }

  /** No sink has anything to say before the replies are there. Nobody watches DATA: then it need not wait for them either. */
  async #together(envelope: readonly NativeCommand[]): Promise<OutboundState> {
    const lines = this.#planned.splice(0).map(({ draft }) => draft.nativeCommand);
    const data = dataStep(this.#settings.deadlines);
    const takesData = envelope.length > 1 && !this.#isChunk && !this.#events.watches(data);
    const natives = takesData ? [...envelope, data] : envelope;
    if (takesData) lines.push(data.line);
    const [mail, ...answers] = await askTogether(this.#wire, natives, lines, (answer, { verb }) => {
      this.#checkStep({ reply: answer, state: "default" }, verb === "DATA" ? 354 : 250);
      this.#answered ||= this.#wire.lost === undefined;
    });
    let next = await this.#afterMail({ reply: mail, state: "default" });
    const last = takesData ? answers[this.#commands.rcpts.length] : undefined;
    if (mail !== undefined && isPositive(mail) && this.#wire.lost === undefined) {
      this.#judgeRecipients(answers);
      next = await this.#afterRecipients();
      if (last !== undefined && next === "before-data")
        return this.#afterData({ reply: last, state: "default" });
    }
    if (last?.code === 354) {
      // The peer refused the envelope and would take an empty message all the same: without the dot it gets none.
      if (next === "message-start") this.#lie = { noPipelining: true };
      this.#wire.fail("DATA accepted after a refused envelope");
    }
    return next;
  }

  #judgeRecipients(answers: readonly (PeerReply | undefined)[]): void {
    for (const [index, place] of this.#commands.places.entries()) {
      const answer = answers[index];
      if (answer !== undefined) this.#replies[place] = judgeRcpt(answer);
    }
  }

  #afterMail(step: Step): OutboundState | Promise<OutboundState> {
    this.#isOpen = true;
    // The peer may have given the connection up before it saw the message.
    this.#checkStep(step);
    this.#answered ||= this.#wire.lost === undefined;
    const isDisliked = step.state === "default" && this.#commands.parameters && isParameterError(step.reply);
    return isDisliked ? this.#strip() : this.#after(step, "per-recipient");
  }

  #afterRecipients(): OutboundState | Promise<OutboundState> {
    const isRefused = this.#commands.rcptParameters && this.#acceptedPlaces().length === 0;
    return isRefused && this.#replies.some(isParameterError) ? this.#strip() : "before-data";
  }

  /** FAULTS N05: the peer offered what it does not know. Once more, with bare commands. */
  async #strip(): Promise<OutboundState> {
    const { pipelining, eightBitMime } = this.#offered;
    this.#offered = { ...NO_EXTENSIONS, pipelining };
    // It did offer 8BITMIME, whatever it thinks of the parameter: what was 8-bit stays so.
    const refusal = await this.#prepare({ ...NO_EXTENSIONS, eightBitMime });
    return refusal === undefined ? "message-start" : this.#refused(refusal, "default");
  }

  async #perRecipient(): Promise<OutboundState> {
    const planned = this.#planned.splice(0);
    for (const native of rcptSteps(this.#commands, this.#message, this.#settings.deadlines.commandMs)) {
      const place = native.recipientIndex;
      const prepared = planned.shift();
      if (this.#replies[place] !== undefined) continue;
      const step = await this.#events.perform(native, this.#view, prepared);
      this.#checkStep(step);
      if (this.#wire.lost !== undefined) return "session-end";
      if (step.reply !== undefined) this.#replies[place] = judgeRcpt(step.reply);
      // A sink that let a recipient out keeps it for a later attempt.
      else if (step.failed !== true)
        this.#replies[place] = ownReply(451, "5.0", "A sink held the recipient back");
      if (step.failed === true || step.state !== "default") return this.#after(step, "before-data");
    }
    return this.#afterRecipients();
  }

  async #beforeData(): Promise<OutboundState> {
    const { deadlines } = this.#settings;
    if (!this.#hasTakers()) return "default";
    if (!this.#isChunk) return this.#afterData(await this.#events.perform(dataStep(deadlines), this.#view));
    const follow = (): void => void this.#write(formOf(this.#message, true));
    return this.#afterChunk(
      await this.#events.perform(chunkStep(this.#message, deadlines, follow), this.#view),
    );
  }

  async #afterData(step: Step): Promise<OutboundState> {
    if (step.reply?.code !== 354) {
      this.#checkStep(step, 354);
      return this.#after(step, "default");
    }
    if (this.#hasTakers()) return this.#afterContent(await this.#sendContent());
    // RFC 2920 §3.1: recipients refused, DATA accepted: a lone dot ends it.
    await this.#wire.ask(".", "empty message", this.#settings.deadlines.endOfDataMs);
    return "default";
  }

  /** FAULTS N04: the reply of another command means that one is missing. */
  #checkStep({ reply: answer, isReplaced }: Step, wanted = 250): void {
    if (answer === undefined || answer.code === wanted || this.#wire.lost !== undefined) return;
    const { code, text } = answer;
    const isOfAnother = isReplaced !== true && code < 400 && (code >= 300 || wanted >= 300);
    if (isOfAnother) this.#wire.fail(`out of step: ${code} ${text}`);
    else this.#checkClosing(plain(answer));
  }

  async #afterContent(finals: readonly PeerReply[]): Promise<OutboundState> {
    if (finals.length === 0) return "session-end";
    let state: OutboundState = "default";
    const places = this.#acceptedPlaces();
    const replies: Reply[] = [];
    for (const final of finals) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other, as they came
      const judged = await this.#events.judge(final, { line: ".", verb: "_EOD", argument: "" }, this.#view);
      replies.push(plain(judged.reply));
      if (judged.state === "session-end") state = judged.state;
    }
    if (this.#isOutOfStep(replies)) return "session-end";
    this.#isOpen = !replies.every((answer) => isPositive(answer));
    this.#final = replies.find((answer) => isPositive(answer)) ?? replies[0];
    if (this.#settings.dialect === "lmtp") this.#keepFinals(places, replies);
    this.#isDotPending = false;
    if (this.#isOpen) this.#checkClosing(replies.at(-1));
    return state;
  }

  /** FAULTS N04: a reply that promises nothing would pass for a success. */
  #isOutOfStep(finals: readonly Reply[]): boolean {
    const odd = finals.find(({ code }) => code >= 300 && code < 400);
    if (odd !== undefined) this.#wire.fail(`out of step: ${odd.code} ${odd.text}`);
    return odd !== undefined;
  }

  /** RFC 5321 §3.8: 421 closes the channel. */
  #checkClosing(answer: Reply | undefined): void {
    if (answer?.code === 421) this.#wire.fail(`${answer.code} ${answer.text}`);
  }

  /** RFC 2033 §4.2: a reply for each accepted recipient, in order; the connection may have broken in between. */
  #keepFinals(places: readonly number[], finals: readonly Reply[]): void {
    this.#hasFinals = true;
    for (const [order, place] of places.entries())
      this.#replies[place] = finals[order] ?? ownReply(451, "4.2", this.#wire.lost ?? "no reply");
  }

  /** If there are none, all have their answers, whatever becomes of the connection. */
  #hasTakers(): boolean {
    if (this.#acceptedPlaces().length > 0) return true;
    this.#final ??= this.#replies.find((answer) => answer !== undefined);
    return false;
  }

  #acceptedPlaces(): number[] {
    return [...this.#replies.entries()].flatMap(([place, answer]) =>
      answer === undefined || isPositive(answer) ? [place] : [],
    );
  }

  /** The content is out behind its command: the reply is the final one. */
  #afterChunk(step: Step): OutboundState {
    const { reply: answer } = step;
    if (answer === undefined) return this.#after(step, "default");
    if (isUnknownCommand(answer)) {
      this.#lie = { noChunks: true };
      this.#wire.fail("BDAT was offered and is not known");
      return "session-end";
    }
    if (this.#wire.lost !== undefined || this.#isOutOfStep([plain(answer)])) return "session-end";
    this.#final = plain(answer);
    this.#isDotPending = false;
    this.#isOpen = !isPositive(answer);
    this.#checkClosing(this.#final);
    // Refused before it was read: what is still on the way would be taken for commands.
    if (!this.#isWhole) this.#wire.fail(`${answer.code} ${answer.text} before the end of the content`);
    return step.state === "session-end" ? "session-end" : "default";
  }

  /** The replies to the end of data; none when the connection broke. */
  async #sendContent(): Promise<readonly PeerReply[]> {
    const isLmtp = this.#settings.dialect === "lmtp";
    const pending = this.#wire.collect(isLmtp ? this.#acceptedPlaces().length : 1, ({ code, text }) => {
      // Before the dot it can only refuse; what is still on the way would be taken for commands.
      if (!this.#isWhole) this.#wire.fail(`${code} ${text} before the end of the content`);
    });
    await this.#write(formOf(this.#message, false));
    const finals = await pending;
    if (this.#isWhole) return finals;
    // A refusal in the middle of the content counts; a lost connection says nothing of the message.
    const [early] = finals;
    if (early !== undefined && early.code >= 400 && early.code !== 421) this.#final = plain(early);
    return [];
  }

  async #write(form: ContentForm): Promise<void> {
    const { dataBlockMs, endOfDataMs } = this.#settings.deadlines;
    const isWanted = (): boolean => this.#wire.lost === undefined;
    this.#isWhole = false;
    if (!(await streamContent(this.#wire, this.#message.content, form, dataBlockMs, isWanted))) return;
    this.#isWhole = true;
    this.#isDotPending = true;
    this.#wire.startStage("end of data", endOfDataMs);
    this.#wire.write(form.end());
  }

  /** Where to go after a step, as its reply and the sinks say. Only the end of data makes a success of the message. */
  #after(step: Step, next: OutboundState): OutboundState {
    if (this.#wire.lost !== undefined) return "session-end";
    if (step.failed === true) return this.#refused(SINK_FAILED, "default");
    const refusal = step.reply === undefined || isPositive(step.reply) ? undefined : plain(step.reply);
    if (step.state !== "default") return this.#refused(refusal, step.state);
    return refusal === undefined ? next : this.#refused(refusal, "default");
  }

  #refused(why: Reply | undefined, state: OutboundState): OutboundState {
    if (why !== undefined && (state === "default" || state === "session-end")) this.#final = why;
    return state;
  }

  async #reset(): Promise<void> {
    const answer = await this.#ask("RSET");
    if (answer.code !== 250) this.#wire.fail(`RSET answered with ${answer.code} ${answer.text}`);
    this.#isOpen = false;
  }

  /** A command that belongs to no event; its reply is seen all the same. */
  async #ask(verb: "RSET" | "XFORWARD", line: string = verb): Promise<PeerReply> {
    const argument = line.slice(verb.length + 1);
    const step = { verb, argument, stage: verb, limitMs: this.#settings.deadlines.commandMs };
    return (await this.#events.send(line, step, this.#view)).reply;
  }

  #end(next: TransactionEnd["next"]): TransactionEnd {
    const final = this.#final ?? ENDED_BY_SINK;
    const replies = this.#message.recipients.map((_, place) => {
      const own = this.#replies[place];
      return own !== undefined && !isPositive(own) ? own : final;
    });
    const report = { replies, remote: this.#wire.remote, dsn: this.#offered.dsn };
    return {
      outcome: { kind: "report", report },
      next: this.#wire.lost === undefined ? next : "lost",
      answered: true,
    };
  }

  #lost(reason: string): TransactionEnd {
    const final = this.#final;
    // A peer that took the whole message and hung up while sinks looked at its reply has it.
    if (this.#hasFinals || (final !== undefined && (final.code >= 400 || this.#isWhole)))
      return this.#end("lost");
    const outcome = unreachable(ownReply(451, "4.2", reason), true, this.#wire.remote, this.#isDotPending);
    return { outcome, next: "lost", answered: this.#answered, lie: this.#lie };
  }
}
