// What one run of a chain did to one message, for the effect log. The submission begins a run, the dispatcher fills it while it
// walks, and the recorder gets it once, when it is known what became of the message.
import type { Envelope } from "../core/envelope.ts";
import type { MessageStatus, SinkResult } from "../core/status.ts";
import type { Content } from "../message/content.ts";
import type { MailMsg, MailMsgSnapshot } from "../message/mail-msg.ts";
import type { CategorizationEffect } from "./categorize-effects.ts";
import type { SinkChain } from "./dispatcher.ts";

/** Why a sink's answer does not count. */
export interface SinkFault {
  readonly kind: string;
  /** One line: what happened and where. */
  readonly message: string;
  /** Of the script that failed. */
  readonly version?: string | undefined;
}

/** Why a binding whose rule matched was not called; `busy`: too many shadow runs at a time. */
export type PassReason = "disabled" | "expired" | "used up" | "busy";

/** What a native sink changed. */
export interface NativeEffect {
  readonly position: number;
  readonly micros: number;
  readonly verdict: SinkResult;
  readonly status: MessageStatus;
  readonly fault?: SinkFault | undefined;
  readonly sender: boolean;
  readonly recipients: boolean;
  readonly header: boolean;
  readonly content: boolean;
}

/** What a script call did, as the script sink tells it. */
export interface ScriptEffect {
  readonly verdict: SinkResult;
  readonly status?: number | undefined;
  readonly sender?: string | undefined;
  readonly recipients?: readonly string[] | undefined;
  /** Committed edits with their position in the bundle. */
  readonly changes?: readonly ChangeMark[] | undefined;
  readonly micros: number;
  readonly heapBytes?: number | undefined;
  /** The sandbox process that ran it, and the number of the job there. */
  readonly place?: { readonly pid: number; readonly job: number } | undefined;
  readonly fault?: SinkFault | undefined;
}

export interface ChangeMark {
  readonly what: string;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

export interface ScriptCalled {
  readonly position: number;
  readonly effect: ScriptEffect;
  /** Ids of the messages that it sent. */
  readonly sent: readonly string[];
}

export type CallEffect = NativeEffect | ScriptCalled;

/** What became of the message. */
export interface RunEnd {
  readonly kind: "submitted" | "discarded" | "badmail" | "retry" | "hold" | "again";
  readonly text?: string | undefined;
}

/** A message with more bindings passed over than this has them recorded as far as this. */
const MAX_PASSED_OVER = 100;
const NOTHING_SENT: readonly string[] = [];

export class EffectRun<Script> {
  readonly id: string;
  readonly envelope: Envelope;
  /** As it was before the first sink. */
  readonly content: Content;
  readonly chain: SinkChain<Script>;
  readonly from: number;
  readonly calls: CallEffect[] = [];
  /** Positions whose rules matched and which were not called. */
  passedOver: [position: number, reason: PassReason][] | undefined;
  /** Shadow bindings that were started. */
  shadows: number[] | undefined;
  /** Sinks from here on were not reached. */
  reached: number;

  constructor(id: string, envelope: Envelope, content: Content, chain: SinkChain<Script>, from: number) {
    this.id = id;
    this.envelope = envelope;
    this.content = content;
    this.chain = chain;
    this.from = from;
    this.reached = from;
  }

  passOver(position: number, reason: PassReason): void {
    this.passedOver ??= [];
    if (this.passedOver.length >= MAX_PASSED_OVER) return;
    // A sink may be looked at again when a run of scripts ended before it.
    if (!this.passedOver.some(([known]) => known === position)) this.passedOver.push([position, reason]);
  }

  startShadow(position: number): void {
    this.shadows ??= [];
    this.shadows.push(position);
  }

  native(
    position: number,
    call: { readonly micros: number; readonly before: MailMsgSnapshot; readonly after: MailMsg },
    verdict: SinkResult,
    fault?: SinkFault,
  ): void {
    const { micros, before, after } = call;
    const { content } = after;
    const edited = content !== before.content;
    this.calls.push({
      position,
      micros,
      verdict,
      status: after.status,
      fault,
      sender: after.sender !== before.sender,
      recipients: after.recipients.items !== before.recipients,
      header: edited && !content.header.equals(before.content.header),
      content: edited,
    });
    this.reached = position + 1;
  }

  script(position: number, effect: ScriptEffect, sent: readonly string[] = NOTHING_SENT): void {
    this.calls.push({ position, effect, sent });
    this.reached = position + 1;
  }
}

/** Keeps what runs did. Implemented in the composition root on the effect log of src/observe. */
export interface EffectRecorder<Script> {
  /** Undefined while nothing is recorded. */
  begin(
    id: string,
    envelope: Envelope,
    content: Content,
    chain: SinkChain<Script>,
    from: number,
  ): EffectRun<Script> | undefined;
  end(run: EffectRun<Script>, end: RunEnd, forks: readonly string[]): void;
  /** A message was categorized; `effect` is asked for while categorization is recorded. */
  categorized(effect: () => CategorizationEffect): void;
}
