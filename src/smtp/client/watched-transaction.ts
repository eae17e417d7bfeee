// One mail transaction command by command, for next hops whose dialogue sinks watch or change (DESIGN 4, step 9).
// The states are those of the original (PE_STATES): message start, per recipient, before data, session end.
import { isPositive, reply, type Reply } from "../../core/reply.ts";
import type { OutboundState, ProtocolMessage } from "../../events/protocol-contexts.ts";
import type { PropertyValue } from "../../message/mail-msg.ts";
import { describeError } from "../../core/errors.ts";
import { ContentEncoder } from "./content-encoder.ts";
import type { DeliveryOutcome, OutboundMessage, StageDeadlines } from "./destination.ts";
import { type EnvelopeCommands, envelopeCommands } from "./envelope-commands.ts";
import type { PeerExtensions } from "./extensions.ts";
import { judgeRcpt, plain } from "./judgement.ts";
import type { OutboundEvents, Step } from "./outbound-events.ts";
import { NO_MESSAGE } from "./outbound-session.ts";
import type { PeerReply } from "./reply-reader.ts";
import type { Wire } from "./wire.ts";

/** How the transaction ended, and what the connection is good for afterwards. */
export interface TransactionEnd {
  readonly outcome: DeliveryOutcome;
  readonly next: "ready" | "quit" | "lost";
  /** The peer answered something: the connection was alive when the transaction began. */
  readonly answered: boolean;
}

const STREAM_SLICE_BYTES = 64 * 1024;
/** A sink that sends the dialogue back to its start for ever must not keep the message for ever. */
const MAX_RESTARTS = 3;

const SINK_FAILED = reply(451, "3.0", "A sink of the outbound events failed");
const ENDED_BY_SINK = reply(451, "5.0", "A sink ended the session");

export class WatchedTransaction {
  readonly #wire: Wire;
  readonly #events: OutboundEvents;
  readonly #message: OutboundMessage;
  readonly #offered: PeerExtensions;
  readonly #deadlines: StageDeadlines;
  readonly #view: ProtocolMessage;
  readonly #commands: EnvelopeCommands | Reply;
  #replies: (Reply | undefined)[] = [];
  #final: Reply | undefined;
  #isOpen = false;
  #restarts = 0;
  #answered = false;
  /** The dot is out, and no reply has come. */
  #isDotPending = false;

  constructor(
    wire: Wire,
    events: OutboundEvents,
    message: OutboundMessage,
    offered: PeerExtensions,
    deadlines: StageDeadlines,
  ) {
    this.#wire = wire;
    this.#events = events;
    this.#message = message;
    this.#offered = offered;
    this.#deadlines = deadlines;
    this.#view = viewOf(message);
    this.#commands = envelopeCommands(message, offered);
  }

