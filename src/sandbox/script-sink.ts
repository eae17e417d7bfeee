// The sink behind CDO.SS_SMTPOnArrivalSink: runs consecutive scripts on a message and applies what they committed.
import type { Logger } from "../core/logger.ts";
import { type SinkResult, isMessageStatus, sinkResult } from "../core/status.ts";
import type { RunScripts, ScriptRunAnswer } from "../events/dispatcher.ts";
import type { ScriptBound } from "../events/sink.ts";
import type { MailMsg } from "../message/mail-msg.ts";
import type { Capabilities, JobEnvelope, LogLine, ScriptLimits } from "../../runtime/contract.ts";
import { addSent, type SendParts } from "./capabilities.ts";
import type { LiveScript, RunAnswer, RunRequest, ScriptOutcome } from "./script-host.ts";

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

/** Without `sending` no script can send mail. */
export function createRunScripts(
  host: ScriptRunner,
  log: Logger,
  sending?: SendParts,
): RunScripts<ScriptTarget> {
  return (msg, run) => {
    const missing = run.findIndex((sink) => sink.script.script === undefined);
    if (missing === 0) return Promise.resolve(notThere(run));
    return runAvailable({ host, log, sending }, msg, missing < 0 ? run : run.slice(0, missing));
  };
}

/** A message that a script was meant to see is not passed on unseen only because the file is missing. */
function notThere(run: readonly ScriptBound<ScriptTarget>[]): ScriptRunAnswer {
  const first = run[0];
  const message = `script ${first?.script.scriptName ?? ""} is not in the scripts folder, or never compiled`;
  if (first?.binding.onError === "continue") return { called: 1, result: sinkResult.runNext };
  return { called: 1, result: sinkResult.runNext, fault: { kind: "missing", message } };
}

interface RunParts {
  readonly host: ScriptRunner;
  readonly log: Logger;
  readonly sending: SendParts | undefined;
}

async function runAvailable(
  { host, log, sending }: RunParts,
  msg: MailMsg,
  run: readonly ScriptBound<ScriptTarget>[],
): Promise<ScriptRunAnswer> {
  const base = msg.content;
  const { outcomes } = await host.run({
    messageId: msg.id,
    content: base,
    envelope: jobEnvelope(msg),
    calls: run.flatMap(callOf),
  });
  let result: SinkResult = sinkResult.runNext;
  for (const [index, outcome] of outcomes.entries()) {
    const sink = run[index];
    if (sink === undefined) break;
    writeLogs(log, msg, sink, outcome);
    if (outcome.fault !== undefined) {
      const fault = { kind: outcome.fault.kind, message: outcome.fault.message };
      if (sink.binding.onError !== "continue") return { called: index + 1, result, fault };
      log.error(
        { message: msg.id, binding: sink.binding.displayName, fault },
        "script failed; its changes are dropped and the message goes on",
      );
      continue;
    }
    apply(msg, outcome);
    if (outcome.sent !== undefined) {
      const { scriptName: script, limits } = sink.script;
      addSent(msg, { messages: outcome.sent, script, hops: limits.sendHops }, base.header, sending, log);
    }
    if (outcome.splices !== undefined) msg.content = base.splice(outcome.splices);
    result = outcome.verdict;
  }
  return { called: Math.max(1, outcomes.length), result };
}

function callOf({ binding, script: target }: ScriptBound<ScriptTarget>): RunRequest["calls"] {
  if (target.script === undefined) return [];
  return [
    {
      script: target.script,
      bindingName: binding.displayName,
      sinkProperties: binding.sinkProperties,
      limits: target.limits,
      allow: target.allow,
      cacheable: target.cacheable,
      continueOnFault: binding.onError === "continue",
    },
  ];
}

function jobEnvelope(msg: MailMsg): JobEnvelope {
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

function apply(msg: MailMsg, outcome: ScriptOutcome): void {
  if (outcome.sender !== undefined) msg.sender = outcome.sender;
  if (outcome.recipients !== undefined) msg.recipients.replaceAddresses(outcome.recipients);
  if (isMessageStatus(outcome.status)) msg.status = outcome.status;
}

function writeLogs(log: Logger, msg: MailMsg, sink: ScriptBound<ScriptTarget>, outcome: ScriptOutcome): void {
  if (outcome.logs.length === 0 && outcome.logsDropped === 0) return;
  const fields = { message: msg.id, binding: sink.binding.displayName, version: sink.script.script?.version };
  for (const line of outcome.logs) writeLine(log, line, fields);
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
