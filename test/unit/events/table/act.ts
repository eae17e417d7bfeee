// One sink that does what a row of the table says, the sink behind it, and what is seen of both.
import { setImmediate } from "node:timers/promises";
import type { OnError } from "../../../../src/events/binding.ts";
import type { Doing, Ending, Row } from "../../../../src/events/expectation-rows.ts";

const ANSWERS: Partial<Record<Doing, unknown>> = {
  runNext: 0,
  skipRemaining: 1,
  consumed: 2,
  nonsense: "what?",
};

/** What the world looks like when it is over. */
export interface Shown {
  readonly ending: Ending;
  /** Whether what the sink changed can be seen. */
  readonly changed?: boolean | undefined;
  /** Bindings that the log names; absent: the stage has no log to look at. */
  readonly logged?: readonly unknown[] | undefined;
}

/** Makes the event happen with the two sinks of the act bound. */
export type Stage = (act: Act, change: string) => Promise<Shown>;

export class Act {
  readonly row: Row;
  readonly onError: OnError;
  isNextCalled = false;
  /** The first subject that the first sink was called with. */
  subject: object | undefined;
  readonly #reached = Promise.withResolvers<void>();
  readonly #kept = Promise.withResolvers<void>();

  constructor(row: Row) {
    this.row = row;
    this.onError = row.onError ?? "hold";
  }

  get status(): number | undefined {
    const value = /^status (\d)/.exec(this.row.does)?.[1];
    return value === undefined ? undefined : Number(value);
  }

  /** The status is that of a fork. */
  get isOfFork(): boolean {
    return this.row.does.endsWith("of a fork");
  }

  /** Resolves when the first sink was called. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  /** The first sink: `change` is what it does to the subject before it answers. */
  perform(subject: object, change: () => void): never {
    this.subject ??= subject;
    this.#reached.resolve();
    change();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- some rows answer what no sink may
    return this.#answer() as never;
  }

  #answer(): unknown {
    const { does } = this.row;
    if (does === "throw") throw new Error("broken");
    if (does === "rejection") return Promise.reject(new Error("broken later"));
    if (does === "promise") return this.#kept.promise;
    return does === "late" ? new Promise(() => undefined) : ANSWERS[does];
  }

  /** The sink behind it. */
  next(): undefined {
    this.isNextCalled = true;
  }

  /** Whether the promise kept the sink behind it waiting; then it is kept. */
  async keepPromise(): Promise<boolean> {
    await setImmediate();
    const waited = !this.isNextCalled;
    this.#kept.resolve();
    return waited;
  }
}
