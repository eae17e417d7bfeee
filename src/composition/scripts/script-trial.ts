// One script tried on messages in the real sandbox, without a service: for `onarrival run` and for the tests of scripts.
import { existsSync } from "node:fs";
import path from "node:path";
import { systemClock } from "../../core/clock.ts";
import { OnArrivalError } from "../../core/errors.ts";
import { silentLogger } from "../../core/logger.ts";
import {
  type Capabilities,
  DEFAULT_SCRIPT_LIMITS,
  type JobEnvelope,
  type ScriptLimits,
} from "../../../runtime/contract.ts";
import { Content } from "../../message/content.ts";
import { parseAddressList } from "../../mime/addresses.ts";
import { Headers } from "../../mime/headers.ts";
import {
  type LiveScript,
  type ScriptHost,
  type ScriptOutcome,
  createScriptHost,
} from "../../sandbox/script-host.ts";
import type { Preparation, Rehearsal } from "../../sandbox/capabilities/prepared-answers.ts";
import { toCrlf } from "./message-differences.ts";
import type { TrialCapabilities } from "./trial-capabilities.ts";

export interface TrialInput {
  readonly message: Buffer;
  /** What is absent is taken from the header fields, as Pickup does (REFERENCE 6.4). */
  readonly sender?: string | undefined;
  readonly recipients?: readonly string[] | undefined;
  readonly clientAddress?: string | undefined;
  readonly arrivalTime?: number | undefined;
  readonly status?: number | undefined;
  /** Over the sinkProperties that the script exports. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined;
  /** Over the limits that the script exports. */
  readonly limits?: Partial<ScriptLimits> | undefined;
  readonly allow?: Capabilities | undefined;
  /** Answered in place of the world, and granted beside `allow`. */
  readonly prepared?: Preparation | undefined;
  /** In place of the values of the service. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly cacheable?: boolean | undefined;
}

export interface Trial {
  readonly script: LiveScript;
  readonly envelope: JobEnvelope;
  readonly outcome: ScriptOutcome;
  /** Which of the prepared answers it asked for. */
  readonly rehearsal: Rehearsal | undefined;
  readonly before: Buffer;
  readonly after: Buffer;
}

/** The script as it is on disk when the bench is opened. */
export interface TrialBench {
  /** Throws SCRIPT_INVALID when the script does not compile, load or export an entry point. */
  run(input: TrialInput): Promise<Trial>;
  /** Why it would not go live. */
  readonly problem: string | undefined;
  /** Absolute paths of the script and of everything in its folder that it imports. */
  readonly files: readonly string[];
  close(): Promise<void>;
}

/** Throws SANDBOX_UNAVAILABLE when no sandbox process can be started. `script` is an absolute path. With `runsCases` it has to pass the tests beside it first, as in the service. */
export async function openTrialBench(
  script: string,
  runsCases = false,
  hostOptions: TrialCapabilities["hostOptions"] = {},
): Promise<TrialBench> {
  const name = path.basename(script);
  const host = createScriptHost({
    folder: path.dirname(script),
    only: [name],
    watch: false,
    runsCases,
    log: silentLogger,
    clock: systemClock,
    ...hostOptions,
    settings: { ...hostOptions.settings, processes: 1 },
  });
  try {
    await host.start();
    const problem = host.broken.get(name);
    // Nothing is wrong with the script then, as far as anybody knows.
    if (problem !== undefined && host.figures.live?.hasGivenUp === true)
      throw new OnArrivalError("SANDBOX_UNAVAILABLE", problem);
  } catch (thrown) {
    await host.stop();
    throw thrown;
  }
  return {
    problem: host.broken.get(name),
    run: (input) => tryOn(host, script, input),
    files: [...new Set([script, ...host.files])],
    close: () => host.stop(),
  };
}

async function tryOn(host: ScriptHost, file: string, input: TrialInput): Promise<Trial> {
  const name = path.basename(file);
  const script = host.scripts.get(name);
  if (script === undefined) throw new OnArrivalError("SCRIPT_INVALID", whyNot(host, file));
  const before = toCrlf(input.message);
  const content = Content.fromBuffer(before);
  const envelope = envelopeOf(input, content.header);
  const { binding } = script;
  const rehearsal = input.prepared && host.answers.begin(input.prepared);
  const { outcomes } = await host
    .run({
      messageId: rehearsal?.messageId ?? "RUN",
      content,
      envelope,
      measureHeap: true,
      calls: [
        {
          script,
          bindingName: binding.displayName ?? name,
          sinkProperties: { ...binding.sinkProperties, ...input.properties, ScriptName: name },
          limits: { ...DEFAULT_SCRIPT_LIMITS, ...binding.limits, ...input.limits },
          allow: { ...rehearsal?.allow, ...input.allow },
          ...(input.secrets && { secrets: input.secrets }),
          cacheable: input.cacheable ?? true,
          continueOnFault: false,
        },
      ],
    })
    .finally(() => rehearsal && host.answers.end(rehearsal));
  const outcome = outcomes[0];
  if (outcome === undefined) throw new OnArrivalError("SANDBOX_UNAVAILABLE", "the sandbox gave no answer");
  const after = outcome.splices === undefined ? before : await content.splice(outcome.splices).toBuffer();
  return { script, envelope, outcome, rehearsal, before, after };
}

function whyNot(host: ScriptHost, file: string): string {
  const problem = host.broken.get(path.basename(file));
  if (problem !== undefined) return problem;
  return existsSync(file)
    ? `${file}: no name of a script (it ends in .js, .mjs or .ts and does not begin with _ or .)`
    : `${file}: no such script`;
}

function envelopeOf(input: TrialInput, header: Buffer): JobEnvelope {
  const headers = new Headers(header);
  const addresses = (...names: string[]): string[] =>
    names.flatMap((field) =>
      headers.getAll(field).flatMap((raw) => parseAddressList(raw).map((mailbox) => mailbox.address)),
    );
  return {
    sender: input.sender ?? addresses("Sender", "From")[0] ?? "",
    recipients: input.recipients ?? addresses("To", "Cc", "Bcc"),
    arrivalTime: input.arrivalTime ?? systemClock.now(),
    clientAddress: input.clientAddress ?? "",
    pickupFileName: "",
    status: input.status ?? 0,
  };
}
