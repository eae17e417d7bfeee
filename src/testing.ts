// The package as tests of scripts import it: `import { testSink } from "onarrival/testing"`.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Capabilities, LogLine, ScriptLimits } from "../runtime/contract.ts";
import { type Trial, openTrialBench } from "./composition/scripts/script-trial.ts";
import { SharedBenches } from "./composition/scripts/shared-benches.ts";
import { OnArrivalError, describeError } from "./core/errors.ts";
import type { FetchedRequest, PreparedAnswer, Rehearsal } from "./sandbox/capabilities/prepared-answers.ts";
import { placeholders } from "./sandbox/capabilities/secrets.ts";
import { MimeDocument } from "./mime/document.ts";
import { decodeWords } from "./mime/encoded-words.ts";
import { attachmentParts, htmlBodyPart, textBodyPart } from "./mime/bodies.ts";
import { bufferSource } from "./mime/source.ts";

export interface TestSinkOptions {
  /** The message: its text, its bytes, or where it is. Bare line feeds become CRLF. */
  readonly eml: string | Buffer | URL;
  /** What is absent is taken from the header fields: Sender or From, and To, Cc, Bcc. */
  readonly envelope?: {
    readonly sender?: string;
    readonly recipients?: readonly string[];
    readonly clientAddress?: string;
    readonly arrivalTime?: Date;
    /** MP_STATUS_*, as an earlier sink left it. */
    readonly status?: number;
  };
  /** sinkProperties of the binding. */
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly limits?: Partial<ScriptLimits>;
  /** What the binding grants. What the script sends is in `sent` and goes nowhere. */
  readonly allow?: Capabilities;
  /**
   * What the script's fetch is answered, by URL or by method and URL ("POST https://example.com/"): a text, or status,
   * headers and body. What is not named is refused; nothing leaves the machine.
   */
  readonly fetch?: Readonly<Record<string, PreparedAnswer | string>>;
  /** What the key-value store of the script holds before; given, or with `fetch` or `dns`, the script has one. */
  readonly kv?: Readonly<Record<string, string | Buffer>>;
  /** What dns.resolve is answered, by type and name ("MX example.com"): the records, [] for none. What is not named is refused. */
  readonly dns?: Readonly<Record<string, readonly unknown[]>>;
  /** Secrets by name. Others that `allow.secrets` names are "secret-" and the name; those of a service are never used. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** false: a fresh context for each message. */
  readonly cacheable?: boolean;
}

export interface TestSinkFault {
  /** As "throw", "timeout", "memory", "limit", "crash". */
  readonly kind: string;
  /** Led by file:line:column where that is known. */
  readonly message: string;
}

/** A message that the script sent. */
export interface TestSinkSent {
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly message: Buffer;
}

/** What the next sink would find. After a fault it is what was there before. */
export interface TestSinkResult {
  /** 0 run the next sink, 1 skip the remaining ones. */
  readonly verdict: 0 | 1;
  /** MP_STATUS_* */
  readonly status: number;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly message: Buffer;
  /** Decoded value of the first field of that name. */
  header(name: string): string | undefined;
  /** All fields in their order, decoded. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The bodies, with LF. */
  readonly text: string | undefined;
  readonly html: string | undefined;
  readonly attachments: readonly {
    readonly fileName: string;
    readonly mediaType: string;
    readonly content: Buffer;
  }[];
  /** No byte of the message and nothing of the envelope differs. */
  readonly unchanged: boolean;
  readonly logs: readonly LogLine[];
  readonly sent: readonly TestSinkSent[];
  /** What the script fetched, in order, when `fetch`, `kv` or `dns` was given. */
  readonly fetched: readonly FetchedRequest[];
  /** The key-value store behind the script, as text. */
  readonly kv: Readonly<Record<string, string>>;
  readonly fault: TestSinkFault | undefined;
  /** Wall time in the sandbox. */
  readonly micros: number;
}

/**
 * Runs a script on a message in the real sandbox and answers what became of it. `script` is a URL, as
 * `new URL("./tag.ts", import.meta.url)`, or a path. Rejects when the script does not compile or load.
 */
