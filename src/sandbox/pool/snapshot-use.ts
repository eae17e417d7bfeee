// Whether isolates begin with a snapshot of the runtime (decision 44): as the operator wants it, until this platform turns out to
// refuse it. What a process says of it comes from an enemy; all that it can gain is that later processes are slower.
import type { Logger } from "../../core/logger.ts";
import { isPrintable } from "../../core/printable.ts";
import { FrameViolation } from "./outcome-validation.ts";

const MAX_REASON_CHARS = 200;

/** Of all pools of a service. */
export class SnapshotUse {
  readonly #log: Logger;
  #isOn: boolean;

  constructor(isWanted: boolean, log: Logger) {
    this.#isOn = isWanted;
    this.#log = log;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  giveUp(reason: string): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#log.warn(
      { reason },
      "no snapshot of the runtime can be used here; scripts run without it, and each takes longer to begin (sandbox.snapshot: false says so beforehand)",
    );
  }
}

/** In one process: what it says, in the order in which it may. */
export class SnapshotOfProcess {
  readonly #use: SnapshotUse;
  /** Whether the process was started to make one. */
  readonly isWanted: boolean;
  #step: "none" | "begun" | "over" = "none";

  constructor(use: SnapshotUse) {
    this.#use = use;
    this.isWanted = use.isOn;
  }

  told({ step, reason = "" }: Readonly<Record<string, unknown>>): void {
    const isBeginning = step === "begun" && this.#step === "none" && this.isWanted;
    const isEnd = (step === "made" || step === "refused") && this.#step === "begun";
    if (!isBeginning && !isEnd) throw new FrameViolation("snapshot: out of order");
    if (typeof reason !== "string" || reason.length > MAX_REASON_CHARS || !isPrintable(reason))
      throw new FrameViolation("snapshot: reason");
    this.#step = isBeginning ? "begun" : "over";
    if (step === "refused") this.#use.giveUp(reason);
  }

  /** The process is gone. True: it ended by its snapshot, and no script of it is to blame. */
  ended(reason: string): boolean {
    if (this.#step !== "begun") return false;
    this.#use.giveUp(reason);
    return true;
  }
}
