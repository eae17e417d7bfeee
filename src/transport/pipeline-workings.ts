// What the pipeline works with, and what each of them asks of the others and of the pipeline.
import type { TurnoverMap } from "../core/turnover-map.ts";
import type { RecoveredMessage } from "../store/store-driver.ts";
import { Conclusions } from "./categorizer/conclusions.ts";
import { Deliveries } from "./deliveries.ts";
import { Endings } from "./endings.ts";
import { MessageStates } from "./message-states.ts";
import { Parking } from "./queues/parking.ts";
import type { PipelineParts } from "./parts.ts";
import { Patience } from "./patience.ts";
import { PendingWrites } from "./pending-writes.ts";
import { Postponement } from "./postponement.ts";
import type { QueuedMessage } from "./queued-message.ts";
import type { RetryPolicy } from "./retry-policy.ts";
import { type StageVerdict, SubmissionTurns } from "./submission-turns.ts";
import { Superseding } from "./superseding.ts";

/** The pipeline, as its workings see it. */
export interface PipelineSteps {
  readonly messages: TurnoverMap<string, QueuedMessage>;
  readonly retry: () => RetryPolicy;
  readonly isInHand: (message: QueuedMessage) => boolean;
  /** Reads a message back into memory; new: at the start of the service. */
  readonly revive: (recovered: RecoveredMessage, isNew: boolean) => QueuedMessage;
  readonly goOn: (message: QueuedMessage) => void;
  /** A fork that a sink has split off, durable. */
  readonly enter: (fork: QueuedMessage) => void;
  readonly submitted: (message: QueuedMessage, verdict: StageVerdict) => void;
  /** A copy that the categorizer has split off, durable. */
  readonly beginCopy: (copy: QueuedMessage) => void;
  readonly categorized: (message: QueuedMessage) => void;
  readonly discard: (message: QueuedMessage, reason: string) => void;
}

export class PipelineWorkings<Script> {
  readonly #parts: PipelineParts<Script>;
  readonly #pipeline: PipelineSteps;
  readonly states: MessageStates;
  readonly writes: PendingWrites;
  readonly turns: SubmissionTurns<Script>;
  readonly conclusions: Conclusions;
  readonly postponement: Postponement;
  readonly deliveries: Deliveries;
  readonly parking: Parking;
  readonly superseding: Superseding;
  readonly patience: Patience;
  readonly endings: Endings;

  constructor(parts: PipelineParts<Script>, pipeline: PipelineSteps) {
    this.#parts = parts;
    this.#pipeline = pipeline;
    this.writes = new PendingWrites(parts.log);
    this.states = this.#createStates();
    this.turns = this.#createTurns();
    this.deliveries = this.#createDeliveries();
    this.parking = this.#createParking();
    this.superseding = this.#createSuperseding();
    this.endings = this.#createEndings();
    this.patience = this.#createPatience();
    this.postponement = this.#createPostponement();
    this.conclusions = this.#createConclusions();
  }

  #createStates(): MessageStates {
    const { steps } = this.#parts;
    return new MessageStates({
      ...this.#parts,
      whenKept: (go) => steps.whenKept(go),
      saved: (message) => this.parking.saved(message),
    });
  }

  #createTurns(): SubmissionTurns<Script> {
    const { waiting, settings } = this.#parts;
    const { messages, submitted, enter } = this.#pipeline;
    return new SubmissionTurns({
      ...this.#parts,
      states: this.states,
      maxSubmissions: settings.maxSubmissions,
      mayRun: (message) =>
        message.phase === "submission" &&
        messages.get(message.id) === message &&
        !waiting.has(message) &&
        !this.writes.has(message),
      keepBack: (message) => this.postponement.keepBack(message),
      decided: submitted,
      begin: enter,
    });
  }

  #createDeliveries(): Deliveries {
    const { messages, retry } = this.#pipeline;
    return new Deliveries({
      ...this.#parts,
      states: this.states,
      writes: this.writes,
      retryDelayMs: (attempts) => retry().delayMs(attempts),
      isLive: (message) => messages.get(message.id) === message,
      placed: (message) => this.endings.finishOrSave(message),
    });
  }

  #createParking(): Parking {
    const { store, waiting, queues, settings, clock, log } = this.#parts;
    const { messages, revive, goOn } = this.#pipeline;
    return new Parking({
      store,
      maxInMemory: settings.maxInMemory,
      messages,
      revive,
      goOn,
      check: (message) => this.patience.check(message),
      resting: (message, isTight) => {
        if (this.writes.has(message) || this.states.isUntold(message)) return undefined;
        if (message.phase === "delivery") return this.deliveries.resting(message, isTight);
        return waiting.resting(message);
      },
      wouldRest: (message, isTight) => this.deliveries.wouldRest(message, isTight),
      forget: (id) => store.remove(id),
      letGo: (message) => {
        messages.delete(message.id);
        this.deliveries.end(message);
        waiting.remove(message);
        this.states.release(message);
      },
      pump: (key) => queues.pump(key),
      inSubmission: () => this.turns.size,
      clock,
      log,
    });
  }

  #createSuperseding(): Superseding {
    const { messages, isInHand, discard } = this.#pipeline;
    return new Superseding({
      messages,
      isInHand,
      wake: (ids, before) => this.parking.bringAll(ids, before),
      discard,
      log: this.#parts.log,
    });
  }

  #createEndings(): Endings {
    const { storeSinks } = this.#parts;
    return new Endings({
      ...this.#parts,
      messages: this.#pipeline.messages,
      deliveries: this.deliveries,
      states: this.states,
      writes: this.writes,
      ended: (message) => {
        this.superseding.ended(message);
        storeSinks?.tell("deleted", message);
      },
      postpone: (message, text) => this.postponement.postpone(message, { by: "sink", text }, "hold"),
    });
  }

  #createPatience(): Patience {
    return new Patience({
      ...this.#parts,
      deliveries: this.deliveries,
      endings: this.endings,
      writes: this.writes,
      retry: this.#pipeline.retry,
      clock: this.#parts.ages,
    });
  }

  #createPostponement(): Postponement {
    const { retry } = this.#pipeline;
    return new Postponement({
      ...this.#parts,
      states: this.states,
      retryDelayMs: (attempts) => retry().delayMs(attempts),
      check: (message) => this.patience.check(message),
    });
  }

  #createConclusions(): Conclusions {
    const { beginCopy, categorized } = this.#pipeline;
    return new Conclusions({
      ...this.#parts,
      states: this.states,
      writes: this.writes,
      begin: beginCopy,
      passed: categorized,
      over: (message) => this.endings.over(message),
      postpone: (message, text) => this.postponement.postpone(message, { by: "sink", text }, "retry"),
    });
  }
}
