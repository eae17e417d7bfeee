// Shadow bindings: scripts that run on live mail at their place in the chain and change nothing. The dispatcher starts them and
// never waits; what they would have done is compared with what the live binding named by compareWith did on the same message.
import type { Recipient } from "../core/envelope.ts";
import type { Content } from "../message/content.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { ScriptEffect } from "./effects.ts";
import type { ScriptBound } from "./sink.ts";

/** A message at one place of the chain. */
export interface MessagePlace {
  readonly sender: string;
  readonly recipients: readonly Recipient[];
  readonly content: Content;
}

/** What the live binding made of the message. */
export interface LiveCall<Script> {
  readonly sink: ScriptBound<Script>;
  readonly before: MessagePlace;
  readonly after: MessagePlace;
  readonly effect: ScriptEffect;
  readonly sent: number;
}

export interface ShadowRun<Script> {
  /** Called exactly once. Undefined: the live binding was not called on this message behind the shadow, or there is none. */
  compareWith(live: LiveCall<Script> | undefined): void;
}

export interface ShadowStarter<Script> {
  /** Starts the script on the message as it is now. Undefined: too many are running, this one is left out. Never throws. */
  start(sink: ScriptBound<Script>, msg: MailMsg): ShadowRun<Script> | undefined;
}

export const placeOf = (msg: MailMsg): MessagePlace => ({
  sender: msg.sender,
  recipients: msg.recipients.items,
  content: msg.content,
});

/** The shadow runs of one message that still have to learn what the live binding did. */
export class OpenComparisons<Script> {
  #open: { readonly run: ShadowRun<Script>; readonly target: number }[] = [];
  #before: MessagePlace | undefined;

  add(run: ShadowRun<Script>, target: number | undefined): void {
    if (target === undefined) run.compareWith(undefined);
    else this.#open.push({ run, target });
  }

  /** The sink at `position` is about to change the message. */
  calling(position: number, msg: MailMsg): void {
    if (this.#open.some(({ target }) => target === position)) this.#before = placeOf(msg);
  }

  called(position: number, msg: MailMsg, call: Pick<LiveCall<Script>, "sink" | "effect" | "sent">): void {
    const before = this.#before;
    if (before === undefined) return;
    this.#before = undefined;
    const live = { ...call, before, after: placeOf(msg) };
    for (const { run, target } of this.#open) if (target === position) run.compareWith(live);
    this.#open = this.#open.filter(({ target }) => target !== position);
  }

  /** The chain is over: what was not called now is not called. */
  close(): void {
    for (const { run } of this.#open) run.compareWith(undefined);
    this.#open = [];
  }
}
