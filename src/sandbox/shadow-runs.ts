// Runs shadow bindings: a script on live mail, on processes of its own, whose outcome is recorded and never applied.
import { createHash } from "node:crypto";
import type { Logger } from "../core/logger.ts";
import {
  type LiveCall,
  type MessagePlace,
  type ShadowRun,
  type ShadowStarter,
  placeOf,
} from "../events/shadow.ts";
import type { ScriptBound } from "../events/sink.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { Capabilities } from "../../runtime/contract.ts";
import type { RunAnswer, RunRequest, ScriptOutcome } from "./script-host.ts";
import { HEAP_SAMPLE, type ScriptTarget, jobEnvelope, writeLogs } from "./script-sink.ts";

export interface ShadowResult {
  /** Of the message. */
  readonly id: string;
  readonly sink: ScriptBound<ScriptTarget>;
  readonly effect: ScriptOutcome;
  /** Recipients of the messages that it would have sent. */
  readonly wouldSend: readonly (readonly string[])[];
  readonly live: LiveCall<ScriptTarget> | undefined;
  /** Empty: the same effect. Undefined: not comparable, and `why` says why. */
  readonly differs: readonly string[] | undefined;
  readonly why: string | undefined;
}

export interface ShadowRecorder {
  /** While nothing is recorded, nothing needs to run. */
  readonly recording: boolean;
  shadow(result: ShadowResult): void;
}

export interface ShadowParts {
  readonly host: { runShadow(request: RunRequest): Promise<RunAnswer> };
  readonly recorder: ShadowRecorder;
  /** Shadow runs at a time; messages beyond it are left out. */
  readonly atOnce: number;
  readonly log: Logger;
}

export class ShadowRuns implements ShadowStarter<ScriptTarget> {
  readonly #parts: ShadowParts;
  /** Runs in hand. */
  running = 0;
  started = 0;
  /** Messages left out because there were as many runs as there may be. */
  leftOut = 0;

  constructor(parts: ShadowParts) {
    this.#parts = parts;
  }

  start(sink: ScriptBound<ScriptTarget>, msg: MailMsg): ShadowRun<ScriptTarget> | undefined {
    const { recorder, atOnce, host, log } = this.#parts;
    if (!recorder.recording) return undefined;
    if (this.running >= atOnce) {
      this.leftOut += 1;
      return undefined;
    }
    const request = requestOf(sink, msg, this.started % HEAP_SAMPLE === 0);
    if (request === undefined) return undefined;
    const place = placeOf(msg);
    const { promise: live, resolve: compareWith } = Promise.withResolvers<
      LiveCall<ScriptTarget> | undefined
    >();
    const release = msg.content.hold();
    this.running += 1;
    this.started += 1;
    const run = async (): Promise<void> => {
      const outcome = (await host.runShadow(request)).outcomes[0];
      if (outcome === undefined) return;
      writeLogs(log, msg.id, sink, outcome);
      writeFault(log, msg.id, sink, outcome);
      recorder.shadow(await resultOf(msg.id, sink, place, outcome, await live));
    };
    run()
      .catch((thrown: unknown) => {
        log.warn(
          { message: msg.id, binding: sink.binding.displayName, error: String(thrown) },
          "shadow run lost",
        );
      })
      .finally(() => {
        release();
        this.running -= 1;
      });
    return { compareWith };
  }
}

function writeFault(
  log: Logger,
  message: string,
  { binding }: ScriptBound<ScriptTarget>,
  { fault }: ScriptOutcome,
): void {
  // That it is suspended is said once, when it is.
  if (fault === undefined || fault.kind === "suspended") return;
  const { kind, message: text } = fault;
  log.warn(
    { message, binding: binding.displayName, fault: { kind, message: text } },
    "script failed in shadow",
  );
}

function requestOf(
  { binding, script: target }: ScriptBound<ScriptTarget>,
  msg: MailMsg,
  measureHeap: boolean,
): RunRequest | undefined {
  if (target.script === undefined) return undefined;
  return {
    messageId: msg.id,
    content: msg.content,
    envelope: jobEnvelope(msg),
    measureHeap,
    calls: [
      {
        script: target.script,
        bindingName: binding.displayName,
        sinkProperties: binding.sinkProperties,
        limits: target.limits,
        allow: allowedInShadow(target.allow),
        cacheable: target.cacheable,
        continueOnFault: false,
      },
    ],
  };
}

/**
 * Files and the Drop folder are not touched. What is sent only goes into the record, and of the requests to capabilities the
 * pool of shadow runs performs those that read.
 */
function allowedInShadow({ write: _write, drop: _drop, ...allowed }: Capabilities): Capabilities {
  return allowed;
}

async function resultOf(
  id: string,
  sink: ScriptBound<ScriptTarget>,
  place: MessagePlace,
  outcome: ScriptOutcome,
  live: LiveCall<ScriptTarget> | undefined,
): Promise<ShadowResult> {
  const wouldSend = (outcome.sent ?? []).map(({ recipients }) => recipients);
  const shown = { id, sink, effect: outcome, wouldSend, live };
  const none = (why: string): ShadowResult => ({ ...shown, differs: undefined, why });
  if (sink.shadowOf?.bindingId === undefined) return none("there is no live binding to compare with");
  if (live === undefined)
    return none("the live binding was not called on this message, or comes before the shadow");
  if (!(await isSamePlace(place, live.before)))
    return none("the live binding got the message in another state");
  if ([outcome, live.effect].some(({ fault }) => fault?.kind === "unavailable"))
    return none("no process could be had to run it, as when the service stops");
  if ([outcome, live.effect].some(({ fault }) => fault?.kind === "suspended"))
    return none("one of the two was suspended, and not run");
  return { ...shown, differs: await differences(place, outcome, live), why: undefined };
}

async function isSamePlace(a: MessagePlace, b: MessagePlace): Promise<boolean> {
  return a.sender === b.sender && sameAddresses(addressesOf(a), addressesOf(b)) && (await sameContent(a, b));
}

async function differences(
  place: MessagePlace,
  outcome: ScriptOutcome,
  { effect, after, sent }: LiveCall<ScriptTarget>,
): Promise<string[]> {
  if (outcome.fault !== undefined || effect.fault !== undefined)
    return outcome.fault?.kind === effect.fault?.kind ? [] : ["fault"];
  const {
    verdict,
    status = 0,
    sender = place.sender,
    recipients = addressesOf(place),
    splices = [],
  } = outcome;
  const content = place.content.splice(splices);
  const same = {
    verdict: verdict === effect.verdict,
    status: status === (effect.status ?? 0),
    sender: sender === after.sender,
    recipients: sameAddresses(recipients, addressesOf(after)),
    content: await sameContent({ content }, after),
    "sent messages": (outcome.sent ?? []).length === sent,
  };
  return Object.entries(same).flatMap(([what, isSame]) => (isSame ? [] : [what]));
}

const addressesOf = ({ recipients }: MessagePlace): string[] => recipients.map(({ address }) => address);

const sameAddresses = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((address, index) => address === b[index]);

async function sameContent(
  a: Pick<MessagePlace, "content">,
  b: Pick<MessagePlace, "content">,
): Promise<boolean> {
  if (a.content === b.content) return true;
  if (a.content.size !== b.content.size) return false;
  return (await hashOf(a)) === (await hashOf(b));
}

async function hashOf({ content }: Pick<MessagePlace, "content">): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of content.chunks()) hash.update(chunk);
  return hash.digest("hex");
}
