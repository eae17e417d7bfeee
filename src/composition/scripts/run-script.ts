// One script on one message in the real sandbox, and what it did, for `onarrival run`.
import type { JobEnvelope, LogLine } from "../../../runtime/contract.ts";
import type { RunFault, ScriptOutcome } from "../../sandbox/script-host.ts";
import { bodyDifferences, headerDifferences } from "./message-differences.ts";
import type { TrialBench } from "./script-trial.ts";
import type { TrialTerms } from "./trial-capabilities.ts";

export interface RunInput extends Partial<TrialTerms> {
  readonly message: Buffer;
  readonly sender: string | undefined;
  readonly recipients: readonly string[] | undefined;
  readonly clientAddress: string | undefined;
}

/** A message that the script sent. */
export interface RunSent {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly message: string;
}

export interface RunReport {
  readonly script: string;
  readonly version: string;
  readonly verdict: 0 | 1;
  /** MP_STATUS_*. */
  readonly status: number;
  readonly fault: RunFault | undefined;
  readonly envelopeChanges: readonly string[];
  readonly headerChanges: readonly string[];
  readonly bodyChanges: readonly string[];
  readonly sent: readonly RunSent[];
  readonly logs: readonly LogLine[];
  readonly milliseconds: number;
  readonly heapBytes: number | undefined;
  /** The message as the script left it. */
  readonly content: Buffer;
}

/** `bench` is one of the script. */
export async function runScript(bench: TrialBench, input: RunInput): Promise<RunReport> {
  const { script, outcome, envelope, before, after } = await bench.run(input);
  return { ...reportOf(outcome, envelope, before, after), script: script.name, version: script.version };
}

/** What a call did, as people want to know it. */
export function reportOf(
  outcome: ScriptOutcome,
  envelope: JobEnvelope,
  before: Buffer,
  after: Buffer,
): Omit<RunReport, "script" | "version"> {
  return {
    verdict: outcome.verdict,
    status: outcome.status ?? 0,
    fault: outcome.fault,
    envelopeChanges: envelopeDifferences(envelope, outcome),
    headerChanges: headerDifferences(before, after),
    bodyChanges: bodyDifferences(before, after),
    sent: (outcome.sent ?? []).map(({ sender, recipients, bytes }) => ({
      sender,
      recipients,
      message: bytes.toString("utf8"),
    })),
    logs: outcome.logs,
    milliseconds: outcome.micros / 1000,
    heapBytes: outcome.heapBytes,
    content: after,
  };
}

function envelopeDifferences(before: JobEnvelope, { sender, recipients }: ScriptOutcome): string[] {
  const changes: string[] = [];
  if (sender !== undefined && sender !== before.sender)
    changes.push(`sender <${before.sender}> → <${sender}>`);
  if (recipients !== undefined) {
    for (const address of before.recipients)
      if (!recipients.includes(address)) changes.push(`- recipient ${address}`);
    for (const address of recipients)
      if (!before.recipients.includes(address)) changes.push(`+ recipient ${address}`);
  }
  return changes;
}
