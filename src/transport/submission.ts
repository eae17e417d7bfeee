// Steps 3, 4 and 6: the sinks of one of the three mail events on one message, and what their answer means for it.
import type { Recipient } from "../core/envelope.ts";
import { type Logger } from "../core/logger.ts";
import { type MessageStatus, messageStatus } from "../core/status.ts";
import type { MailEvent } from "../events/catalog.ts";
import type { ChainOutcome, Dispatcher, SinkChain } from "../events/dispatcher.ts";
import type { EffectRecorder, EffectRun, RunEnd } from "../events/effects.ts";
import type { Content } from "../message/content.ts";
import type { MailMsg, MessageSurroundings } from "../message/mail-msg.ts";
import type { MessageSteps } from "./message-steps.ts";
import { SINK_QUEUES } from "./queues/queue-entries.ts";
import type { QueueSet } from "./queues/queue-set.ts";
import type { HoldReason, QueuedMessage, SubmissionStage } from "./queued-message.ts";
import { adopt, isStopped, mailMsgOf } from "./sink-view.ts";

/** What happens to the message next. */
export type SubmissionVerdict =
  /** `forked`: the store still has the message as it was before its forks left. */
  | {
      readonly kind: "submitted";
      readonly forked: boolean;
      /** A sink says that what comes before OnPostCategorize is done. */
      readonly isCategorized?: true;
    }
  /** Every recipient still there is recorded as discarded by this sink. */
  | { readonly kind: "discarded"; readonly reason: string }
  | {
      readonly kind: "badmail";
      readonly code: string;
      readonly reason: string;
      /** As the sinks left it, when it is to go to Badmail like that. */
      readonly edited?: MailMsg | undefined;
    }
  | { readonly kind: "retry"; readonly reason: HoldReason }
  | { readonly kind: "hold"; readonly reason: HoldReason }
  /** Nothing is done with it before the service starts again. */
  | { readonly kind: "abandoned"; readonly reason: HoldReason };

/** Sinks sent recipients their own way: the forks have to be durable, or stopped, before the rest is concluded. */
export interface ForkedResult {
  readonly kind: "forked";
  readonly forks: readonly MailMsg[];
  /** Those that sinks discard or send to Badmail. */
  readonly stopped: readonly MailMsg[];
  readonly conclude: () => SubmissionVerdict;
}

export type SubmissionResult =
  | SubmissionVerdict
  | ForkedResult
  /** A sink failed, and the bindings have changed since: the message is tried with the new ones at once. */
  | { readonly kind: "again" };

const NO_RECIPIENT = "the sinks left no recipient";
const SUBMITTED: SubmissionVerdict = { kind: "submitted", forked: false };

/** The stages of a message before it is routed, in their order. */
const STAGES: readonly SubmissionStage[] = [
  "OnTransportSubmission",
  "OnPreCategorize",
  "OnCategorize",
  "OnPostCategorize",
];

/** What sinks read as the status of a message that has come as far as their event. */
const STATUS_AT: Readonly<Record<MailEvent, MessageStatus>> = {
  OnTransportSubmission: messageStatus.success,
  OnPreCategorize: messageStatus.submitted,
  OnPostCategorize: messageStatus.categorized,
};

export interface SubmissionParts<Script> {
  readonly dispatcher: Dispatcher<Script>;
  /** The bindings of the event that are live now. */
  readonly chain: (event: MailEvent) => SinkChain<Script>;
  /** Whether messages are categorized. */
  readonly categorizes: () => boolean;
  /** Absent: none is frozen. */
  readonly queues?: Pick<QueueSet, "isFrozen"> | undefined;
  /** Absent: nobody keeps what the sinks did. */
  readonly effects?: EffectRecorder<Script> | undefined;
  readonly steps: MessageSteps;
  /** Absent: the bounds of properties are those of the schema's defaults. */
  readonly surroundings?: MessageSurroundings | undefined;
  readonly log: Logger;
}

export class Submission<Script> {
  readonly #parts: SubmissionParts<Script>;

  constructor(parts: SubmissionParts<Script>) {
    this.#parts = parts;
  }

  /** The stage after `stage` that has sinks, or where the operator wants messages to wait; undefined when the message has met them all. */
  nextStage(stage: SubmissionStage): SubmissionStage | undefined {
    for (let index = STAGES.indexOf(stage) + 1; index < STAGES.length; index += 1) {
      const next = STAGES[index];
      if (next !== undefined && this.#isManned(next)) return next;
    }
    return undefined;
  }

  #isManned(stage: SubmissionStage): boolean {
    const { chain, categorizes, queues } = this.#parts;
    if (stage === "OnCategorize") return categorizes();
    return chain(stage).sinks.length > 0 || queues?.isFrozen(SINK_QUEUES[stage]) === true;
  }

