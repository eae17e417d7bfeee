// The native sinks of an event without verbs or envelope rules (DESIGN 4, steps 2, 7 and 11), in priority order.
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { type SinkResult, sinkResult } from "../core/status.ts";
import type { Binding } from "./binding.ts";
import type { FaultPolicy } from "./catalog.ts";
import { FiringCounter, type FiringParts } from "./firings.ts";
import type { SinkContext } from "./sink.ts";

export interface SystemBound<Subject> {
  readonly binding: Binding;
  readonly onEvent: (subject: Subject, context: SinkContext) => unknown;
  readonly context: SinkContext;
}

/** Immutable: what is under way keeps the sinks that it began with. */
export class SystemChain<Subject> {
  readonly sinks: readonly SystemBound<Subject>[];

  /** Equal priorities keep the order in which they are given. */
  constructor(sinks: readonly SystemBound<Subject>[]) {
    this.sinks = sinks
      .filter(({ binding }) => binding.enabled)
      .toSorted((a, b) => a.binding.priority - b.binding.priority);
  }

  get isEmpty(): boolean {
    return this.sinks.length === 0;
  }
}

/** What the sinks are called about. */
export interface SystemCall<Subject> {
  readonly subject: Subject;
  /** The virtual server that it is about: sinks of other ones are not called. */
  readonly server: string | undefined;
  /** How a fault counts: `next-sink` whatever the binding says. */
  readonly onFault: FaultPolicy;
  /** Remembers the subject as it is; the answer puts it back: what a failed sink changed does not count. */
  readonly remember?: (() => () => void) | undefined;
  /** Nobody waits for a promise: what the sink has changed until it promised counts, and the next sink is called. */
  readonly isAtOnce?: boolean | undefined;
  /** The chain is what `admit` answered: its sinks are called whatever was used up since. */
  readonly isAdmitted?: true | undefined;
}

export type SystemOutcome =
  | { readonly kind: "passed" }
  | { readonly kind: "fault"; readonly binding: Binding; readonly message: string };

const PASSED: SystemOutcome = { kind: "passed" };

export interface SystemSinksParts extends FiringParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a promise of a sink may keep the service waiting. */
  readonly sinkDeadlineMs: number;
}

export class SystemSinks {
  readonly #parts: SystemSinksParts;
  readonly #firings: FiringCounter;

  constructor(parts: SystemSinksParts) {
    this.#parts = parts;
    this.#firings = new FiringCounter(parts);
  }

  /** The sinks that are to be called about one thing in several calls, which count as one. */
  admit<Subject>(chain: SystemChain<Subject>, server: string): SystemChain<Subject> {
    if (chain.isEmpty) return chain;
    const admitted = chain.sinks.filter(({ binding }) => this.#concerns(binding, server));
    for (const { binding } of admitted) this.#firings.count(binding);
    return admitted.length === chain.sinks.length ? chain : new SystemChain(admitted);
  }

  /** Calls the sinks in order. A promise only when one answered with a promise; it never rejects. */
  run<Subject>(
    chain: SystemChain<Subject>,
    call: SystemCall<Subject>,
    from = 0,
  ): SystemOutcome | Promise<SystemOutcome> {
    for (let index = from; index < chain.sinks.length; index += 1) {
      const sink = chain.sinks[index];
      if (sink === undefined) continue;
      if (call.isAdmitted !== true) {
        if (!this.#concerns(sink.binding, call.server)) continue;
        this.#firings.count(sink.binding);
      }
      const undo = call.remember?.();
      let answer: unknown;
      try {
        answer = sink.onEvent(call.subject, sink.context);
      } catch (thrown) {
        const outcome = this.#faulted(sink.binding, call.onFault, describeError(thrown), undo);
        if (outcome !== undefined) return outcome;
        continue;
      }
      if (answer instanceof Promise) {
        if (call.isAtOnce === true) {
          this.#leave(sink.binding, answer);
          continue;
        }
        return this.#settle(sink.binding, call.onFault, answer, undo).then((outcome) =>
          outcome === sinkResult.runNext
            ? this.run(chain, call, index + 1)
            : outcome === sinkResult.skipRemaining
              ? PASSED
              : outcome,
        );
      }
      const outcome = this.#judge(sink.binding, call.onFault, answer, undo);
      if (outcome === sinkResult.skipRemaining) return PASSED;
      if (outcome !== sinkResult.runNext) return outcome;
    }
    return PASSED;
  }

  #leave(binding: Binding, answer: Promise<unknown>): void {
    answer.catch((thrown: unknown) => this.#faulted(binding, "next-sink", describeError(thrown), undefined));
  }

  #concerns(binding: Binding, server: string | undefined): boolean {
    if (binding.server !== undefined && server !== undefined && binding.server !== server) return false;
    return this.#firings.refusal(binding) === undefined;
  }

  async #settle(
    binding: Binding,
    onFault: FaultPolicy,
    answer: Promise<unknown>,
    undo: (() => void) | undefined,
  ): Promise<SinkResult | SystemOutcome> {
    const { clock, sinkDeadlineMs } = this.#parts;
    const late = Promise.withResolvers<"late">();
    const cancel = clock.after(sinkDeadlineMs, () => late.resolve("late"));
    try {
      const first = await Promise.race([answer, late.promise]);
      if (first !== "late") return this.#judge(binding, onFault, first, undo);
      const message = `no answer within ${sinkDeadlineMs} ms`;
      return this.#faulted(binding, onFault, message, undo) ?? sinkResult.runNext;
    } catch (thrown) {
      return this.#faulted(binding, onFault, describeError(thrown), undo) ?? sinkResult.runNext;
    } finally {
      cancel();
    }
  }

  #judge(
    binding: Binding,
    onFault: FaultPolicy,
    answer: unknown,
    undo: (() => void) | undefined,
  ): SinkResult | SystemOutcome {
    if (answer === undefined || answer === sinkResult.runNext) return sinkResult.runNext;
    if (answer === sinkResult.skipRemaining) return answer;
    const message = "the sink answered neither runNext nor skipRemaining";
    return this.#faulted(binding, onFault, message, undo) ?? sinkResult.runNext;
  }

  /** Undefined when the next sink is called as if this one had not been there. */
  #faulted(
    binding: Binding,
    onFault: FaultPolicy,
    message: string,
    undo: (() => void) | undefined,
  ): SystemOutcome | undefined {
    undo?.();
    const { displayName, event, onError } = binding;
    this.#parts.log.error(
      { binding: displayName, event, fault: message },
      "sink failed; its changes are dropped",
    );
    return onFault === "next-sink" || onError === "continue"
      ? undefined
      : { kind: "fault", binding, message };
  }
}