  async run(): Promise<TransactionEnd> {
    if ("code" in this.#commands) {
      this.#final = this.#commands;
      return this.#end("ready");
    }
    let state: OutboundState = "message-start";
    while (state !== "default" && state !== "session-end" && this.#wire.lost === undefined)
      state = await this.#enter(state, this.#commands);
    if (this.#wire.lost !== undefined) return this.#lost(this.#wire.lost);
    if (this.#isOpen) await this.#reset();
    return this.#end(state === "session-end" ? "quit" : "ready");
  }

  async #enter(state: OutboundState, commands: EnvelopeCommands): Promise<OutboundState> {
    switch (state) {
      case "session-start":
      case "message-start":
        return this.#messageStart(commands);
      case "per-recipient":
        return this.#perRecipient(commands);
      case "before-data":
        return this.#beforeData();
      case "default":
      case "session-end":
        return state;
    }
  }

  async #messageStart(commands: EnvelopeCommands): Promise<OutboundState> {
    if (this.#restarts++ > MAX_RESTARTS) return "session-end";
    if (this.#isOpen) await this.#reset();
    this.#replies = this.#message.recipients.map((_, place) => commands.refused.get(place));
    const step = await this.#events.perform(
      {
        event: "OnMessageStart",
        verb: "MAIL",
        line: commands.mail.trimEnd(),
        argument: this.#message.sender,
        stage: "MAIL",
        limitMs: this.#deadlines.commandMs,
      },
      this.#view,
    );
    this.#isOpen = true;
    // The peer gave the connection up, perhaps before it saw the message.
    if (step.reply?.code === 421) this.#wire.fail(`${step.reply.code} ${step.reply.text}`);
    this.#answered ||= this.#wire.lost === undefined;
    return this.#after(step, "per-recipient");
  }

  async #perRecipient(commands: EnvelopeCommands): Promise<OutboundState> {
    for (const [index, line] of commands.rcpts.entries()) {
      const place = commands.places[index] ?? 0;
      if (this.#replies[place] !== undefined) continue;
      const step = await this.#events.perform(
        {
          event: "OnPerRecipient",
          verb: "RCPT",
          line: line.trimEnd(),
          argument: this.#message.recipients[place]?.address ?? "",
          recipientIndex: place,
          stage: "RCPT",
          limitMs: this.#deadlines.commandMs,
        },
        this.#view,
      );
      if (step.reply !== undefined) this.#replies[place] = judgeRcpt(step.reply);
      // A sink that let a recipient out keeps it for a later attempt.
      else if (step.failed !== true)
        this.#replies[place] = reply(451, "5.0", "A sink held the recipient back");
      if (step.failed === true || step.state !== "default") return this.#after(step, "before-data");
    }
    return "before-data";
  }

  async #beforeData(): Promise<OutboundState> {
    if (!this.#replies.some((answer) => answer === undefined || isPositive(answer))) return "default";
    const step = await this.#events.perform(
      {
        event: "OnBeforeData",
        verb: "DATA",
        line: "DATA",
        argument: "",
        stage: "DATA",
        limitMs: this.#deadlines.dataInitiationMs,
      },
      this.#view,
    );
    if (step.reply?.code !== 354) return this.#after(step, "default");
    const final = await this.#sendContent();
    if (final === undefined || this.#wire.lost !== undefined) return "session-end";
    this.#isDotPending = false;
    const judged = await this.#events.judge(final, { line: ".", verb: "_EOD", argument: "" }, this.#view);
    this.#isOpen = !isPositive(judged.reply);
    this.#final = plain(judged.reply);
    return judged.state === "session-end" ? "session-end" : "default";
  }

  /** The reply to the end of data; undefined when the connection broke. */
  async #sendContent(): Promise<PeerReply | undefined> {
    const { content, crlfOnly } = this.#message;
    const encoder = new ContentEncoder(crlfOnly);
    let isWhole = false;
    const answer = this.#wire.ask(undefined).then((given) => {
      // Before the dot it can only refuse; what is still on the way would be taken for commands.
      if (!isWhole) this.#wire.fail(`${given.code} ${given.text} before the end of the content`);
      return given;
    });
    try {
      for await (const chunk of content.chunks()) {
        for (let at = 0; at < chunk.length && this.#wire.lost === undefined; at += STREAM_SLICE_BYTES) {
          this.#wire.startStage("data block", this.#deadlines.dataBlockMs);
          const encoded = encoder.encode(chunk.subarray(at, at + STREAM_SLICE_BYTES));
          if (!this.#wire.write(encoded)) await this.#wire.drained();
        }
      }
    } catch (error) {
      // Without the dot the peer has nothing: a message cut short is never taken for a whole one.
      this.#wire.fail(`the content cannot be read: ${describeError(error)}`);
    }
    if (this.#wire.lost !== undefined) return this.#early(await answer);
    isWhole = true;
    this.#isDotPending = true;
    this.#wire.startStage("end of data", this.#deadlines.endOfDataMs);
    this.#wire.write(encoder.end());
    return answer;
  }

  /** A refusal in the middle of the content counts; a lost connection says nothing of the message. */
  #early(answer: PeerReply): undefined {
    if (answer.code >= 400 && answer.code !== 421) this.#final = plain(answer);
    return undefined;
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
    const answer = await this.#wire.ask("RSET", "RSET", this.#deadlines.commandMs);
    if (answer.code !== 250) this.#wire.fail(`RSET answered with ${answer.code} ${answer.text}`);
    this.#isOpen = false;
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
    if (this.#final !== undefined && this.#final.code >= 400) return this.#end("lost");
    const { remote } = this.#wire;
    const mayDuplicate = this.#isDotPending;
    const outcome: DeliveryOutcome = {
      kind: "unreachable",
      reason,
      transient: true,
      reply: reply(451, "4.2", reason),
      remote,
      mayDuplicate,
    };
    return { outcome, next: "lost", answered: this.#answered };
  }
}

/** OnSessionEnd: QUIT, or what a sink says instead of it. */
export async function watchedQuit(wire: Wire, events: OutboundEvents, quitMs: number): Promise<void> {
  const quit = { event: "OnSessionEnd", verb: "QUIT", line: "QUIT", argument: "", stage: "QUIT" } as const;
  await events.perform({ ...quit, limitMs: quitMs }, NO_MESSAGE);
  wire.end(quitMs);
}

function viewOf(message: OutboundMessage): ProtocolMessage {
  const properties = new Map<string, PropertyValue>(Object.entries(message.envelope.properties ?? {}));
  return { sender: message.sender, recipients: message.recipients, properties };
}
