// How a native sink is written, and what the dispatcher holds of every sink (docs/sinks.md).
import type { Logger } from "../core/logger.ts";
import type { SinkResult } from "../core/status.ts";
import type { PropertyIdRange } from "../message/property-ids.ts";
import type { Binding, SinkProperties } from "./binding.ts";
import {
  type EventName,
  type EventOf,
  type EventSubject,
  type MailEvent,
  type RegisteredName,
  findEvent,
} from "./catalog.ts";
import type { ProtocolAnswer, ProtocolSubject } from "./contexts/protocol-contexts.ts";
import { type Rule, parseRule } from "./rule.ts";
import { SinkPropertyError } from "./sink-property-error.ts";

/** The sink properties of the binding, read-only (the original's IPersistPropertyBag). Names are not case-sensitive. */
export interface PropertyBag {
  /** As they are spelled. */
  readonly names: readonly string[];
  /** Undefined when the binding does not give it. */
  get(name: string): string | number | boolean | undefined;
  /** As get, for a value that has to be a text. */
  text(name: string, fallback: string): string;
  /** As get, for a value that has to be a finite number. Throws SinkPropertyError on anything else. */
  number(name: string, fallback: number): number;
}

export interface SinkContext {
  readonly properties: PropertyBag;
  /** The service's log; each line names the binding. */
  readonly log: Logger;
  /** The binding by which the sink is called. */
  readonly binding: Binding;
  /** An id for MailMsg.forkForRecipients. */
  nextMessageId(): string;
  /** Numbers for private properties of `owner`, a GUID or a name: the same ones at every start. */
  readonly allocPropertyIds: (owner: string, count: number) => PropertyIdRange;
}

/** S_OK is `sinkResult.runNext` (also undefined), S_FALSE `sinkResult.skipRemaining`. */
type AnswerAtOnce = SinkResult | undefined | void;

/** A promise is S_PENDING. */
export type SinkAnswer = AnswerAtOnce | Promise<AnswerAtOnce>;

export interface NativeSink<Name extends EventName = EventName, Registered extends RegisteredName = Name> {
  readonly event: Registered;
  /** What a binding takes when the configuration does not say otherwise. */
  readonly binding?: { readonly rule?: string; readonly priority?: number };
  /** Called when the configuration is read. Throws on sink properties that cannot be used: the configuration is refused then. */
  checkProperties?(properties: PropertyBag): void;
  onEvent(subject: EventSubject<Name>, context: SinkContext): AnswerOf<Name>;
}

type AnswerOf<Name extends EventName> =
  EventSubject<Name> extends ProtocolSubject
    ? ProtocolAnswer
    : Name extends "GetAuxDomainInfoFlags"
      ? AnswerAtOnce
      : SinkAnswer;

/** A native sink of any event, told apart by `event`. */
export type AnyNativeSink = { [Name in EventName]: NativeSink<Name> }[EventName];

/** Types and marks a native sink: `export default defineSink({ event, onEvent })`. */
export function defineSink<Name extends RegisteredName>(
  sink: NativeSink<EventOf<Name>, Name>,
): NativeSink<EventOf<Name>, Name> {
  return sink;
}

/** A module names its event as a binding does: by any registered name, without regard to case. */
export function isSinkOf<Name extends EventName>(
  sink: AnyNativeSink | NativeSink<Name>,
  event: Name,
): sink is NativeSink<Name> {
  return findEvent(sink.event) === event;
}

export interface NativeBound {
  readonly kind: "native";
  readonly binding: Binding;
  readonly rule: Rule | undefined;
  readonly sink: Pick<NativeSink<MailEvent>, "event" | "onEvent">;
  readonly context: SinkContext;
}

/** `Script` is what the script host needs to run the version that was live when this set was made. */
export interface ScriptBound<Script = unknown> {
  readonly kind: "script";
  readonly binding: Binding;
  readonly rule: Rule | undefined;
  readonly script: Script;
  /** Set on a shadow binding: it changes nothing, and is compared with the live binding of this id, when there is one. */
  readonly shadowOf?: { readonly bindingId: string | undefined } | undefined;
}

export type BoundSink<Script = unknown> = NativeBound | ScriptBound<Script>;

/** The rule of a binding, compiled; what cannot be parsed is logged and ignored. */
export function compileRule(binding: Binding, log: Logger): Rule | undefined {
  if (binding.rule === undefined || binding.rule.trim() === "") return undefined;
  const rule = parseRule(binding.rule);
  if (rule.ignored.length > 0) {
    log.warn(
      { binding: binding.displayName, ignored: rule.ignored },
      "rule has conditions that cannot be parsed; they are ignored",
    );
  }
  return rule;
}

export function createPropertyBag(properties: SinkProperties): PropertyBag {
  const values = new Map(Object.entries(properties).map(([name, value]) => [name.toLowerCase(), value]));
  const get: PropertyBag["get"] = (name) => values.get(name.toLowerCase());
  return {
    names: Object.keys(properties),
    get,
    text: (name, fallback) => String(get(name) ?? fallback),
    number(name, fallback) {
      const value = Number(get(name) ?? fallback);
      if (!Number.isFinite(value)) throw new SinkPropertyError(name, `sink property ${name} is no number`);
      return value;
    },
  };
}
