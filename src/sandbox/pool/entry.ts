// A task as the pool and its processes pass it on.
import type { Task, TaskAnswer } from "./tasks.ts";

/** A task on its way through the pool. */
export interface Entry {
  readonly task: Task;
  readonly settle: (answer: TaskAnswer) => void;
  /** Estimated µs, for the choice of a worker. */
  readonly cost: number;
  /** Runs although its version is suspended, to find out whether it still has to be. */
  readonly probe: boolean;
  /** It waited in a process that ended: the next time it is a suspect. */
  wasBystander: boolean;
  /** Processes that ended while they worked on it. */
  deaths: number;
}
