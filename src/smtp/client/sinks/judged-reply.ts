// A reply of the next hop as sinks of OnServerResponse see and judge it (REFERENCE 3.4).
import { formatReply } from "../../../core/reply.ts";
import type { Undoable } from "../../../events/protocol-chain.ts";
import type {
  OutboundState,
  ProtocolMessage,
  ProtocolServer,
  ProtocolSession,
  ServerResponseContext,
} from "../../../events/contexts/protocol-contexts.ts";
import { type Judgement, judgementOf, requireJudgement, requireState } from "./judgement.ts";
import type { PeerReply } from "../reply-reader.ts";

interface Answered {
  readonly server: ProtocolServer;
  readonly session: ProtocolSession;
  readonly message: ProtocolMessage;
  /** The command as it was sent. */
  readonly line: string;
  readonly verb: string;
}

export class JudgedReply implements ServerResponseContext, Undoable {
  readonly server: ProtocolServer;
  readonly session: ProtocolSession;
  readonly message: ProtocolMessage;
  readonly command: string;
  readonly verb: string;
  readonly response: string;
  readonly statusCode: number;
  readonly wasPipelined = false;
  /** It counts as it came. */
  readonly comesBack = false;
  #judgement: Judgement;
  #nextState: OutboundState = "default";
  #drops = false;

  constructor(reply: PeerReply, { server, session, message, line, verb }: Answered) {
    this.server = server;
    this.session = session;
    this.message = message;
    this.command = line;
    this.verb = verb;
    this.response = wholeReply(reply);
    this.statusCode = reply.code;
    this.#judgement = judgementOf(reply);
  }

  get judgement(): Judgement {
    return this.#judgement;
  }

  set judgement(said: Judgement) {
    this.#judgement = requireJudgement(said);
  }

  get nextState(): OutboundState {
    return this.#nextState;
  }

  set nextState(state: OutboundState) {
    this.#nextState = requireState(state);
  }

  get drops(): boolean {
    return this.#drops;
  }

  dropSession(): void {
    this.#drops = true;
  }

  /** A session that a failed sink dropped ends all the same. */
  remember(): () => void {
    const { judgement, nextState } = this;
    return () => void Object.assign(this, { judgement, nextState });
  }
}

/** All lines with their codes: the reply to EHLO lists what the next hop offers. */
const wholeReply = (reply: PeerReply): string =>
  reply.lines.length === 0
    ? formatReply(reply)
    : reply.lines
        .map((line, at) => `${reply.code}${at < reply.lines.length - 1 ? "-" : " "}${line}`)
        .join("\r\n");
