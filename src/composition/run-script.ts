// One script on one message in the real sandbox, and what it did, for `onarrival run`.
import path from "node:path";
import { systemClock } from "../core/clock.ts";
import { OnArrivalError } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { type Capabilities, DEFAULT_SCRIPT_LIMITS, type LogLine } from "../../runtime/contract.ts";
import { Content } from "../message/content.ts";
import { parseAddressList } from "../mime/addresses.ts";
import { Headers } from "../mime/headers.ts";
import { type RunFault, type ScriptOutcome, createScriptHost } from "../sandbox/script-host.ts";
import { bodyDifferences, headerDifferences, toCrlf } from "./message-differences.ts";

export interface RunInput {
  /** Absolute path. */
  readonly script: string;
  readonly message: Buffer;
  readonly sender: string | undefined;
  readonly recipients: readonly string[] | undefined;
  readonly clientAddress: string | undefined;
  /** What the binding would grant. What the script sends is shown and goes nowhere. */
  readonly allow?: Capabilities;
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

interface RunEnvelope {
  readonly sender: string;
  readonly recipients: readonly string[];
}

export async function runScriptOnce(input: RunInput): Promise<RunReport> {
  const name = path.basename(input.script);
  const host = createScriptHost({
    folder: path.dirname(input.script),
    only: [name],
    watch: false,
    log: silentLogger,
    clock: systemClock,
  });
  try {
    await host.start();
    const script = host.scripts.get(name);
    if (script === undefined)
      throw new OnArrivalError("SCRIPT_INVALID", host.broken.get(name) ?? `${input.script}: no such script`);
    const before = toCrlf(input.message);
    const content = Content.fromBuffer(before);
    const envelope = envelopeOf(input, content.header);
    const { outcomes } = await host.run({
      messageId: "RUN",
      content,
      envelope: {
        ...envelope,
        arrivalTime: systemClock.now(),
        clientAddress: input.clientAddress ?? "",
        pickupFileName: "",
        status: 0,
      },
      measureHeap: true,
      calls: [
        {
          script,
          bindingName: script.binding.displayName ?? name,
          sinkProperties: { ...script.binding.sinkProperties, ScriptName: name },
          limits: { ...DEFAULT_SCRIPT_LIMITS, ...script.binding.limits },
          allow: input.allow ?? {},
          cacheable: true,
          continueOnFault: false,
        },
      ],
    });
    const outcome = outcomes[0];
    if (outcome === undefined) throw new OnArrivalError("SANDBOX_UNAVAILABLE", "the sandbox gave no answer");
    const after = outcome.splices === undefined ? before : await content.splice(outcome.splices).toBuffer();
    return { ...reportOf(outcome, envelope, before, after), script: name, version: script.version };
  } finally {
    await host.stop();
  }
}

function reportOf(
  outcome: ScriptOutcome,
  envelope: RunEnvelope,
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

/** As Pickup finds them: the flags, else the header fields (REFERENCE 6.4). */
function envelopeOf(input: RunInput, header: Buffer): RunEnvelope {
  const headers = new Headers(header);
  const addresses = (...names: string[]): string[] =>
    names.flatMap((field) =>
      headers.getAll(field).flatMap((raw) => parseAddressList(raw).map((mailbox) => mailbox.address)),
    );
  return {
    sender: input.sender ?? addresses("Sender", "From")[0] ?? "",
    recipients: input.recipients ?? addresses("To", "Cc", "Bcc"),
  };
}

function envelopeDifferences(before: RunEnvelope, { sender, recipients }: ScriptOutcome): string[] {
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
