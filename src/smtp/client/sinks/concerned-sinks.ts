// Whose sinks a message on its way out concerns: only they pay for a dialogue with sinks in it.
import type { ProtocolBound } from "../../../events/protocol-chain.ts";
import { matchesCommand, matchesVerb } from "../../../events/verb-rule.ts";
import type { OutboundMessage } from "../destination.ts";
import type { OutboundChains } from "./outbound-events.ts";

type Sinks = readonly Pick<ProtocolBound<unknown>, "rule">[];

/** Replies that no part of the message decides on. */
const OTHER_REPLIES = ["DATA", "BDAT", "_EOD", "RSET", "XFORWARD"];

/** Whether a sink takes part in the transaction of the message, or wants to see a reply in it. */
export function isConcerned({ commands, responses }: OutboundChains, message: OutboundMessage): boolean {
  return (
    matchesSome(commands.OnMessageStart.sinks, "MAIL", message.sender) ||
    matchesRecipient(commands.OnPerRecipient.sinks, message) ||
    hasVerb(commands.OnBeforeData.sinks, "DATA") ||
    hasVerb(commands.OnBeforeData.sinks, "BDAT") ||
    matchesSome(responses.sinks, "MAIL", message.sender) ||
    matchesRecipient(responses.sinks, message) ||
    OTHER_REPLIES.some((verb) => hasVerb(responses.sinks, verb))
  );
}

const hasVerb = (sinks: Sinks, verb: string): boolean =>
  sinks.some(({ rule }) => rule === undefined || matchesVerb(rule, verb));

const matchesSome = (sinks: Sinks, verb: string, argument: string): boolean =>
  sinks.some(({ rule }) => rule === undefined || matchesCommand(rule, verb, argument));

const matchesRecipient = (sinks: Sinks, { recipients }: OutboundMessage): boolean =>
  hasVerb(sinks, "RCPT") && recipients.some(({ address }) => matchesSome(sinks, "RCPT", address));
