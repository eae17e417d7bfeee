// Commands to a next hop past the sinks of their events, and replies past those of OnServerResponse (REFERENCE 3.3, 3.4).
// Used only where sinks are bound: everybody else's mail takes the pipelined way of connection.ts.
import { ownReply } from "../../../core/reply.ts";
import {
  type ProtocolBound,
  type ProtocolChain,
  type ProtocolOutcome,
  type ProtocolRunParts,
  type VerbSinks,
  runProtocolSinks,
} from "../../../events/protocol-chain.ts";
import {
  type OutboundCommandContext,
  type OutboundState,
  type ProtocolMessage,
  type ProtocolServer,
  type ProtocolSession,
  type ServerResponseContext,
  protocolResult,
} from "../../../events/contexts/protocol-contexts.ts";
import { CommandDraft } from "./command-draft.ts";
import { isConcerned } from "./concerned-sinks.ts";
import type { DestinationSettings, OutboundMessage } from "../destination.ts";
import { JudgedReply } from "./judged-reply.ts";
import { judgeReply } from "./judgement.ts";
import { outboundSession } from "./outbound-session.ts";
import { type Pause, type PlannedCommand, isPlain, isWatched, waitsForReplies } from "./planned-commands.ts";
import type { PeerReply } from "../reply-reader.ts";
import type { Wire } from "../wire.ts";

/** What a transaction or a session ends with when its sinks want that, or fail. */
export const SINK_FAILED = ownReply(451, "3.0", "A sink of the outbound events failed");
export const ENDED_BY_SINK = ownReply(451, "5.0", "A sink ended the session");

export type OutboundEventName =
  | "OnSessionStart"
  | "OnMessageStart"
  | "OnPerRecipient"
  | "OnBeforeData"
  | "OnSessionEnd";

/** The sinks that are live now. */
export interface OutboundChains {
  readonly commands: Readonly<Record<OutboundEventName, ProtocolChain<OutboundCommandContext>>>;
  readonly responses: ProtocolChain<ServerResponseContext>;
}

/** What the sinks of one next hop's connections need. */
export interface OutboundProtocol extends ProtocolRunParts {
  readonly chains: () => OutboundChains;
  readonly server: ProtocolServer;
  /** Commands that sinks may send in one session. */
  readonly maxSinkCommands: number;
}

/** Asked for each message: written out, so that nothing is made for it. */
const hasSinks = ({ commands, responses }: OutboundChains): boolean =>
  responses.sinks.length > 0 ||
  commands.OnMessageStart.sinks.length > 0 ||
  commands.OnPerRecipient.sinks.length > 0 ||
  commands.OnBeforeData.sinks.length > 0 ||
  commands.OnSessionStart.sinks.length > 0 ||
  commands.OnSessionEnd.sinks.length > 0;

/** Whether sinks take part in what comes next: the transaction of a message, or else the end of the session. */
export const takePart = (chains: OutboundChains, message: OutboundMessage | undefined): boolean =>
  hasSinks(chains) && (message === undefined || isConcerned(chains, message));

/** The built-in command of a step. */
export interface NativeCommand {
  readonly event: OutboundEventName;
  readonly verb: string;
  /** Without CRLF. */
  readonly line: string;
  /** What rules match: the address, the name, "" where there is none. */
  readonly argument: string;
  readonly recipientIndex?: number;
  readonly stage: string;
  readonly limitMs: number;
  /** Writes what goes out right behind the command: the content of a chunk. */
  readonly follow?: () => void;
}

/** How a step ended. `reply` is that of the built-in command or of what was sent instead; absent: nothing was sent in its place. */
export interface Step {
  readonly reply: PeerReply | undefined;
  /** Where a sink wants to go on. */
  readonly state: OutboundState;
  /** What was answered is the command of a sink, sent instead of the built-in one. */
  readonly isReplaced?: true;
  /** A sink failed and its binding does not say `continue`. */
  readonly failed?: true;
}

