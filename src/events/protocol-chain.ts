// The sinks of one protocol event around the built-in handler, which takes part as if bound at 24575 (REFERENCE 3.2, 3.3).
import { describeError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { type Binding, DEFAULT_PRIORITY } from "./binding.ts";
import { type FiringCounter, isExpired } from "./firings.ts";
import { type ProtocolResult, protocolResult } from "./contexts/protocol-contexts.ts";
import { answerInTime } from "./sink-deadline.ts";
import type { SinkContext } from "./sink.ts";
import { matchesCommand, matchesVerb, type VerbRule } from "./verb-rule.ts";

/** A protocol sink with its binding. `Context` is what its event hands over. */
export interface ProtocolBound<Context> {
  readonly binding: Binding;
  /** Absent: every command. */
  readonly rule: VerbRule | undefined;
  readonly onEvent: (subject: Context, context: SinkContext) => unknown;
  readonly context: SinkContext;
}

/** The sinks that a verb concerns, in order. */
export interface VerbSinks<Context> {
  readonly before: readonly ProtocolBound<Context>[];
  readonly after: readonly ProtocolBound<Context>[];
  /** Whether the argument of the command matters to any of them. */
  readonly haveRules: boolean;
}

/** Verbs come from clients: of invented ones only so many are remembered. */
const MAX_KNOWN_VERBS = 200;

export class ProtocolChain<Context> {
  readonly sinks: readonly ProtocolBound<Context>[];
  readonly #byVerb = new Map<string, VerbSinks<Context> | undefined>();

  constructor(sinks: readonly ProtocolBound<Context>[]) {
    this.sinks = sinks
      .filter(({ binding }) => binding.enabled)
      .toSorted((a, b) => a.binding.priority - b.binding.priority);
  }

  /** Undefined when no sink concerns the verb: then nothing has to be prepared for any. */
  sinksOf(verb: string): VerbSinks<Context> | undefined {
    if (this.sinks.length === 0) return undefined;
    const known = this.#byVerb.get(verb);
    if (known !== undefined || this.#byVerb.has(verb)) return known;
    const concerned = this.sinks.filter(({ rule }) => rule === undefined || matchesVerb(rule, verb));
    const sinks =
      concerned.length === 0
        ? undefined
        : {
            before: concerned.filter(({ binding }) => binding.priority < DEFAULT_PRIORITY),
            after: concerned.filter(({ binding }) => binding.priority >= DEFAULT_PRIORITY),
            haveRules: concerned.some(({ rule }) => rule !== undefined),
          };
    if (this.#byVerb.size < MAX_KNOWN_VERBS) this.#byVerb.set(verb, sinks);
    return sinks;
  }
}

export interface ProtocolRunParts {
  /** Counts the calls of bindings with maxFirings; absent: they are called without end. */
  readonly firings?: FiringCounter | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a sink may keep a session waiting. */
  readonly sinkDeadlineMs: number;
}

/** What sinks get, as far as they change it. */
export interface Undoable {
  /** The answer takes back what was changed since. */
  remember(): () => void;
  /** Whether a command that a sink fails on now is refused, or given up, and so meets the sinks again. */
  readonly comesBack: boolean;
}

/** How a run of sinks ended: `faulted` when one failed and its binding does not say `continue`. */
export type ProtocolOutcome = ProtocolResult | "faulted";

/**
 * Calls the sinks of one side that match, in order. A promise only when a sink answered with one.
 * A sink that throws, answers nonsense or takes too long is logged; the caller decides what the peer hears (FAULTS S28).
 * What such a sink has changed of the subject does not count.
 */
export function runProtocolSinks<Context>(
  parts: ProtocolRunParts,
  sinks: readonly ProtocolBound<Context>[],
  subject: Context & Undoable,
  verb: string,
  argument: string,
  from = 0,
): ProtocolOutcome | Promise<ProtocolOutcome> {
  for (let index = from; index < sinks.length; index += 1) {
    const sink = sinks[index];
    if (sink === undefined || !concerns(parts, sink, verb, argument)) continue;
    let answer: unknown;
    parts.firings?.begin(sink.binding, subject);
    const undo = subject.remember();
    try {
      answer = sink.onEvent(subject, sink.context);
    } catch (thrown) {
      if (faulted(parts, sink, verb, describeError(thrown), undo)) return ended(parts, subject, "faulted");
      continue;
    }
    if (answer instanceof Promise) {
      return settle(parts, sink, verb, answer, undo).then((outcome) =>
        outcome === protocolResult.runNext
          ? runProtocolSinks(parts, sinks, subject, verb, argument, index + 1)
          : ended(parts, subject, outcome),
      );
    }
    const outcome = judge(parts, sink, verb, answer, undo);
    if (outcome !== protocolResult.runNext) return ended(parts, subject, outcome);
  }
  return ended(parts, subject, protocolResult.runNext);
}

/** What comes back must not pass a binding that it has used up itself. */
function ended({ firings }: ProtocolRunParts, subject: Undoable, outcome: ProtocolOutcome): ProtocolOutcome {
  firings?.settle(subject, outcome === "faulted" && subject.comesBack);
  return outcome;
}

function concerns<Context>(
  { clock, firings }: ProtocolRunParts,
  { binding, rule }: ProtocolBound<Context>,
  verb: string,
  argument: string,
): boolean {
  if (isExpired(binding, clock)) return false;
  if (firings !== undefined && firings.refusal(binding) !== undefined) return false;
  return rule === undefined || matchesCommand(rule, verb, argument);
}

async function settle<Context>(
  parts: ProtocolRunParts,
  sink: ProtocolBound<Context>,
  verb: string,
  answer: Promise<unknown>,
  undo: () => void,
): Promise<ProtocolOutcome> {
  try {
    return judge(parts, sink, verb, await answerInTime(answer, parts), undo);
  } catch (thrown) {
    return faulted(parts, sink, verb, describeError(thrown), undo) ? "faulted" : protocolResult.runNext;
  }
}

function judge<Context>(
  parts: ProtocolRunParts,
  sink: ProtocolBound<Context>,
  verb: string,
  answer: unknown,
  undo: () => void,
): ProtocolOutcome {
  if (answer === undefined || answer === protocolResult.runNext) return protocolResult.runNext;
  if (answer === protocolResult.skipRemaining || answer === protocolResult.consumed) return answer;
  const message = "the sink answered neither runNext, skipRemaining nor consumed";
  return faulted(parts, sink, verb, message, undo) ? "faulted" : protocolResult.runNext;
}

/** Logs the fault; true when the command must not go on as if nothing had happened. */
function faulted<Context>(
  { log }: ProtocolRunParts,
  { binding }: ProtocolBound<Context>,
  verb: string,
  message: string,
  undo: () => void,
): boolean {
  undo();
  log.error(
    { binding: binding.displayName, event: binding.event, verb, fault: message },
    "protocol sink failed",
  );
  return binding.onError !== "continue";
}
