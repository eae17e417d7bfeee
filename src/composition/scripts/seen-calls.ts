// What each script of a run did to a live message, worked out beside the path of the mail: for `onarrival dev`.
import { Content } from "../../message/content.ts";
import type { JobEnvelope } from "../../../runtime/contract.ts";
import type { RunAnswer, RunRequest } from "../../sandbox/script-host.ts";
import { type RunReport, reportOf } from "./run-script.ts";

/** Larger messages are not compared: that would hold up the mail of the same process. */
const MAX_COMPARED_BYTES = 1024 * 1024;
const TOO_LARGE = `the message has more than ${MAX_COMPARED_BYTES / 1024 / 1024} MiB: bodies are not compared`;

export interface SeenCall {
  readonly bindingName: string;
  readonly report: RunReport;
}

/** Reading begins at once: the content may be gone when the message is. */
export async function seenCalls(request: RunRequest, answer: RunAnswer): Promise<readonly SeenCall[]> {
  const seen: Promise<SeenCall>[] = [];
  let { content, envelope } = request;
  for (const [index, outcome] of answer.outcomes.entries()) {
    const call = request.calls[index];
    if (call === undefined) break;
    // Splices are against the content of the request; a fault has none.
    const next = outcome.splices === undefined ? content : request.content.splice(outcome.splices);
    const [before, after, earlier] = [content, next, envelope];
    const { script, bindingName } = call;
    seen.push(
      compare(before, after, (old, now) => ({
        bindingName,
        report: { ...reportOf(outcome, earlier, old, now), script: script.name, version: script.version },
      })),
    );
    content = next;
    envelope = changedEnvelope(envelope, outcome);
  }
  return Promise.all(seen);
}

async function compare(
  before: Content,
  after: Content,
  see: (before: Buffer, after: Buffer) => SeenCall,
): Promise<SeenCall> {
  if (Math.max(before.size, after.size) <= MAX_COMPARED_BYTES) {
    const old = before.toBuffer();
    return see(await old, before === after ? await old : await after.toBuffer());
  }
  const seen = see(before.header, after.header);
  return before === after ? seen : { ...seen, report: { ...seen.report, bodyChanges: [TOO_LARGE] } };
}

function changedEnvelope(envelope: JobEnvelope, outcome: RunAnswer["outcomes"][number]): JobEnvelope {
  const { sender = envelope.sender, recipients = envelope.recipients } = outcome;
  return { ...envelope, sender, recipients };
}
