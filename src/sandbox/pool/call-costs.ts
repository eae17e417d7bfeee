// What the pool learns of script versions from their calls: what a call costs, and whether it reads bodies.
import { type Task, versionsOf } from "./tasks.ts";

const UNKNOWN_COST_MICROS = 200;
/** An isolate is made for it and thrown away. Many of them shall use all processes. */
const INSPECT_MICROS = 5000;

export class CallCosts {
  #micros = new Map<string, number>();
  #readsBody = new Set<string>();

  /** µs of running time. */
  of(task: Task): number {
    if (task.kind === "inspect") return INSPECT_MICROS;
    let sum = 0;
    for (const { version } of versionsOf(task)) sum += this.#micros.get(version) ?? UNKNOWN_COST_MICROS;
    return sum;
  }

  readsBody(version: string): boolean {
    return this.#readsBody.has(version);
  }

  learn(
    calls: readonly { readonly version: string }[],
    outcomes: readonly { readonly micros: number; readonly readBody: boolean }[],
  ): void {
    for (let index = 0; index < outcomes.length; index += 1) {
      const call = calls[index];
      const outcome = outcomes[index];
      if (call === undefined || outcome === undefined) continue;
      const known = this.#micros.get(call.version) ?? outcome.micros;
      this.#micros.set(call.version, known * 0.8 + outcome.micros * 0.2);
      if (outcome.readBody) this.#readsBody.add(call.version);
    }
  }

  forget(version: string): void {
    this.#micros.delete(version);
    this.#readsBody.delete(version);
  }
}
