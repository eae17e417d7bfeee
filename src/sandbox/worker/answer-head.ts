// The outcomes of a job within what the relay takes of JSON: what has no room there is told without its log, or has failed.
import { MAX_ANSWER_HEAD_BYTES } from "../../core/frames.ts";
import type { CallOutcome } from "../../../runtime/contract.ts";

/** The frame around the outcomes, and an outcome that says no more than that it had no room. */
const FRAME_BYTES = 200;
const LEAST_BYTES = 400;
/** Most bytes that one character takes, escaped; and what stands around a text, or in a splice. */
const CHARACTER_BYTES = 6;
const ITEM_BYTES = 200;

export class AnswerHead {
  readonly outcomes: CallOutcome[] = [];
  readonly #calls: number;
  /** Upper bound of the size of the outcomes as JSON. */
  #bytes = FRAME_BYTES;

  constructor(calls: number) {
    this.#calls = calls;
  }

  /** As much of the outcome as there is room for: to be added when its effects are taken. */
  fitted(outcome: CallOutcome): CallOutcome {
    if (this.#hasRoomFor(outcome)) return outcome;
    const silent = { ...outcome, logs: [], logsDropped: outcome.logsDropped + outcome.logs.length };
    if (this.#hasRoomFor(silent)) return silent;
    const { logs, logsDropped, micros, readBody } = silent;
    const message = `the answer needs more than ${MAX_ANSWER_HEAD_BYTES} bytes beside the changed message: fewer recipients, edits or sent messages`;
    return { verdict: 0, logs, logsDropped, micros, readBody, fault: { kind: "limit", message } };
  }

  add(outcome: CallOutcome): void {
    this.#bytes += bytesAtMost(outcome);
    this.outcomes.push(outcome);
  }

  #hasRoomFor(outcome: CallOutcome): boolean {
    const room = MAX_ANSWER_HEAD_BYTES - LEAST_BYTES * (this.#calls - this.outcomes.length - 1);
    if (this.#bytes + bytesAtMost(outcome) <= room) return true;
    // Seldom, so that most answers are not written twice.
    this.#bytes = FRAME_BYTES + jsonBytes(this.outcomes);
    return this.#bytes + jsonBytes(outcome) <= room;
  }
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

function bytesAtMost(outcome: CallOutcome): number {
  const {
    logs,
    sender = "",
    recipients = NONE,
    splices = NONE,
    sent = NONE,
    changes = NONE,
    fault,
  } = outcome;
  let items = 2 + logs.length + recipients.length + splices.length + sent.length + changes.length;
  let chars = sender.length + charsOf(recipients);
  for (const { text } of logs) chars += text.length;
  for (const { what } of changes) chars += what.length;
  for (const head of sent) {
    items += head.recipients.length;
    chars += head.sender.length + (head.nextHop?.length ?? 0) + charsOf(head.recipients);
  }
  if (fault !== undefined) chars += fault.message.length + (fault.stack?.length ?? 0);
  return items * ITEM_BYTES + chars * CHARACTER_BYTES;
}

const NONE: readonly never[] = [];

function charsOf(texts: readonly string[]): number {
  let chars = 0;
  for (const text of texts) chars += text.length;
  return chars;
}
