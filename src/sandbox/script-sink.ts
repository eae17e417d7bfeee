// The sink behind CDO.SS_SMTPOnArrivalSink: runs consecutive scripts on a message and applies what they committed.
import type { Logger } from "../core/logger.ts";
import { type SinkResult, isScriptStatus, sinkResult } from "../core/status.ts";
import type { RunScripts, ScriptRunAnswer, ScriptRunWatch } from "../events/script-run.ts";
import type { ScriptBound } from "../events/sink.ts";
import type { Content } from "../message/content.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { Capabilities, JobEnvelope, LogLine, ScriptLimits } from "../../runtime/contract.ts";
import { addSent, type SendParts } from "./capabilities/sent-messages.ts";
import type { LiveScript, RunAnswer, RunCall, RunRequest, ScriptOutcome } from "./script-host.ts";

/** What a script binding runs. `script` is absent when the file named by ScriptName is not there. */
export interface ScriptTarget {
  readonly scriptName: string;
  readonly script: LiveScript | undefined;
  readonly limits: ScriptLimits;
  readonly allow: Capabilities;
  readonly cacheable: boolean;
}

export interface ScriptRunner {
  run(request: RunRequest): Promise<RunAnswer>;
}

/** Asking for the size of the heap costs more than an idle call: after short calls it is done for the first of so many jobs. */
export const HEAP_SAMPLE = 16;
const NOTHING_SENT: readonly string[] = [];

/** Without `sending` no script can send mail. */
export function createRunScripts(
  host: ScriptRunner,
  log: Logger,
  sending?: SendParts,
): RunScripts<ScriptTarget> {
  let jobs = 0;
  const calls = new RunCalls();
  return (msg, run, watch) => {
    const missing = run.findIndex((sink) => sink.script.script === undefined);
    if (missing === 0) return Promise.resolve(notThere(run, watch));
    jobs += 1;
    const measureHeap = watch !== undefined && jobs % HEAP_SAMPLE === 1;
    const available = missing < 0 ? run : run.slice(0, missing);
    return runAvailable({ host, log, sending, watch, measureHeap, calls }, msg, available);
  };
}

/** A message that a script was meant to see is not passed on unseen only because the file is missing. */
function notThere(
  run: readonly ScriptBound<ScriptTarget>[],
  watch: ScriptRunWatch | undefined,
): ScriptRunAnswer {
  const first = run[0];
  const message = `script ${first?.script.scriptName ?? ""} is not in the scripts folder, or never compiled`;
  const fault = { kind: "missing", message };
  watch?.called(0, { verdict: sinkResult.runNext, micros: 0, fault }, NOTHING_SENT);
  if (first?.binding.onError === "continue") return { called: 1, result: sinkResult.runNext };
  return { called: 1, result: sinkResult.runNext, fault };
}

interface RunParts {
  readonly host: ScriptRunner;
  readonly log: Logger;
  readonly sending: SendParts | undefined;
  readonly watch: ScriptRunWatch | undefined;
  readonly measureHeap: boolean;
  readonly calls: RunCalls;
}

async function runAvailable(
  parts: RunParts,
  msg: MailMsg,
  run: readonly ScriptBound<ScriptTarget>[],
): Promise<ScriptRunAnswer> {
  const { host, log, watch, measureHeap, calls } = parts;
  const base = msg.content;
  const { outcomes } = await host.run({
    messageId: msg.id,
    server: msg.origin.server,
    content: base,
    envelope: jobEnvelope(msg),
    calls: calls.of(run),
    measureHeap,
  });
  let result: SinkResult = sinkResult.runNext;
  for (const [index, outcome] of outcomes.entries()) {
    const sink = run[index];
    if (sink === undefined) break;
    writeLogs(log, msg.id, sink, outcome);
    watch?.calling(index);
    if (outcome.fault === undefined) {
      const sent = apply(parts, msg, sink.script, outcome, base);
      watch?.called(index, outcome, sent);
      result = outcome.verdict;
      continue;
    }
    const { kind, message } = outcome.fault;
    const fault = { kind, message, version: sink.script.script?.version };
    watch?.called(index, outcome, NOTHING_SENT);
    if (sink.binding.onError !== "continue") return { called: index + 1, result, fault };
    log.error(
      { message: msg.id, binding: sink.binding.displayName, fault },
      "script failed; its changes are dropped and the message goes on",
    );
  }
  return { called: Math.max(1, outcomes.length), result };
}

