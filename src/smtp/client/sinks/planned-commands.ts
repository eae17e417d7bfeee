// MAIL and RCPT past the sinks before them ahead of time: where these only append, the commands leave together (RFC 2920 §3.1).
import type { ProtocolBound, ProtocolOutcome, VerbSinks } from "../../../events/protocol-chain.ts";
import { type OutboundCommandContext, protocolResult } from "../../../events/contexts/protocol-contexts.ts";
import { matchesCommand } from "../../../events/verb-rule.ts";
import type { CommandDraft } from "./command-draft.ts";
import type { NativeCommand, OutboundChains } from "./outbound-events.ts";
import type { PeerReply } from "../reply-reader.ts";
import type { Wire } from "../wire.ts";

/** Which of the sinks before or behind a command comes next, and what it answered when it was called already. */
export interface Pause {
  readonly at: number;
  readonly outcome: ProtocolOutcome | undefined;
}

/** A command some of whose sinks were called. */
export interface PlannedCommand {
  readonly draft: CommandDraft;
  /** As they were then: others may be bound meanwhile. */
  readonly sinks: VerbSinks<OutboundCommandContext> | undefined;
  /** At the sink that wants more than to append: the dialogue goes on there, command by command. Undefined: none does. */
  readonly paused: Pause | undefined;
}

/** Whether a sink that was just called has only looked, or appended to the built-in command. */
export const isPlain = (draft: CommandDraft, outcome: ProtocolOutcome): boolean =>
  outcome === protocolResult.runNext &&
  draft.command === undefined &&
  draft.state === "default" &&
  !draft.repeats &&
  !draft.drops;

/** Whether a sink comes behind the reply to one of the commands, or judges it. */
export const waitsForReplies = (
  { commands, responses }: OutboundChains,
  natives: readonly NativeCommand[],
): boolean =>
  natives.some(
    ({ event, verb, argument }) =>
      matchesSome(responses.sinks, verb, argument) ||
      matchesSome(commands[event].sinksOf(verb)?.after ?? [], verb, argument),
  );

/** Whether a sink takes part in the command, or sees its reply. */
export const isWatched = (
  { commands, responses }: OutboundChains,
  { event, verb, argument }: NativeCommand,
): boolean =>
  matchesSome(commands[event].sinks, verb, argument) || matchesSome(responses.sinks, verb, argument);

const matchesSome = (
  sinks: readonly Pick<ProtocolBound<unknown>, "rule">[],
  verb: string,
  argument: string,
): boolean => sinks.some(({ rule }) => rule === undefined || matchesCommand(rule, verb, argument));

/** Sends the lines in one write; fewer replies when the connection is lost in between. Each has its own time to come. */
export function askTogether(
  wire: Wire,
  natives: readonly NativeCommand[],
  lines: readonly string[],
  look: (answer: PeerReply, command: NativeCommand) => void,
): Promise<readonly PeerReply[]> {
  let next = 0;
  const startStage = (): void => {
    const native = natives[next];
    if (native !== undefined) wire.startStage(native.stage, native.limitMs);
  };
  startStage();
  const replies = wire.collect(lines.length, (answer) => {
    const native = natives[next];
    next += 1;
    startStage();
    if (native !== undefined) look(answer, native);
  });
  if (wire.lost === undefined) wire.write(lines.map((line) => `${line}\r\n`).join(""));
  return replies;
}
