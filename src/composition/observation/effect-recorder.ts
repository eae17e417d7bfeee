// Keeps what the sinks did to each message: turns runs into lines of the effect log (docs/decisions/0018).
import { createHash } from "node:crypto";
import type { Envelope } from "../../core/envelope.ts";
import type { Clock } from "../../core/clock.ts";
import type { CategorizationEffect } from "../../events/categorize-effects.ts";
import type { SinkChain } from "../../events/dispatcher.ts";
import { type EffectRecorder, EffectRun, type RunEnd } from "../../events/effects.ts";
import type { BoundSink } from "../../events/sink.ts";
import type { Content } from "../../message/content.ts";
import type { BindingLine } from "../../observe/effect-lines.ts";
import type { ChainText, EffectLog } from "../../observe/effect-log.ts";
import type { AskedRequests } from "../../sandbox/capabilities/asked-requests.ts";
import { ChangePlaces } from "../../sandbox/versions/change-places.ts";
import type { ScriptTarget } from "../../sandbox/script-sink.ts";
import type { ShadowResult, ShadowRecorder } from "../../sandbox/shadow-runs.ts";
import { categorizationText } from "./categorization-text.ts";
import {
  addressesText,
  askedText,
  callText,
  effectText,
  envelopeText,
  firstOf,
  messageIdOf,
  quote,
} from "./effect-text.ts";

const ID_DIGITS = 16;

export class EffectWriter implements EffectRecorder<ScriptTarget>, ShadowRecorder {
  readonly #log: EffectLog;
  readonly #clock: Clock;
  readonly #asked: AskedRequests | undefined;
  readonly #server: string;
  readonly #places = new ChangePlaces();
  readonly #chains = new WeakMap<SinkChain<ScriptTarget>, ChainText>();

  /** `server`: the virtual server whose messages they are. */
  constructor(log: EffectLog, clock: Clock, asked?: AskedRequests, server?: string) {
    this.#log = log;
    this.#server = server === undefined ? "" : `"server":${quote(server)},`;
    this.#clock = clock;
    this.#asked = asked;
  }

  get recording(): boolean {
    return this.#log.enabled;
  }

  begin(
    id: string,
    envelope: Envelope,
    content: Content,
    chain: SinkChain<ScriptTarget>,
    from: number,
  ): EffectRun<ScriptTarget> | undefined {
    // Where nothing is bound there is nothing to explain, and a relay without sinks pays nothing.
    const isBound = chain.sinks.length + chain.disabled.length > 0;
    return isBound && this.#log.enabled ? new EffectRun(id, envelope, content, chain, from) : undefined;
  }

  end(run: EffectRun<ScriptTarget>, end: RunEnd, forks: readonly string[]): void {
    const { sinks } = run.chain;
    const chain = this.#chainOf(run.chain);
    const now = this.#clock.now();
    let line = `${this.#messageText(run, now)},"chain":"${chain.id}"`;
    if (run.from > 0) line += `,"start":${run.from}`;
    line += `,"reached":${run.reached}`;
    if (run.passedOver !== undefined) line += `,"passedOver":${JSON.stringify(run.passedOver)}`;
    if (run.shadows !== undefined) line += `,"shadows":[${run.shadows.join(",")}]`;
    line += ',"calls":[';
    let separator = "";
    for (const call of run.calls) {
      const sink = sinks[call.position];
      const script = sink?.kind === "script" ? sink.script.script : undefined;
      const asked = script === undefined ? undefined : this.#asked?.take(run.id, script.version);
      line += separator + callText(call, script, this.#places, asked);
      separator = ",";
    }
    line += `],"end":"${end.kind}"`;
    if (end.text !== undefined) line += `,"why":${quote(end.text)}`;
    if (forks.length > 0) line += `,"forks":${JSON.stringify(forks)}`;
    this.#log.write(`${line}}\n`, now, chain);
  }

  categorized(made: () => CategorizationEffect): void {
    if (!this.#log.enabled) return;
    const effect = made();
    const now = this.#clock.now();
    this.#log.write(`${this.#messageText(effect, now)},${categorizationText(effect)}}\n`, now);
  }

  /** The beginning of a line. */
  #messageText(of: Pick<EffectRun<unknown>, "id" | "envelope" | "content">, now: number): string {
    const messageId = messageIdOf(of);
    const field = messageId === undefined ? "" : `"messageId":${quote(messageId)},`;
    return `{"id":"${of.id}","time":${now},${this.#server}${field}${envelopeText(of.envelope)}`;
  }

  shadow({ id, sink, effect, wouldSend, live, differs, why }: ShadowResult): void {
    const { scriptName, script } = sink.script;
    const now = this.#clock.now();
    let line = `{"id":"${id}","time":${now},"shadow":{"name":${quote(sink.binding.displayName)}`;
    line += `,"script":${quote(scriptName)},${effectText(effect, script, this.#places)}`;
    line += askedText(script === undefined ? undefined : this.#asked?.take(id, script.version));
    if (wouldSend.length > 0) line += `,"wouldSend":[${firstOf(wouldSend).map(addressesText).join(",")}]`;
    line += "}";
    if (live !== undefined) {
      const { sink: compared, effect: did, sent } = live;
      line += `,"live":{"name":${quote(compared.binding.displayName)}`;
      line += `,${effectText(did, compared.script.script, this.#places)}${sent === 0 ? "" : `,"sent":${sent}`}}`;
    }
    if (differs !== undefined) line += `,"differs":${JSON.stringify(differs)}`;
    if (why !== undefined) line += `,"why":${quote(why)}`;
    this.#log.write(`${line}}\n`, now);
  }

  #chainOf(chain: SinkChain<ScriptTarget>): ChainText {
    const known = this.#chains.get(chain);
    if (known !== undefined) return known;
    // Without bindings nothing is recorded.
    const event = (chain.sinks[0] ?? chain.disabled[0])?.binding.event;
    const bindings = JSON.stringify([
      ...chain.sinks.map((sink) => bindingLine(sink, chain)),
      ...chain.disabled.map((sink) => ({ ...bindingLine(sink, chain), disabled: true })),
    ]);
    const members = `"event":"${event}","bindings":${bindings}`;
    const id = createHash("sha256").update(members).digest("hex").slice(0, ID_DIGITS);
    const text = { id, line: `{"chain":"${id}",${members}}\n` };
    this.#chains.set(chain, text);
    return text;
  }
}

function bindingLine(sink: BoundSink<ScriptTarget>, chain: SinkChain<ScriptTarget>): BindingLine {
  const { displayName: name, sinkClass, rule, priority, server, onError } = sink.binding;
  const isScript = sink.kind === "script";
  const target = isScript && sink.shadowOf !== undefined ? chain.comparedWith(sink) : undefined;
  return {
    name,
    script: isScript ? sink.script.scriptName : undefined,
    sinkClass: isScript ? undefined : sinkClass,
    rule,
    server,
    priority,
    onError,
    shadowOf:
      isScript && sink.shadowOf !== undefined
        ? (chain.sinks[target ?? -1]?.binding.displayName ?? "")
        : undefined,
  };
}