export async function testSink(script: string | URL, options: TestSinkOptions): Promise<TestSinkResult> {
  const { envelope = {}, properties, limits, allow, cacheable, fetch, kv, dns } = options;
  const message = await messageOf(options.eml);
  const trial = await benches.use(pathOf(script), (bench) =>
    bench.run({
      message,
      sender: envelope.sender,
      recipients: envelope.recipients,
      clientAddress: envelope.clientAddress,
      arrivalTime: envelope.arrivalTime?.getTime(),
      status: envelope.status,
      properties,
      limits,
      allow,
      prepared: (fetch ?? kv ?? dns) === undefined ? undefined : { fetch, kv, dns },
      secrets: { ...placeholders(allow?.secrets ?? []), ...options.secrets },
      cacheable,
    }),
  );
  return resultOf(trial);
}

/**
 * Runs the samples of a script and the cases of the `.test.ts` beside it, as the service does before a version goes live.
 * Rejects with the first that does not pass.
 */
export async function testCases(script: string | URL): Promise<void> {
  const bench = await openTrialBench(pathOf(script), true);
  await bench.close();
  if (bench.problem !== undefined) throw new OnArrivalError("SCRIPT_INVALID", bench.problem);
}

/** The one state of this module: a sandbox is too slow to start for each test. */
const benches = new SharedBenches();

/** Ends the sandbox processes now. They end by themselves when they have not been used for a moment. */
export function closeTestSinks(): Promise<void> {
  return benches.close();
}

const pathOf = (script: string | URL): string =>
  script instanceof URL || script.startsWith("file:") ? fileURLToPath(script) : path.resolve(script);

async function messageOf(eml: TestSinkOptions["eml"]): Promise<Buffer> {
  if (!(eml instanceof URL)) return Buffer.from(eml);
  try {
    return await readFile(eml);
  } catch (thrown) {
    throw new OnArrivalError("WRONG_USE", `${eml.href} cannot be read: ${describeError(thrown)}`, {
      cause: thrown,
    });
  }
}

function askedOf(rehearsal: Rehearsal | undefined): Pick<TestSinkResult, "fetched" | "kv"> {
  const kept = [...(rehearsal?.kv ?? [])].map(([key, value]) => [key, value.toString()]);
  return { fetched: rehearsal?.fetched ?? [], kv: Object.fromEntries(kept) };
}

function resultOf({ outcome, envelope, rehearsal, before, after }: Trial): TestSinkResult {
  const document = new MimeDocument(bufferSource(after));
  const headers = document.root.headers
    .entries()
    .map(({ name, value }) => [name, decodeWords(value)] as const);
  const sender = outcome.sender ?? envelope.sender;
  const recipients = outcome.recipients ?? envelope.recipients;
  const { fault } = outcome;
  return {
    verdict: outcome.verdict,
    status: outcome.status ?? envelope.status,
    sender,
    recipients,
    message: after,
    header: (name) => headers.find(([field]) => field.toLowerCase() === name.toLowerCase())?.[1],
    headers,
    text: textBodyPart(document)?.text().replaceAll("\r\n", "\n"),
    html: htmlBodyPart(document)?.text().replaceAll("\r\n", "\n"),
    attachments: attachmentParts(document).map((part) => ({
      fileName: part.fileName,
      mediaType: part.mediaType,
      content: part.decodedBody(),
    })),
    unchanged:
      before.equals(after) &&
      sender === envelope.sender &&
      recipients.join("\n") === envelope.recipients.join("\n") &&
      (outcome.status ?? envelope.status) === envelope.status,
    logs: outcome.logs,
    sent: (outcome.sent ?? []).map((sent) => ({
      sender: sent.sender,
      recipients: sent.recipients,
      message: sent.bytes,
    })),
    ...askedOf(rehearsal),
    fault: fault === undefined ? undefined : { kind: fault.kind, message: fault.message },
    micros: outcome.micros,
  };
}
