// Walks the bindings of an event in priority order and calls the sinks that match (REFERENCE 0.3).
// Rules are evaluated just before each sink against the envelope as it is then. A sink that answers without a promise is
// not awaited. Consecutive scripts go to the sandbox as one run.
import { describeError } from "../core/errors.ts";
import {
  type MessageStatus,
  type SinkResult,
  type StoppingStatus,
  isMessageStatus,
  messageStatus,
  sinkResult,
} from "../core/status.ts";
import type { MailMsg, MailMsgSnapshot } from "../message/mail-msg.ts";
import type { Binding } from "./binding.ts";
import type { EffectRun, ScriptEffect, SinkFault } from "./effects.ts";
import { FiringCounter, type FiringParts } from "./firings.ts";
import { RuleIndex } from "./rule-index.ts";
import type { RunScripts, ScriptRunWatch } from "./script-run.ts";
import { OpenComparisons, type ShadowStarter } from "./shadow.ts";
import { LateAnswer, answerInTime } from "./sink-deadline.ts";
import type { BoundSink, NativeBound, ScriptBound } from "./sink.ts";

/** How the chain ended. `binding` is the sink that decided. */
export type ChainOutcome =
  | { readonly kind: "passed" }
  | { readonly kind: "status"; readonly status: StoppingStatus; readonly binding: Binding }
  | {
      readonly kind: "fault";
      readonly policy: "hold" | "badmail";
      readonly binding: Binding;
      readonly fault: SinkFault;
    };

const PASSED: ChainOutcome = { kind: "passed" };
const WAITING = [messageStatus.retry, messageStatus.abandonDelivery];

/** The sinks of one event, sorted and indexed. Immutable: a message runs one set from start to end. */
export class SinkChain<Script = unknown> {
  readonly sinks: readonly BoundSink<Script>[];
  /** Bindings that are declared and not part of the chain: for people who ask why they were not called. */
  readonly disabled: readonly BoundSink<Script>[];
  /** Of a shadow sink: the position of the live sink that it is compared with. */
  readonly #comparedWith = new Map<ScriptBound<Script>, number>();
  readonly #index: RuleIndex;
  readonly #hasServers: boolean;

  /** Equal priorities keep the order in which they are given. */
  constructor(sinks: readonly BoundSink<Script>[], disabled: readonly BoundSink<Script>[] = []) {
    this.sinks = sinks.toSorted((a, b) => a.binding.priority - b.binding.priority);
    this.disabled = disabled;
    this.#index = new RuleIndex(this.sinks.map((sink) => sink.rule));
    this.#hasServers = this.sinks.some(({ binding }) => binding.server !== undefined);
    for (const sink of this.sinks) {
      if (sink.kind === "native" || sink.shadowOf === undefined) continue;
      const target = sink.shadowOf.bindingId;
      this.#comparedWith.set(
        sink,
        this.sinks.findIndex(({ binding }) => binding.id === target),
      );
    }
  }

  get hasShadows(): boolean {
    return this.#comparedWith.size > 0;
  }

  comparedWith(shadow: ScriptBound<Script>): number | undefined {
    const position = this.#comparedWith.get(shadow) ?? -1;
    return position < 0 ? undefined : position;
  }

  /** Positions of the sinks whose rules match the message as it is now. */
  matches(msg: MailMsg): number[] {
    if (this.sinks.length === 0) return [];
    const { sender, recipients, origin } = msg;
    const subject = { heloDomain: origin.heloDomain, sender, recipients: recipients.items };
    const found = this.#index.matches(subject);
    if (!this.#hasServers) return found;
    return found.filter((position) => {
      const server = this.sinks[position]?.binding.server;
      return server === undefined || server === origin.server;
    });
  }
}

export interface DispatcherParts<Script> extends FiringParts {
  readonly runScripts: RunScripts<Script>;
  /** How long a promise of a native sink may keep its message waiting, ms. Absent: without limit. */
  readonly sinkDeadlineMs?: number | undefined;
  /** Absent: shadow bindings are not run. */
  readonly shadows?: ShadowStarter<Script> | undefined;
}

export interface Dispatcher<Script> {
  /** Calls the sinks from position `from` on; `effects` takes down what they did. */
  dispatch(
    chain: SinkChain<Script>,
    msg: MailMsg,
    from?: number,
    effects?: EffectRun<Script>,
  ): ChainOutcome | Promise<ChainOutcome>;
  /**
   * What becomes of the message of this id is known: the calls for it count towards maxFirings, or it comes back to the sinks.
   * Answers whether any counts.
   */
  settleCalls(message: string, comesBack: boolean): boolean;
}

export function createDispatcher<Script>(parts: DispatcherParts<Script>): Dispatcher<Script> {
  const firings = new FiringCounter(parts);
  return {
    dispatch(chain, msg, from = 0, effects) {
      const walk = new Walk(parts, firings, chain, msg, from, effects);
      const outcome = walk.run();
      if (!chain.hasShadows) return outcome;
      if (outcome instanceof Promise) return outcome.finally(() => walk.close());
      walk.close();
      return outcome;
    },
    settleCalls: (message, comesBack) => firings.settle(message, comesBack),
  };
}

