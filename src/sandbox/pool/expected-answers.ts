// The answers that a sandbox process owes us, in the order of the requests.
import type { Entry } from "./entry.ts";
import { type Bundle, type JobTask, versionsOf } from "./tasks.ts";

export type Expected =
  | { readonly kind: "load"; readonly bundle: Bundle; readonly budgetMs: number }
  | { readonly kind: "task"; readonly entry: Entry; readonly job: number; readonly budgetMs: number };

export class ExpectedAnswers {
  readonly #expected: Expected[] = [];

  get head(): Expected | undefined {
    return this.#expected[0];
  }

  add(expected: Expected): void {
    this.#expected.push(expected);
  }

  shift(): void {
    this.#expected.shift();
  }

  taskOf(job: number): JobTask | undefined {
    const found = this.#expected.find((one) => one.kind === "task" && one.job === job);
    return found?.kind === "task" && found.entry.task.kind === "job" ? found.entry.task : undefined;
  }

  /** In the order in which they were sent. */
  get tasks(): { readonly entry: Entry; readonly job: number }[] {
    return this.#expected.flatMap((one) => (one.kind === "task" ? [one] : []));
  }

  /** The versions that the process works on now: the first suspects when it dies. */
  headVersions(): readonly Bundle[] {
    if (this.head === undefined) return [];
    return this.head.kind === "load" ? [this.head.bundle] : versionsOf(this.head.entry.task);
  }

  /** Whether a task with one of these versions is among them. */
  holdsAny(versions: readonly string[]): boolean {
    return this.tasks.some(({ entry }) =>
      versionsOf(entry.task).some(({ version }) => versions.includes(version)),
    );
  }
}
