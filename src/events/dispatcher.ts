// Walks the bindings of an event in priority order and calls the sinks that match (REFERENCE 0.3, DESIGN 4).
// Rules are evaluated just before each sink against the envelope as it is then. A sink that answers without a promise is
// not awaited. Consecutive scripts go to the sandbox as one run.
import { describeError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import {
  type MessageStatus,
  type SinkResult,
  isMessageStatus,
  messageStatus,
  sinkResult,
} from "../core/status.ts";
import type { MailMsg, MailMsgSnapshot } from "../message/mail-msg.ts";
import type { Binding } from "./binding.ts";
import { RuleIndex } from "./rule-index.ts";
import type { BoundSink, NativeBound, ScriptBound } from "./sink.ts";

/** Why a sink's answer does not count. */
export interface SinkFault {
  readonly kind: string;
  /** One line: what happened and where. */
  readonly message: string;
}

/** How a run of scripts ended: `called` of them were run, the changes of the good ones are in the message. */
export interface ScriptRunAnswer {
  readonly called: number;
  readonly result: SinkResult;
  /** The last called script failed and its binding does not say `continue`. */
  readonly fault?: SinkFault;
}

export type RunScripts<Script> = (
  msg: MailMsg,
  run: readonly ScriptBound<Script>[],
) => Promise<ScriptRunAnswer>;

/** How the chain ended. `binding` is the sink that decided. */
export type ChainOutcome =
  | { readonly kind: "passed" }
  | { readonly kind: "status"; readonly status: Exclude<MessageStatus, 0>; readonly binding: Binding }
  | {
      readonly kind: "fault";
      readonly policy: "hold" | "badmail";
      readonly binding: Binding;
      readonly fault: SinkFault;
    };

const PASSED: ChainOutcome = { kind: "passed" };

/** The sinks of one event, sorted and indexed. Immutable: a message runs one set from start to end. */
export class SinkChain<Script = unknown> {
  readonly sinks: readonly BoundSink<Script>[];
  readonly #index: RuleIndex;

  /** Equal priorities keep the order in which they are given. */
  constructor(sinks: readonly BoundSink<Script>[]) {
    this.sinks = sinks.toSorted((a, b) => a.binding.priority - b.binding.priority);
    this.#index = new RuleIndex(this.sinks.map((sink) => sink.rule));
  }

  /** Positions of the sinks whose rules match the message as it is now. */
  matches(msg: MailMsg): number[] {
    if (this.sinks.length === 0) return [];
    const { sender, recipients, origin } = msg;
    return this.#index.matches({ heloDomain: origin.heloDomain, sender, recipients: recipients.items });
  }
}

/** Calls of bindings with maxFirings so far, by binding id. A Map serves; the service keeps them in a file. */
export interface Firings {
  get(bindingId: string): number | undefined;
  set(bindingId: string, fired: number): unknown;
}

export interface DispatcherParts<Script> {
  readonly runScripts: RunScripts<Script>;
  /** Absent: they begin at nothing. */
  readonly firings?: Firings | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Dispatcher<Script> {
  /** Calls the sinks from position `from` on. */
  dispatch(chain: SinkChain<Script>, msg: MailMsg, from?: number): ChainOutcome | Promise<ChainOutcome>;
}

export function createDispatcher<Script>(parts: DispatcherParts<Script>): Dispatcher<Script> {
  const firings = new FiringCounter(parts);
  return {
    dispatch(chain, msg, from = 0) {
      return new Walk(parts, firings, chain, msg, from).run();
    },
  };
}

/** Counts notifications of bindings with maxFirings, across sets. */
class FiringCounter {
  readonly #fired: Firings;
  readonly #parts: Pick<DispatcherParts<unknown>, "clock" | "log" | "firings">;

  constructor(parts: Pick<DispatcherParts<unknown>, "clock" | "log" | "firings">) {
    this.#parts = parts;
    this.#fired = parts.firings ?? new Map<string, number>();
  }

  /** Whether the binding may be called now. */
  mayFire(binding: Binding): boolean {
    if (!binding.enabled) return false;
    if (binding.expiration !== undefined && binding.expiration <= this.#parts.clock.now()) return false;
    if (binding.maxFirings === undefined || binding.maxFirings < 0) return true;
    return (this.#fired.get(binding.id) ?? 0) < binding.maxFirings;
  }

  /** The binding is called. */
  count(binding: Binding): void {
    if (binding.maxFirings === undefined || binding.maxFirings < 0) return;
    const fired = (this.#fired.get(binding.id) ?? 0) + 1;
    this.#fired.set(binding.id, fired);
    if (fired !== binding.maxFirings) return;
    this.#parts.log.info(
      { binding: binding.displayName, maxFirings: binding.maxFirings },
      "binding reached maxFirings and is disabled",
    );
  }

  /** Takes a counted call back: the run ended before it. */
  refund(binding: Binding): void {
    if (binding.maxFirings === undefined || binding.maxFirings < 0) return;
    const fired = this.#fired.get(binding.id);
    if (fired !== undefined) this.#fired.set(binding.id, fired - 1);
  }
}

/** One message on its way through one chain. */
class Walk<Script> {
  readonly #parts: DispatcherParts<Script>;
  readonly #firings: FiringCounter;
  readonly #chain: SinkChain<Script>;
  readonly #msg: MailMsg;
  #next: number;
  #matches: number[];

  constructor(
    parts: DispatcherParts<Script>,
    firings: FiringCounter,
    chain: SinkChain<Script>,
    msg: MailMsg,
    from: number,
  ) {
    this.#parts = parts;
    this.#firings = firings;
    this.#chain = chain;
    this.#msg = msg;
    this.#next = from;
    this.#matches = chain.matches(msg);
  }

  /** Goes on as long as no sink answers with a promise. */
  run(): ChainOutcome | Promise<ChainOutcome> {
    for (let sink = this.#take(); sink !== undefined; sink = this.#take()) {
      if (sink.kind === "script") return this.#runScripts(sink);
      const before = this.#msg.snapshot();
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
    return PASSED;
  }

  /** The next sink that matches, is enabled and neither expired nor used up. */
  #peek(): BoundSink<Script> | undefined {
    for (const position of this.#matches) {
      if (position < this.#next) continue;
      const sink = this.#chain.sinks[position];
      if (sink === undefined) break;
      this.#next = position;
      if (this.#firings.mayFire(sink.binding)) return sink;
    }
    return undefined;
  }

  /** The sink of #peek, which is called now. */
  #take(): BoundSink<Script> | undefined {
    const sink = this.#peek();
    if (sink === undefined) return undefined;
    this.#next += 1;
    this.#firings.count(sink.binding);
    return sink;
  }

  async #settle(sink: NativeBound, before: MailMsgSnapshot, answer: Promise<unknown>): Promise<ChainOutcome> {
    let result: unknown;
    try {
      result = await answer;
    } catch (thrown) {
      return (
        this.#faulted(sink.binding, { kind: "throw", message: describeError(thrown) }, before) ?? this.run()
      );
    }
    return this.#judge(sink.binding, result, before) ?? this.run();
  }

  async #runScripts(first: ScriptBound<Script>): Promise<ChainOutcome> {
    const run = [first];
    const positionAfter = [this.#next];
    for (let sink = this.#peek(); sink?.kind === "script"; sink = this.#peek()) {
      this.#take();
      run.push(sink);
      positionAfter.push(this.#next);
    }
    const before = this.#addresses();
    const answer = await this.#parts.runScripts(this.#msg, run);
    for (const skipped of run.slice(answer.called)) this.#firings.refund(skipped.binding);
    this.#next = positionAfter[answer.called - 1] ?? this.#next;
    this.#rematch(before);
    const last = run[answer.called - 1] ?? first;
    if (answer.fault !== undefined) {
      return {
        kind: "fault",
        policy: last.binding.onError === "badmail" ? "badmail" : "hold",
        binding: last.binding,
        fault: answer.fault,
      };
    }
    return this.#verdict(last.binding, answer.result) ?? this.run();
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
    if (!isMessageStatus(this.#msg.status)) {
      return this.#faulted(
        binding,
        { kind: "invalid", message: `the sink set a status that does not exist` },
        before,
      );
    }
    this.#rematch(before);
    for (const fork of this.#msg.forks.slice(before.forks)) fork.resumeAt = this.#next;
    return this.#verdict(binding, answer ?? sinkResult.runNext);
  }

  #verdict(binding: Binding, result: SinkResult): ChainOutcome | undefined {
    const { status } = this.#msg;
    if (status !== messageStatus.success) return { kind: "status", status, binding };
    return result === sinkResult.skipRemaining ? PASSED : undefined;
  }

  #faulted(binding: Binding, fault: SinkFault, before: MailMsgSnapshot): ChainOutcome | undefined {
    this.#msg.restore(before);
    if (binding.onError !== "continue") return { kind: "fault", policy: binding.onError, binding, fault };
    this.#parts.log.error(
      { message: this.#msg.id, binding: binding.displayName, fault },
      "sink failed; its changes are dropped and the message goes on",
    );
    return undefined;
  }
}