  /** Runs the chain; envelope and content of the message are afterwards as the sinks left them. */
  run(
    message: QueuedMessage,
    stage: MailEvent,
    content: Content,
  ): SubmissionResult | Promise<SubmissionResult> {
    message.size = content.size;
    const chain = this.#parts.chain(stage);
    const effects = this.#parts.effects?.begin(
      message.id,
      message.envelope,
      content,
      chain,
      message.resumeAt,
    );
    if (chain.sinks.length === 0) return this.#recorded(effects, SUBMITTED);
    const msg = mailMsgOf(message, content, STATUS_AT[stage], this.#parts.surroundings);
    const outcome = this.#parts.dispatcher.dispatch(chain, msg, message.resumeAt, effects);
    const { recipients } = message.envelope;
    const end = (settled: ChainOutcome): SubmissionResult =>
      this.#told(
        message,
        recipients,
        this.#recorded(
          effects,
          settled.kind === "fault" && this.#parts.chain(stage) !== chain
            ? { kind: "again" }
            : concludeForked(message, msg.latest, content, settled),
        ),
      );
    return outcome instanceof Promise ? outcome.then(end) : end(outcome);
  }

  /** Once for each stage: the message is beyond its sinks, or comes back to them. Answers whether a call counts towards maxFirings. */
  settleCalls({ id }: QueuedMessage, comesBack: boolean): boolean {
    return this.#parts.dispatcher.settleCalls(id, comesBack);
  }

  /** Sinks may have taken recipients away: each of them is told to have ended here. */
  #told(message: QueuedMessage, before: readonly Recipient[], result: SubmissionResult): SubmissionResult {
    if (result.kind !== "forked") {
      this.#parts.steps.envelopeAfterSinks(message, before, []);
      return result;
    }
    const { forks, stopped } = result;
    return {
      ...result,
      conclude: () => {
        const verdict = result.conclude();
        this.#parts.steps.envelopeAfterSinks(message, before, [...forks, ...stopped]);
        return verdict;
      },
    };
  }

  #recorded(effects: EffectRun<Script> | undefined, result: SubmissionResult): SubmissionResult {
    if (effects === undefined) return result;
    if (result.kind !== "forked") {
      this.#parts.effects?.end(effects, endOf(result), []);
      return result;
    }
    const forks = [...result.forks, ...result.stopped].map((fork) => fork.id);
    return {
      ...result,
      conclude: () => {
        const verdict = result.conclude();
        this.#parts.effects?.end(effects, endOf(verdict), forks);
        return verdict;
      },
    };
  }
}

function endOf(result: Exclude<SubmissionResult, ForkedResult>): RunEnd {
  switch (result.kind) {
    case "submitted":
    case "again":
      return result;
    case "discarded":
    case "badmail":
      return { kind: result.kind, text: result.reason };
    case "hold":
    case "retry":
      return { kind: result.kind, text: result.reason.text };
    case "abandoned":
      return { kind: "hold", text: result.reason.text };
  }
}

/** Forks live on whatever became of the rest, unless the whole message goes through the sinks again. */
function concludeForked(
  message: QueuedMessage,
  msg: MailMsg,
  original: Content,
  outcome: ChainOutcome,
): SubmissionResult {
  const repeats =
    outcome.kind === "fault" ||
    (outcome.kind === "status" &&
      (outcome.status === messageStatus.retry || outcome.status === messageStatus.abandonDelivery));
  if (msg.forks.length === 0 || repeats) return conclude(message, msg, original, outcome);
  const parts = msg.forks.filter(({ recipients }) => recipients.count > 0);
  return {
    kind: "forked",
    forks: parts.filter((fork) => !isStopped(fork)),
    stopped: parts.filter(isStopped),
    conclude() {
      adopt(message, msg, original);
      return conclude(message, msg, original, outcome);
    },
  };
}

function conclude(
  message: QueuedMessage,
  msg: MailMsg,
  original: Content,
  outcome: ChainOutcome,
): SubmissionVerdict {
  switch (outcome.kind) {
    case "passed":
      adopt(message, msg, original);
      if (msg.recipients.count === 0) return { kind: "discarded", reason: NO_RECIPIENT };
      return submitted(message, msg);
    case "status":
      return judgeStatus(msg, outcome);
    case "fault": {
      const { binding, fault } = outcome;
      const scriptName = binding.sinkProperties["ScriptName"];
      const version = fault.version === undefined ? "" : ` (version ${fault.version})`;
      const text = `${binding.displayName}${version}: ${fault.kind}: ${fault.message}`;
      if (outcome.policy === "badmail") return { kind: "badmail", code: "SINK_FAILED", reason: text };
      const by = scriptName === undefined ? "sink" : "script";
      return {
        kind: "hold",
        reason: {
          by,
          binding: binding.displayName,
          scriptName: scriptName === undefined ? undefined : String(scriptName),
          faultKind: fault.kind,
          poison: fault.kind === "crash" ? true : undefined,
          text,
        },
      };
    }
  }
}

function submitted({ stage }: QueuedMessage, msg: MailMsg): SubmissionVerdict {
  const forked = msg.forks.length > 0;
  if (msg.status === messageStatus.categorized && stage !== "OnPostCategorize")
    return { kind: "submitted", forked, isCategorized: true };
  return forked ? { kind: "submitted", forked } : SUBMITTED;
}

function judgeStatus(
  msg: MailMsg,
  { status, binding }: Extract<ChainOutcome, { kind: "status" }>,
): SubmissionVerdict {
  switch (status) {
    case messageStatus.retry:
      return {
        kind: "retry",
        reason: {
          by: "sink",
          binding: binding.displayName,
          text: `${binding.displayName} asked to retry later`,
        },
      };
    case messageStatus.abortDelivery:
      return { kind: "discarded", reason: `discarded by ${binding.displayName}` };
    case messageStatus.badMail:
      return {
        kind: "badmail",
        code: "BADMAIL_BY_SINK",
        reason: `sent to Badmail by ${binding.displayName}`,
        edited: msg,
      };
    case messageStatus.abandonDelivery:
      return {
        kind: "abandoned",
        reason: {
          by: "sink",
          binding: binding.displayName,
          abandoned: true,
          text: `${binding.displayName} wants it left alone until the service restarts`,
        },
      };
  }
}