/** Puts what a call committed into the message; its splices are against `base`. Answers the ids of the messages that it sent. */
function apply(
  { sending, log }: RunParts,
  msg: MailMsg,
  { scriptName: script, limits }: ScriptTarget,
  outcome: ScriptOutcome,
  base: Content,
): readonly string[] {
  const forks = msg.forks.length;
  if (outcome.sender !== undefined) msg.sender = outcome.sender;
  if (outcome.recipients !== undefined) msg.recipients.replaceAddresses(outcome.recipients);
  if (isScriptStatus(outcome.status)) msg.status = outcome.status;
  if (outcome.sent !== undefined)
    addSent(msg, { messages: outcome.sent, script, hops: limits.sendHops }, base.header, sending, log);
  if (outcome.splices !== undefined) msg.content = base.splice(outcome.splices);
  return msg.forks.length === forks ? NOTHING_SENT : msg.forks.slice(forks).map((fork) => fork.id);
}

/** What each binding of a chain asks of the sandbox: made once for all its messages. */
class RunCalls {
  readonly #known = new WeakMap<ScriptBound<ScriptTarget>, RunCall>();

  of(run: readonly ScriptBound<ScriptTarget>[]): RunCall[] {
    const calls: RunCall[] = [];
    for (const sink of run) {
      const call = this.#known.get(sink) ?? this.#make(sink);
      if (call !== undefined) calls.push(call);
    }
    return calls;
  }

  #make(sink: ScriptBound<ScriptTarget>): RunCall | undefined {
    const { binding, script: target } = sink;
    if (target.script === undefined) return undefined;
    const call = {
      script: target.script,
      bindingName: binding.displayName,
      sinkProperties: binding.sinkProperties,
      limits: target.limits,
      allow: target.allow,
      cacheable: target.cacheable,
      continueOnFault: binding.onError === "continue",
    };
    this.#known.set(sink, call);
    return call;
  }
}

/** What a script sees of the envelope as it stands. */
export function jobEnvelope(msg: MailMsg): JobEnvelope {
  const { origin } = msg;
  return {
    sender: msg.sender,
    recipients: msg.recipients.items.map((recipient) => recipient.address),
    arrivalTime: origin.arrivalTime,
    clientAddress: origin.clientAddress ?? "",
    pickupFileName: origin.pickupFileName ?? "",
    status: msg.status,
  };
}

const LEVELS: readonly LogLine["level"][] = ["debug", "info", "warn", "error"];

/** What the script said with console, as lines of our log, as far as its binding lets it in. */
export function writeLogs(
  log: Logger,
  message: string,
  sink: ScriptBound<ScriptTarget>,
  outcome: ScriptOutcome,
): void {
  if (outcome.logs.length === 0 && outcome.logsDropped === 0) return;
  const { log: wanted = true } = sink.script.allow;
  if (wanted === false) return;
  const least = wanted === true ? 0 : LEVELS.indexOf(wanted);
  const fields = { message, binding: sink.binding.displayName, version: sink.script.script?.version };
  for (const line of outcome.logs) if (LEVELS.indexOf(line.level) >= least) writeLine(log, line, fields);
  if (outcome.logsDropped > 0)
    log.warn({ ...fields, dropped: outcome.logsDropped }, "script wrote more than its log limit");
}

function writeLine(log: Logger, { level, text }: LogLine, fields: object): void {
  const entry = { ...fields, text };
  switch (level) {
    case "debug":
      return log.debug(entry, "script");
    case "info":
      return log.info(entry, "script");
    case "warn":
      return log.warn(entry, "script");
    case "error":
      return log.error(entry, "script");
  }
}