interface Sent {
  readonly reply: PeerReply;
  readonly state: OutboundState;
}

const AT_ITS_START: Pause = { at: 0, outcome: undefined };

export class OutboundEvents {
  readonly #protocol: OutboundProtocol;
  readonly #wire: Wire;
  readonly #session: ProtocolSession;
  #isEnded = false;

  constructor(protocol: OutboundProtocol, wire: Wire, settings: DestinationSettings) {
    this.#protocol = protocol;
    this.#wire = wire;
    this.#session = outboundSession(wire, settings);
  }

  /** A sink that saw a reply wants the session to end. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Calls the sinks before these commands, in order, up to the first that wants more than to append. Nothing when a sink waits for
   * one of the replies: it is to see the dialogue as it goes.
   */
  async plan(natives: readonly NativeCommand[], message: ProtocolMessage): Promise<PlannedCommand[]> {
    const planned: PlannedCommand[] = [];
    const chains = this.#protocol.chains();
    if (waitsForReplies(chains, natives)) return planned;
    for (const native of natives) {
      const one = await this.#planOne(this.#draftOf(native, message), chains);
      planned.push(one);
      if (one.paused !== undefined) break;
    }
    return planned;
  }

  /** Whether a sink takes part in the command, or sees its reply. */
  watches(native: NativeCommand): boolean {
    return isWatched(this.#protocol.chains(), native);
  }

  async #planOne(draft: CommandDraft, { commands }: OutboundChains): Promise<PlannedCommand> {
    const { event, verb } = draft.native;
    const sinks = commands[event].sinksOf(verb);
    for (const [at, sink] of (sinks?.before ?? []).entries()) {
      const outcome = await this.#call(sink, draft);
      if (!isPlain(draft, outcome)) return { draft, sinks, paused: { at, outcome } };
    }
    return { draft, sinks, paused: undefined };
  }

  #unplanned(native: NativeCommand, message: ProtocolMessage): PlannedCommand {
    const sinks = this.#protocol.chains().commands[native.event].sinksOf(native.verb);
    return { draft: this.#draftOf(native, message), sinks, paused: AT_ITS_START };
  }

  #draftOf(native: NativeCommand, message: ProtocolMessage): CommandDraft {
    return new CommandDraft(native, this.#protocol.server, this.#session, message);
  }

