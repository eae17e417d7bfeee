// What the worker pool runs and how it answers.
import type { Splice } from "../../core/splice.ts";
import type { Content } from "../../message/content.ts";
import type {
  CallOutcome,
  Capabilities,
  JobEnvelope,
  LoadedFrame,
  ScriptCall,
  ScriptLimits,
  SentHead,
} from "../../../runtime/contract.ts";

/** One compiled version of one script, as a worker gets it. */
export interface Bundle {
  readonly version: string;
  readonly scriptName: string;
  readonly code: Buffer;
}

/** Consecutive calls on one message; `bundles` runs parallel to `calls`. */
export interface JobTask {
  readonly kind: "job";
  readonly messageId: string;
  /** The virtual server that has the message. */
  readonly server?: string | undefined;
  readonly content: Content;
  readonly envelope: JobEnvelope;
  readonly calls: readonly ScriptCall[];
  readonly bundles: readonly Bundle[];
  readonly measureHeap?: boolean;
}

/** The pre-flight of a version: load it and say what it exports. */
export interface InspectTask {
  readonly kind: "inspect";
  /** It is about to go live: what is made to look at it stays for its first message, until the version is retired. */
  readonly keep?: boolean | undefined;
  readonly bundle: Bundle;
  readonly limits: ScriptLimits;
}

export type Task = JobTask | InspectTask;

/** Where a call was run. A process begins its jobs in the order of their numbers. */
export interface JobPlace {
  readonly pid: number;
  readonly job: number;
}

/** A CallOutcome whose every field was checked, with its bytes. */
export interface CheckedOutcome extends Omit<CallOutcome, "splices" | "sent"> {
  readonly place: JobPlace;
  /** The setting of ours that let a request of the call wait for its turn, in which its time went by. */
  readonly heldBackBy?: string;
  readonly splices?: readonly Splice[];
  readonly sent?: readonly SentMessage[];
}

/** A message that a script sent. */
export interface SentMessage extends Omit<SentHead, "length"> {
  readonly bytes: Buffer;
}

export type TaskAnswer =
  | { readonly kind: "outcomes"; readonly outcomes: readonly CheckedOutcome[] }
  | { readonly kind: "inspected"; readonly loaded: LoadedFrame }
  /** The task ended its process when it ran with no other task beside it. */
  | { readonly kind: "crash"; readonly reason: string }
  /** No process could run it; nothing is known about the script. */
  | { readonly kind: "unavailable"; readonly reason: string }
  /** A version of it was suspended while the task waited. */
  | { readonly kind: "suspended" };

export function versionsOf(task: Task): readonly Bundle[] {
  return task.kind === "job" ? task.bundles : [task.bundle];
}

/** What one turn of the scripts may take at most before the process counts as stuck. */
export function timeBudgetMs(task: Task): number {
  if (task.kind === "inspect") return task.limits.timeoutMs;
  let sum = 0;
  for (const { limits, allow } of task.calls)
    sum += standsStill(allow) ? limits.timeoutMs : Math.min(limits.cpuMs, limits.timeoutMs);
  return sum;
}

/** Whether the object model may wait for the relay within a turn: saving files, the Drop folder, pages to attach. */
const standsStill = ({ write, drop, fetch }: Capabilities): boolean =>
  write !== undefined || drop === true || fetch !== undefined;
