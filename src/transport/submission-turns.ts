// Steps 3 to 6, from outside: whose turn it is at the sinks and at the categorizer. At most so many messages at a time, first come, first served.
// Forks become durable here, before anything is said about the message they were taken from.
import { Fifo } from "../core/fifo.ts";
import { TurnoverMap } from "../core/turnover-map.ts";
import { describeError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { messageStatus } from "../core/status.ts";
import type { Content } from "../message/content.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { Badmail } from "../store/badmail.ts";
import type { CutOff } from "../smtp/client/cut-off.ts";
import type { StoreDriver } from "../store/store-driver.ts";
import { commitAll } from "./commit-all.ts";
import type { MessageStates } from "./message-states.ts";
import type { MessageSteps } from "./message-steps.ts";
import type { QueuedMessage } from "./queued-message.ts";
import { forkedMessage } from "./sink-view.ts";
import type { CategorizedVerdict, Categorizer } from "./categorizer/categorizer.ts";
import type { ForkedResult, Submission, SubmissionResult, SubmissionVerdict } from "./submission.ts";

export type StageVerdict = SubmissionVerdict | CategorizedVerdict;
type StageResult = SubmissionResult | CategorizedVerdict;

export interface SubmissionTurnsParts<Script> {
  readonly submission: Submission<Script>;
  readonly categorizer: Categorizer;
  readonly store: StoreDriver;
  readonly states: MessageStates;
  readonly badmail: Badmail;
  readonly steps: MessageSteps;
  readonly cutOff: CutOff;
  readonly log: Logger;
  readonly maxSubmissions: number;
  /** Whether a message that waited for its turn is still to be submitted: people may have held or removed it. */
  readonly mayRun: (message: QueuedMessage) => boolean;
  /** Whether it is left alone before the sinks of its stage. Then it waits where they keep it. */
  readonly keepBack: (message: QueuedMessage) => boolean;
  readonly decided: (message: QueuedMessage, verdict: StageVerdict) => void;
  /** Takes up a fork, which is durable. */
  readonly begin: (fork: QueuedMessage) => void;
}

export class SubmissionTurns<Script> {
  readonly #parts: SubmissionTurnsParts<Script>;
  readonly #backlog = new Fifo<QueuedMessage>();
  readonly #running = new TurnoverMap<QueuedMessage, true>();
  #draining = false;
  #stopped = false;
  #onSettled: (() => void) | undefined;

  constructor(parts: SubmissionTurnsParts<Script>) {
    this.#parts = parts;
  }

  submit(message: QueuedMessage): void {
    if (this.#parts.keepBack(message)) return;
    if (this.#running.size < this.#parts.maxSubmissions && !this.#stopped) {
      this.#run(message);
      return;
    }
    this.#backlog.push(message);
    // Slow sinks must not make the relay keep everything that arrives in memory.
    this.#parts.states.limit(message);
  }

  isRunning(message: QueuedMessage): boolean {
    return this.#running.has(message);
  }

  /** Messages that sinks work on, or that wait for their turn. */
  get size(): number {
    return this.#running.size + this.#backlog.length;
  }

  /** No new turns. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when no sink works on a message any more. */
  settled(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  #run(message: QueuedMessage): void {
    this.#running.set(message, true);
    let result: StageResult | Promise<StageResult>;
    try {
      const content = this.#parts.states.load(message);
      result =
        content instanceof Promise
          ? content.then((loaded) => this.#runStage(message, loaded))
          : this.#runStage(message, content);
    } catch (thrown) {
      result = failed(thrown);
    }
    if (result instanceof Promise) {
      result.then(
        (settled) => this.#heard(message, settled),
        (thrown: unknown) => this.#heard(message, failed(thrown)),
      );
    } else {
      this.#settled(message, result);
    }
  }

  #runStage(message: QueuedMessage, content: Content): StageResult | Promise<StageResult> {
    const { submission, categorizer } = this.#parts;
    const { stage } = message;
    return stage === "OnCategorize"
      ? categorizer.run(message, content)
      : submission.run(message, stage, content);
  }

  /** What sinks say after the end is left to the next run. Forks that are on their way to the store by then are not. */
  #heard(message: QueuedMessage, result: StageResult): void {
    if (this.#parts.cutOff.isOver) this.#parts.submission.settleCalls(message, true);
    else this.#settled(message, result);
  }

  #settled(message: QueuedMessage, result: StageResult): void {
    if (result.kind === "forked") {
      void this.#commitForks(message, result);
      return;
    }
    this.#running.delete(message);
    if (result.kind === "again") {
      this.#parts.submission.settleCalls(message, true);
      this.submit(message);
    } else this.#parts.decided(message, result);
    this.#drain();
  }

  /** A loop, because sinks that answer at once would nest a call for each message of the backlog. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    while (!this.#stopped && this.#running.size < this.#parts.maxSubmissions) {
      const next = this.#backlog.shift();
      if (next === undefined) break;
      if (!this.#running.has(next) && this.#parts.mayRun(next) && !this.#parts.keepBack(next))
        this.#run(next);
    }
    this.#draining = false;
    if (this.#running.size === 0) this.#onSettled?.();
  }

  /** All forks or none: when one cannot be stored, the sinks see the whole message again later. */
  async #commitForks(message: QueuedMessage, { forks, stopped, conclude }: ForkedResult): Promise<void> {
    const { store, states, begin } = this.#parts;
    const made = forks.map((fork) => forkedMessage(fork, message));
    let committed: readonly QueuedMessage[] = [];
    try {
      await commitAll(store, made);
      committed = made;
      // Last, because what is in Badmail stays there.
      await this.#putInBadmail(message, stopped);
    } catch (thrown) {
      for (const fork of committed) store.remove(fork.id);
      const text = `a fork could not be stored: ${describeError(thrown)}`;
      this.#settled(message, { kind: "retry", reason: { by: "sink", text } });
      return;
    }
    for (const fork of made) {
      states.save(fork);
      begin(fork);
    }
    const verdict = conclude();
    for (const fork of stopped) this.#endStopped(message, fork);
    this.#settled(message, verdict);
  }

  async #putInBadmail(message: QueuedMessage, stopped: readonly MailMsg[]): Promise<void> {
    for (const fork of stopped) {
      if (fork.status !== messageStatus.badMail) continue;
      const why = { code: "BADMAIL_BY_SINK", text: whyStopped(message, fork) };
      // oxlint-disable-next-line no-await-in-loop -- one after the other: the case is rare, the files are many
      await this.#parts.badmail.put(fork.id, fork.envelope, fork.content, why);
    }
  }

  /** Of a fork that never was a message of its own: its recipients end as those of the message. */
  #endStopped(message: QueuedMessage, fork: MailMsg): void {
    const { steps, log } = this.#parts;
    const { id, sender, recipients, status } = fork;
    const reason = whyStopped(message, fork);
    const fields = {
      message: id,
      sender,
      recipients: recipients.items.map(({ address }) => address),
      reason,
    };
    if (status === messageStatus.badMail) log.warn(fields, "message moved to Badmail");
    else log.info(fields, "message discarded");
    steps.endedAll(
      message,
      status === messageStatus.badMail ? "badmail" : "discarded",
      recipients.items,
      reason,
    );
  }
}

const whyStopped = ({ id, stage }: QueuedMessage, { status }: MailMsg): string =>
  `a fork of ${id}, ${status === messageStatus.badMail ? "sent to Badmail" : "discarded"} by a sink of ${stage}`;

const failed = (thrown: unknown): SubmissionResult => ({
  kind: "retry",
  reason: { by: "sink", text: describeError(thrown) },
});
