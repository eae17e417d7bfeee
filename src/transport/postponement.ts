// Steps 3 to 6: a message goes back to the queue before the sinks of its event, to be tried again, or is left alone.
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { MessageStates } from "./message-states.ts";
import type { MessageSteps } from "./message-steps.ts";
import type { PreSubmissionQueue } from "./queues/pre-submission-queue.ts";
import { adviceFor } from "./queues/hold-advice.ts";
import type { HoldReason, QueuedMessage } from "./queued-message.ts";
import type { Submission } from "./submission.ts";

export interface PostponementParts {
  readonly waiting: PreSubmissionQueue;
  readonly states: MessageStates;
  readonly steps: MessageSteps;
  readonly submission: Pick<Submission<unknown>, "settleCalls">;
  readonly retryDelayMs: (attempts: number) => number;
  /** Looks whether it has waited for too long. */
  readonly check: (message: QueuedMessage) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Faults of scripts that were not run: there is none, it is suspended, or no process can be had. */
const NOTHING_RAN: ReadonlySet<string | undefined> = new Set(["missing", "suspended", "unavailable"]);

export class Postponement {
  readonly #parts: PostponementParts;

  constructor(parts: PostponementParts) {
    this.#parts = parts;
  }

  /** One of the sinks failed, or asked for it. It expires like any other message. `hold`: people see it as held. */
  postpone(message: QueuedMessage, reason: HoldReason, kind: "hold" | "retry"): void {
    const { waiting, states, steps, submission, retryDelayMs, check, clock, log } = this.#parts;
    submission.settleCalls(message, true);
    const now = clock.now();
    const due = message.triedBefore ?? 0;
    message.triedBefore = undefined;
    // A reload tries all that is held. Where not even then a script ran, the message waits as if nothing had been.
    const isAttempt = due <= now || !NOTHING_RAN.has(reason.faultKind);
    if (isAttempt) message.attempts += 1;
    message.held = kind === "hold" ? reason : undefined;
    message.nextAttempt = isAttempt ? now + retryDelayMs(message.attempts) : due;
    if (reason.poison === true) message.nextAttempt = undefined;
    const nextAttempt =
      message.nextAttempt === undefined ? "when released" : new Date(message.nextAttempt).toISOString();
    const fields = { message: message.id, reason: reason.text, attempts: message.attempts, nextAttempt };
    steps.postponed(message, reason);
    if (kind === "hold")
      log.error({ ...fields, advice: adviceFor(message) }, "message held: a sink failed on it");
    else log.warn(fields, "message goes back to the queue before the sinks");
    states.save(message);
    states.drop(message);
    waiting.add(message, reason);
    check(message);
  }

  /** In a queue that the operator has frozen it waits, on disk, for as long as its kind of mail may. */
  keepBack(message: QueuedMessage): boolean {
    const { waiting, states } = this.#parts;
    if (!waiting.isFrozen(message)) return false;
    states.save(message);
    states.drop(message);
    waiting.add(message);
    return true;
  }

  /** MP_STATUS_ABANDON_DELIVERY: it stays as the store has it, and is taken up from there at the next start. */
  abandon(message: QueuedMessage, reason: HoldReason): void {
    const { waiting, states, steps, submission, log } = this.#parts;
    submission.settleCalls(message, true);
    message.held = reason;
    message.nextAttempt = undefined;
    steps.postponed(message, reason);
    log.warn({ message: message.id, reason: reason.text }, "message left alone until the restart");
    states.drop(message);
    waiting.add(message, reason);
  }
}