  /** `planned`: what `plan` answered for this command. */
  async perform(native: NativeCommand, message: ProtocolMessage, planned?: PlannedCommand): Promise<Step> {
    const { draft, sinks, paused } = planned ?? this.#unplanned(native, message);
    const before = paused && (await this.#callSinks(sinks?.before ?? [], draft, paused));
    if (before !== undefined) return before;
    const answer = await this.send(draft.nativeCommand, native, message, native.follow);
    if (answer.state !== "default" || answer.reply.code >= 400) return answer;
    const after = await this.#callSinks(sinks?.after ?? [], draft, AT_ITS_START);
    return after === undefined || after.failed === true
      ? (after ?? answer)
      : { ...after, reply: answer.reply };
  }

  /** Sends a command and has its reply judged. */
  async send(
    line: string,
    { verb, argument, stage, limitMs }: Pick<NativeCommand, "verb" | "argument" | "stage" | "limitMs">,
    message: ProtocolMessage,
    follow?: () => void,
  ): Promise<Sent> {
    const pending = this.#wire.ask(line, stage, limitMs);
    follow?.();
    return this.judge(await pending, { line, verb, argument }, message);
  }

  /** A reply past the sinks of OnServerResponse. */
  async judge(
    reply: PeerReply,
    { line, verb, argument }: { readonly line: string; readonly verb: string; readonly argument: string },
    message: ProtocolMessage,
  ): Promise<Sent> {
    const sinks = this.#wire.lost === undefined ? this.#protocol.chains().responses.sinksOf(verb) : undefined;
    if (sinks === undefined) return { reply, state: "default" };
    const answered = { server: this.#protocol.server, session: this.#session, message, line, verb };
    const judged = new JudgedReply(reply, answered);
    await runProtocolSinks(this.#protocol, inOrder(sinks), judged, verb, argument);
    if (judged.drops) this.#wire.fail("a sink dropped the session");
    this.#isEnded ||= judged.drops || judged.nextState === "session-end";
    return { reply: judgeReply(reply, judged.judgement), state: judged.nextState };
  }

  /** Undefined: all were called, and the built-in command follows. */
  async #callSinks(
    sinks: readonly ProtocolBound<OutboundCommandContext>[],
    draft: CommandDraft,
    { at: first, outcome }: Pause,
  ): Promise<Step | undefined> {
    for (const [at, sink] of sinks.slice(first).entries()) {
      const step = await this.#callOne(sink, draft, at === 0 ? outcome : undefined);
      if (step !== undefined) return step;
    }
    return undefined;
  }

  #call(
    sink: ProtocolBound<OutboundCommandContext>,
    draft: CommandDraft,
  ): ProtocolOutcome | Promise<ProtocolOutcome> {
    const { verb, argument } = draft.native;
    draft.begin();
    return runProtocolSinks(this.#protocol, [sink], draft, verb, argument);
  }

  async #callOne(
    sink: ProtocolBound<OutboundCommandContext>,
    draft: CommandDraft,
    answered?: ProtocolOutcome,
  ): Promise<Step | undefined> {
    let known = answered;
    do {
      const outcome = known ?? (await this.#call(sink, draft));
      known = undefined;
      if (outcome === "faulted") return { reply: undefined, state: "default", failed: true };
      if (draft.drops) this.#wire.fail("a sink dropped the session");
      const isCounted = draft.command !== undefined || draft.repeats;
      if (isCounted && ++draft.sent > this.#protocol.maxSinkCommands) return this.#endless(sink, draft);
      const sent = await this.#sendDraft(draft);
      const step = this.#stepAfter(outcome, draft, sent);
      if (step !== undefined) return step;
    } while (draft.repeats);
    return undefined;
  }

  /** FAULTS S28: a sink that repeats for ever ends with its session. It is its fault, and no reason to leave the next hop alone. */
  #endless({ binding }: ProtocolBound<OutboundCommandContext>, { verb }: CommandDraft): Step {
    const { log, maxSinkCommands } = this.#protocol;
    const fault = `sinks sent more than ${maxSinkCommands} commands at one command of ours`;
    log.error(
      { binding: binding.displayName, event: binding.event, verb, fault },
      "protocol sink failed; the session ends",
    );
    this.#isEnded = true;
    return { reply: undefined, state: "default", failed: true };
  }

  async #sendDraft(draft: CommandDraft): Promise<Sent | undefined> {
    if (draft.command === undefined || this.#wire.lost !== undefined) return undefined;
    const { native, message, command, blob } = draft;
    const verb = command.split(" ", 1)[0]?.toUpperCase() ?? "";
    const argument = command.slice(verb.length + 1);
    const follow = blob === undefined ? undefined : (): boolean => this.#wire.write(blob);
    return this.send(command, { ...native, verb, argument }, message, follow);
  }

  #stepAfter(outcome: ProtocolOutcome, draft: CommandDraft, sent: Sent | undefined): Step | undefined {
    if (this.#wire.lost !== undefined) return { reply: sent?.reply, state: "session-end" };
    if (draft.state !== "default") return { reply: undefined, state: draft.state };
    if (sent !== undefined && sent.state !== "default") return { reply: undefined, state: sent.state };
    if (outcome === protocolResult.runNext) return undefined;
    return { reply: sent?.reply, state: "default", isReplaced: true };
  }
}

const inOrder = <Context>({ before, after }: VerbSinks<Context>): readonly ProtocolBound<Context>[] =>
  after.length === 0 ? before : [...before, ...after];
