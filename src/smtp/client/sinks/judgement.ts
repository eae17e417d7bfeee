// What sinks make of a reply: its class, as they may see it otherwise than the peer, and the state that follows (REFERENCE 3.4).
import { ownReply, reply, type Reply } from "../../../core/reply.ts";
import type { OutboundState, ServerResponseContext } from "../../../events/contexts/protocol-contexts.ts";
import type { PeerReply } from "../reply-reader.ts";

export type Judgement = ServerResponseContext["judgement"];

export function judgementOf({ code }: Pick<PeerReply, "code">): Judgement {
  if (code >= 500) return "complete-failure";
  return code >= 400 ? "transient-failure" : "success";
}

const CLASSES: Readonly<Record<Judgement, number>> = {
  success: 2,
  "transient-failure": 4,
  "complete-failure": 5,
};

const STATES: ReadonlySet<unknown> = new Set<OutboundState>([
  "default",
  "session-start",
  "message-start",
  "per-recipient",
  "before-data",
  "session-end",
]);

/** Sinks are not checked for types when they run: a word that is none counts as their fault. */
export function requireState(state: OutboundState): OutboundState {
  if (STATES.has(state)) return state;
  throw new RangeError(`not a state: ${JSON.stringify(state)} (${[...STATES].join(", ")})`);
}

export function requireJudgement(judgement: Judgement): Judgement {
  if (Object.hasOwn(CLASSES, judgement)) return judgement;
  throw new RangeError(`not a judgement: ${JSON.stringify(judgement)} (${Object.keys(CLASSES).join(", ")})`);
}

/** The reply in the class that it is judged to have; text and detail stay the peer's. */
export function judgeReply(answer: PeerReply, judgement: Judgement): PeerReply {
  if (judgementOf(answer) === judgement) return answer;
  const code = CLASSES[judgement] * 100 + (answer.code % 100);
  // RFC 5321 §4.2.1: a success that the peer did not mean has no code of its own.
  return { ...answer, code: judgement === "success" ? 250 : code };
}

export const plain = ({ code, detail, text, own }: PeerReply): Reply =>
  own === true ? ownReply(code, detail, text) : reply(code, detail, text);

/** RFC 5321 §4.5.3.1.10: 552 for too many recipients is to be read as 452; a full mailbox (5.2.2) is not meant. */
export function judgeRcpt(answer: PeerReply): Reply {
  const tooMany = answer.code === 552 && (answer.detail === undefined || answer.detail === "5.3");
  return tooMany ? reply(452, "5.3", answer.text) : plain(answer);
}

/** RFC 5321 §4.1.1.11: 555 parameter not recognised, 504 not implemented; 501 is also said of an address. */
export function isParameterError(refusal: Pick<Reply, "code" | "detail"> | undefined): boolean {
  if (refusal === undefined) return false;
  if (refusal.code === 555 || refusal.code === 504) return true;
  return refusal.code === 501 && (refusal.detail === undefined || refusal.detail.startsWith("5."));
}

/** RFC 5321 §4.2.4, of a command whose keyword the peer offered. */
export const isUnknownCommand = ({ code }: Pick<Reply, "code">): boolean =>
  code === 500 || code === 502 || code === 503 || code === 504;
