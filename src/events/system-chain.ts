// The native sinks of an event without verbs or envelope rules (steps 2, 7 and 11 of ARCHITECTURE.md), in priority order.
import type { Clock } from "../core/clock.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { type SinkResult, sinkResult } from "../core/status.ts";
import type { Binding } from "./binding.ts";
import type { FaultPolicy, PromisePolicy } from "./catalog.ts";
import type { PassReason } from "./effects.ts";
import { FiringCounter, type FiringParts } from "./firings.ts";
import { OpenPromises } from "./open-promises.ts";
import { answerInTime } from "./sink-deadline.ts";
import type { SinkContext } from "./sink.ts";

export interface SystemBound<Subject> {
  readonly binding: Binding;
  readonly onEvent: (subject: Subject, context: SinkContext) => unknown;
  readonly context: SinkContext;
}

/** Immutable: what is under way keeps the sinks that it began with. */
export class SystemChain<Subject> {
  readonly sinks: readonly SystemBound<Subject>[];
  /** Bindings that are declared and not part of the chain: for people who ask why they were not called. */
  readonly disabled: readonly Binding[];

  /** Equal priorities keep the order in which they are given. */
  constructor(sinks: readonly SystemBound<Subject>[]) {
    this.disabled = sinks.flatMap(({ binding }) => (binding.enabled ? [] : [binding]));
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
  /** Absent: the call waits for them. `counted`: it does, nobody waits for the call, and only so many may be open. */
  readonly promises?: PromisePolicy | "counted" | undefined;
  /** The chain is what `admit` answered: its sinks are called whatever was used up since. */
  readonly isAdmitted?: true | undefined;
}

export type SystemOutcome =
  /** `skippedBy`: the binding whose sink wanted no other one called behind it. */
  | { readonly kind: "passed"; readonly skippedBy?: Binding }
  | { readonly kind: "fault"; readonly binding: Binding; readonly message: string };

const PASSED: SystemOutcome = { kind: "passed" };
const DEFAULT_OPEN_PROMISES = 1000;
const PROMISED = "the sink answered with a promise, and its answer is needed at once";

export interface SystemSinksParts extends FiringParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long a promise of a sink may keep the service waiting, or count as open where nobody waits. */
  readonly sinkDeadlineMs: number;
  /** Promises that one sink may have open where nobody waits for them. */
  readonly maxOpenPromises?: number | undefined;
}

export class SystemSinks {
  readonly #parts: SystemSinksParts;
  readonly #firings: FiringCounter;
  readonly #open: OpenPromises;

  constructor(parts: SystemSinksParts) {
    const { maxOpenPromises: max = DEFAULT_OPEN_PROMISES, sinkDeadlineMs: deadlineMs, clock, log } = parts;
    this.#parts = parts;
    this.#firings = new FiringCounter(parts);
    this.#open = new OpenPromises({ max, deadlineMs, clock, log });
  }

  /** The sinks that are to be called about a message in several calls, which count as one, unless it comes back to them. */
  admit<Subject>(chain: SystemChain<Subject>, server: string, message: string): SystemChain<Subject> {
    if (chain.isEmpty) return chain;
    const admitted = chain.sinks.filter(({ binding }) => this.#concerns(binding, server));
    for (const { binding } of admitted) this.#firings.begin(binding, message);
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
      if (sink === undefined || !this.#mayCall(sink.binding, call)) continue;
      const outcome = this.#call(sink, call);
      if (outcome instanceof Promise)
        return outcome.then((settled) =>
          settled === sinkResult.runNext
            ? this.run(chain, call, index + 1)
            : this.#ended(call, ofEnd(settled, sink.binding)),
        );
      if (outcome !== sinkResult.runNext) return this.#ended(call, ofEnd(outcome, sink.binding));
    }
    return this.#ended(call, PASSED);
  }

  /** What they were called about waits after a fault, and comes back to them. */
  #ended<Subject>(call: SystemCall<Subject>, outcome: SystemOutcome): SystemOutcome {
    this.#firings.settle(call, outcome.kind === "fault");
    return outcome;
  }

  /** Whether the sink may be called; if so, the call begins. */
  #mayCall<Subject>(binding: Binding, call: SystemCall<Subject>): boolean {
    const { server, promises, isAdmitted } = call;
    if (isAdmitted === true) return true;
    if (!this.#concerns(binding, server)) return false;
    if ((promises === "left" || promises === "counted") && !this.#open.admits(binding)) return false;
    this.#firings.begin(binding, call);
    return true;
  }

  #call<Subject>(
    { binding, onEvent, context }: SystemBound<Subject>,
    { subject, onFault, remember, promises }: SystemCall<Subject>,
  ): SinkResult | SystemOutcome | Promise<SinkResult | SystemOutcome> {
    const undo = remember?.();
    let answer: unknown;
    try {
      answer = onEvent(subject, context);
    } catch (thrown) {
      return this.#faulted(binding, onFault, describeError(thrown), undo) ?? sinkResult.runNext;
    }
    if (!(answer instanceof Promise)) return this.#judge(binding, onFault, answer, undo);
    switch (promises) {
      case undefined:
        return this.#settle(binding, onFault, answer, undo);
      case "counted":
        return this.#settle(binding, onFault, answer, undo).finally(this.#open.begin(binding));
      case "left":
        this.#open.leave(binding, answer);
        return sinkResult.runNext;
      case "refused":
        // The promise itself is the fault, and is logged as such: how it ends concerns nobody.
        answer.catch(() => undefined);
        return this.#faulted(binding, onFault, PROMISED, undo) ?? sinkResult.runNext;
    }
  }

  #concerns(binding: Binding, server: string | undefined): boolean {
    return this.refusal(binding, server) === undefined;
  }

  /** Why the binding is not called about something of this virtual server. */
  refusal(binding: Binding, server: string | undefined): PassReason | "of another server" | undefined {
    if (binding.server !== undefined && server !== undefined && binding.server !== server)
      return "of another server";
    return this.#firings.refusal(binding);
  }

  async #settle(
    binding: Binding,
    onFault: FaultPolicy,
    answer: Promise<unknown>,
    undo: (() => void) | undefined,
  ): Promise<SinkResult | SystemOutcome> {
    try {
      return this.#judge(binding, onFault, await answerInTime(answer, this.#parts), undo);
    } catch (thrown) {
      return this.#faulted(binding, onFault, describeError(thrown), undo) ?? sinkResult.runNext;
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

const ofEnd = (outcome: typeof sinkResult.skipRemaining | SystemOutcome, skippedBy: Binding): SystemOutcome =>
  outcome === sinkResult.skipRemaining ? { kind: "passed", skippedBy } : outcome;
