// How the dispatcher has consecutive scripts run, as one run in the sandbox.
import type { SinkResult } from "../core/status.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { ScriptEffect, SinkFault } from "./effects.ts";
import type { ScriptBound } from "./sink.ts";

/** How a run of scripts ended: `called` of them were run, the changes of the good ones are in the message. */
export interface ScriptRunAnswer {
  readonly called: number;
  readonly result: SinkResult;
  /** The last called script failed and its binding does not say `continue`. */
  readonly fault?: SinkFault;
}

/** Told of each call of a run, in order. */
export interface ScriptRunWatch {
  /** The message is as the call found it; what the call did is applied next. */
  calling(index: number): void;
  /** What it did is in the message, or dropped with its fault. `sent`: ids of the messages that it sent. */
  called(index: number, effect: ScriptEffect, sent: readonly string[]): void;
}

export type RunScripts<Script> = (
  msg: MailMsg,
  run: readonly ScriptBound<Script>[],
  watch?: ScriptRunWatch,
) => Promise<ScriptRunAnswer>;