/** One message on its way through one chain. */
class Walk<Script> implements ScriptRunWatch {
  readonly #parts: DispatcherParts<Script>;
  readonly #firings: FiringCounter;
  readonly #chain: SinkChain<Script>;
  #msg: MailMsg;
  readonly #effects: EffectRun<Script> | undefined;
  readonly #comparisons: OpenComparisons<Script> | undefined;
  /** How far the message had come before these sinks. */
  readonly #statusBefore: MessageStatus;
  #next: number;
  #matches: number[];
  /** When the native sink in hand was called. */
  #calledAt = 0;
  /** The consecutive scripts that run now, their positions in the chain, and the shadows before the script of each index. */
  #run: ScriptBound<Script>[] = [];
  #positions: number[] = [];
  #between: { readonly index: number; readonly sink: ScriptBound<Script>; readonly position: number }[] = [];

  constructor(
    parts: DispatcherParts<Script>,
    firings: FiringCounter,
    chain: SinkChain<Script>,
    msg: MailMsg,
    from: number,
    effects: EffectRun<Script> | undefined,
  ) {
    this.#parts = parts;
    this.#firings = firings;
    this.#chain = chain;
    this.#msg = msg;
    this.#statusBefore = msg.status;
    this.#next = from;
    this.#effects = effects;
    this.#comparisons = chain.hasShadows ? new OpenComparisons() : undefined;
    this.#matches = chain.matches(msg);
  }

  /** Goes on as long as no sink answers with a promise. */
  run(): ChainOutcome | Promise<ChainOutcome> {
    for (let sink = this.#peek(); sink !== undefined; sink = this.#peek()) {
      this.#next += 1;
      if (sink.kind === "script") {
        if (sink.shadowOf === undefined) return this.#runScripts(sink);
        this.#startShadow(sink, this.#next - 1);
        continue;
      }
      this.#firings.begin(sink.binding, this.#msg.id);
      const before = this.#msg.snapshot();
      if (this.#effects !== undefined) this.#calledAt = performance.now();
      let answer;
      try {
        answer = sink.sink.onEvent(this.#msg, sink.context);
      } catch (thrown) {
        answer = Promise.reject(thrown);
      }
      if (answer instanceof Promise) return this.#settle(sink, before, answer);
      const end = this.#judge(sink.binding, answer, before);
      if (end !== undefined) return end;
    }
    if (this.#effects !== undefined) this.#effects.reached = this.#chain.sinks.length;
    return PASSED;
  }

  /** The chain has ended, whatever its outcome. */
  close(): void {
    this.#comparisons?.close();
  }

  /** The next sink that matches and is neither expired nor used up; sets `#next` to its position. */
  #peek(): BoundSink<Script> | undefined {
    for (const position of this.#matches) {
      if (position < this.#next) continue;
      const sink = this.#chain.sinks[position];
      if (sink === undefined) break;
      this.#next = position;
      const refusal = this.#firings.refusal(sink.binding);
      if (refusal === undefined) return sink;
      this.#effects?.passOver(position, refusal);
    }
    return undefined;
  }

  async #settle(sink: NativeBound, before: MailMsgSnapshot, answer: Promise<unknown>): Promise<ChainOutcome> {
    let result: unknown;
    try {
      result = await this.#inTime(answer);
    } catch (thrown) {
      const kind = thrown instanceof LateAnswer ? "timeout" : "throw";
      return this.#faulted(sink.binding, { kind, message: describeError(thrown) }, before) ?? this.run();
    }
    return this.#judge(sink.binding, result, before) ?? this.run();
  }

  /** Only maxSubmissions messages are with sinks at a time: a promise that is never kept would take one of their turns for ever. */
  #inTime(answer: Promise<unknown>): Promise<unknown> {
    const { clock, sinkDeadlineMs } = this.#parts;
    return sinkDeadlineMs === undefined ? answer : answerInTime(answer, { clock, sinkDeadlineMs });
  }

  async #runScripts(first: ScriptBound<Script>): Promise<ChainOutcome> {
    this.#gather(first);
    const run = this.#run;
    const positions = this.#positions;
    const before = this.#addresses();
    const isWatched = this.#effects !== undefined || this.#comparisons !== undefined;
    const answer = await this.#parts.runScripts(this.#msg, run, isWatched ? this : undefined);
    for (const { binding } of run.slice(answer.called)) this.#firings.cancel(binding, this.#msg.id);
    this.#next = (positions[answer.called - 1] ?? this.#next - 1) + 1;
    this.#rematch(before);
    const last = run[answer.called - 1] ?? first;
    if (answer.fault !== undefined) {
      const policy = last.binding.onError === "badmail" ? "badmail" : "hold";
      return { kind: "fault", policy, binding: last.binding, fault: answer.fault };
    }
    return this.#verdict(last.binding, answer.result) ?? this.run();
  }

  /** Consecutive scripts, which the sandbox runs as one. Shadows among them are left to `calling`. */
  #gather(first: ScriptBound<Script>): void {
    this.#firings.begin(first.binding, this.#msg.id);
    this.#run = [first];
    this.#positions = [this.#next - 1];
    this.#between = [];
    for (let sink = this.#peek(); sink?.kind === "script"; sink = this.#peek()) {
      const position = this.#next;
      this.#next += 1;
      if (sink.shadowOf !== undefined) {
        this.#between.push({ index: this.#run.length, sink, position });
        continue;
      }
      this.#firings.begin(sink.binding, this.#msg.id);
      this.#run.push(sink);
      this.#positions.push(position);
    }
  }

  calling(index: number): void {
    for (const shadow of this.#between)
      if (shadow.index === index) this.#startShadow(shadow.sink, shadow.position);
    this.#comparisons?.calling(this.#positions[index] ?? -1, this.#msg);
  }

  called(index: number, effect: ScriptEffect, sent: readonly string[]): void {
    const position = this.#positions[index] ?? -1;
    const sink = this.#run[index];
    this.#effects?.script(position, effect, sent);
    if (sink !== undefined)
      this.#comparisons?.called(position, this.#msg, { sink, effect, sent: sent.length });
  }

  #startShadow(sink: ScriptBound<Script>, position: number): void {
    if (this.#parts.shadows === undefined || this.#firings.refusal(sink.binding) !== undefined) return;
    const run = this.#parts.shadows.start(sink, this.#msg);
    if (run === undefined) {
      this.#effects?.passOver(position, "busy");
      return;
    }
    this.#firings.count(sink.binding);
    this.#effects?.startShadow(position);
    this.#comparisons?.add(run, this.#chain.comparedWith(sink));
  }

  #addresses(): Pick<MailMsgSnapshot, "sender" | "recipients"> {
    return { sender: this.#msg.sender, recipients: this.#msg.recipients.items };
  }

  /** The rules look at the addresses only: without a change of these the same sinks match. */
  #rematch(before: Pick<MailMsgSnapshot, "sender" | "recipients">): void {
    if (before.recipients !== this.#msg.recipients.items || before.sender !== this.#msg.sender)
      this.#matches = this.#chain.matches(this.#msg);
  }

  /** The end of the chain, or undefined to go on with the next sink. */
  #judge(binding: Binding, answer: unknown, before: MailMsgSnapshot): ChainOutcome | undefined {
    if (answer !== undefined && answer !== sinkResult.runNext && answer !== sinkResult.skipRemaining) {
      return this.#faulted(
        binding,
        { kind: "invalid", message: `the sink answered neither runNext nor skipRemaining` },
        before,
      );
    }
    const { status, forks } = this.#msg;
    if (!isMessageStatus(status) || forks.some((fork) => !isMessageStatus(fork.status))) {
      return this.#faulted(
        binding,
        { kind: "invalid", message: `the sink set a status that does not exist` },
        before,
      );
    }
    this.#note(before, answer ?? sinkResult.runNext);
    this.#rematch(before);
    for (const fork of forks.slice(before.forks)) fork.resumeAt = this.#next;
    return this.#verdict(binding, answer ?? sinkResult.runNext);
  }

  /** Records what a native sink did. */
  #note(before: MailMsgSnapshot, verdict: SinkResult, fault?: SinkFault): void {
    if (this.#effects === undefined) return;
    const micros = Math.round((performance.now() - this.#calledAt) * 1000);
    this.#effects.native(this.#next - 1, { micros, before, after: this.#msg }, verdict, fault);
  }

  #verdict(binding: Binding, result: SinkResult): ChainOutcome | undefined {
    const status = statusOf(this.#msg);
    switch (status) {
      case messageStatus.retry:
      case messageStatus.abortDelivery:
      case messageStatus.badMail:
      case messageStatus.abandonDelivery:
        return { kind: "status", status, binding };
      case messageStatus.submitted:
      case messageStatus.categorized:
        // A sink says that the message has come further than this event.
        if (status > this.#statusBefore) return PASSED;
        break;
      case messageStatus.success:
        break;
    }
    return result === sinkResult.skipRemaining ? PASSED : undefined;
  }

  #faulted(binding: Binding, fault: SinkFault, before: MailMsgSnapshot): ChainOutcome | undefined {
    this.#msg.restore(before);
    if (fault.kind === "timeout") this.#msg = this.#msg.succeed();
    this.#note(before, sinkResult.runNext, fault);
    if (binding.onError !== "continue") return { kind: "fault", policy: binding.onError, binding, fault };
    this.#parts.log.error(
      { message: this.#msg.id, binding: binding.displayName, fault },
      "sink failed; its changes are dropped and the message goes on",
    );
    return undefined;
  }
}

/** A fork that is to wait keeps the whole message waiting, and is made anew when the message meets the sinks again. */
function statusOf({ status, forks }: MailMsg): MessageStatus {
  if (forks.length === 0) return status;
  const all = [status, ...forks.map((fork) => fork.status)];
  return WAITING.find((waiting) => all.includes(waiting)) ?? status;
}
