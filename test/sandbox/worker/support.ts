// Drives a real sandbox process over its real frames, in the role of the relay.
/* oxlint-disable typescript/no-unsafe-type-assertion -- frames and stdio of the process under test */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import {
  type CallOutcome,
  type CapabilityAnswer,
  type CapabilityRequest,
  DEFAULT_SCRIPT_LIMITS,
  type DoneFrame,
  EXPORTS_GLOBAL,
  type JobEnvelope,
  type LoadedFrame,
  type ScriptCall,
  type ScriptLimits,
  type WaitingFrame,
  type WorkerFrame,
} from "../../../runtime/contract.ts";
import {
  encodeFrame,
  FrameReader,
  MAX_ANSWER_HEAD_BYTES,
  MAX_FRAME_BYTES,
} from "../../../src/core/frames.ts";
import type { Splice } from "../../../src/core/splice.ts";
import { headerBlockLength } from "../../../src/message/content.ts";
import { RUNTIME_ENTRY } from "../../../src/sandbox/pool/sandbox-program.ts";
import { bundleRuntime } from "../../../src/sandbox/versions/compiler.ts";
import { compiledFile } from "../../support/compiled.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const cdoModule = `${root}runtime/cdo-module.ts`;

async function bundle(source: string): Promise<string> {
  const result = await build({
    stdin: { contents: source, loader: "ts", resolveDir: `${root}scripts` },
    globalName: EXPORTS_GLOBAL,
    bundle: true,
    format: "iife",
    platform: "neutral",
    target: "es2024",
    write: false,
    alias: { cdo: cdoModule },
  });
  return result.outputFiles[0]?.text ?? "";
}

let bundledRuntime: Promise<Buffer> | undefined;
/** As it is shipped. */
const runtimeBundle = (): Promise<Buffer> => (bundledRuntime ??= bundleRuntime(RUNTIME_ENTRY));

/** As the compiler does it: modules are wrapped, plain scripts go as they are. */
export async function compile(source: string): Promise<string> {
  return /^\s*(?:import|export)\b/m.test(source) ? bundle(source) : source;
}

export interface JobOptions {
  readonly message?: string | Buffer;
  /** Bytes sent with the job; the rest is served on the content channel. All by default. */
  readonly sentBytes?: number;
  readonly envelope?: Partial<JobEnvelope>;
  readonly limits?: Partial<ScriptLimits>;
  readonly call?: Partial<ScriptCall>;
  /** Answers what the scripts ask for while they wait. */
  readonly perform?: (request: CapabilityRequest, bytes: Buffer) => Promise<Performed> | Performed;
}

export interface Performed {
  readonly answer: CapabilityAnswer;
  readonly bytes?: Buffer;
}

/** The frame that answers a job, a resume or an abandon. */
export interface Turn {
  readonly head: DoneFrame | WaitingFrame;
  readonly bytes: Buffer;
}

export interface JobResult {
  readonly outcomes: readonly CallOutcome[];
  /** The first outcome, for the many tests of one script. */
  readonly outcome: CallOutcome;
  /** The message after the last committed change. */
  readonly message: string;
  readonly bytes: Buffer;
  /** What came with the answer: the bytes of splices and of sent messages. */
  readonly payload: Buffer;
}

export const MESSAGE = [
  "Received: from b.example by a.example; Sat, 21 Nov 2026 10:00:01 +0000",
  "Received: from c.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000",
  "From: Ann <ann@example.com>",
  "To: Bob <bob@example.net>, carol@example.net",
  "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
  "Date: Sat, 21 Nov 2026 10:00:00 +0000",
  "Message-ID: <1@example.com>",
  "MIME-Version: 1.0",
  "Content-Type: text/plain; charset=utf-8",
  "",
  "Hello,",
  "world.",
  "",
].join("\r\n");

export const ALTERNATIVE = [
  "From: ann@example.com",
  "Subject: both",
  "MIME-Version: 1.0",
  'Content-Type: multipart/mixed; boundary="m"',
  "",
  "--m",
  'Content-Type: multipart/alternative; boundary="a"',
  "",
  "--a",
  "Content-Type: text/plain; charset=utf-8",
  "",
  "plain text",
  "--a",
  "Content-Type: text/html; charset=utf-8",
  "",
  "<html><body><p>html text</p></body></html>",
  "--a--",
  "--m",
  'Content-Type: application/x-msdownload; name="run.exe"',
  'Content-Disposition: attachment; filename="run.exe"',
  "Content-Transfer-Encoding: base64",
  "",
  "TVqQAAMAAAA=",
  "--m",
  'Content-Type: text/csv; name="table.csv"',
  'Content-Disposition: attachment; filename="table.csv"',
  "",
  "a,b",
  "--m--",
  "",
].join("\r\n");

const ENVELOPE: JobEnvelope = {
  sender: "ann@example.com",
  recipients: ["bob@example.net", "carol@example.net"],
  arrivalTime: Date.UTC(2026, 10, 21, 10, 0, 5),
  clientAddress: "192.0.2.1",
  pickupFileName: "",
  status: 0,
};

export class WorkerUnderTest {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  contentRequests = 0;
  readonly #frames: Duplex;
  readonly #waiting: ((frame: { head: WorkerFrame; bytes: Buffer }) => void)[] = [];
  readonly #messages = new Map<number, Buffer>();
  readonly #versions = new Map<string, string>();
  #job = 0;
  #loads = 0;
  stderr = "";

  private constructor(settings: object) {
    const flags = ["--no-node-snapshot", "--permission", "--allow-addons"];
    const readable = [
      `${root}src/*`,
      `${root}runtime/*`,
      `${root}node_modules/*`,
      `${root}package.json`,
      "/etc/alpine-release",
    ];
    const file = compiledFile("src/sandbox/worker/main.ts");
    const argv = [
      ...flags,
      ...readable.map((path) => `--allow-fs-read=${path}`),
      file,
      JSON.stringify(settings),
    ];
    this.child = spawn(process.execPath, argv, {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      env: {},
    });
    this.exited = once(this.child, "exit");
    this.child.stderr?.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#frames = this.child.stdio[3] as Duplex;
    const reader = new FrameReader(MAX_FRAME_BYTES, MAX_ANSWER_HEAD_BYTES);
    this.#frames.on("data", (chunk: Buffer) => {
      for (const frame of reader.push(chunk)) {
        this.#waiting.shift()?.({ head: frame.head as WorkerFrame, bytes: frame.bytes });
      }
    });
    this.#frames.on("error", () => {});
    this.#serveContent(this.child.stdio[4] as Duplex);
  }

  static async start(settings: object = {}): Promise<WorkerUnderTest> {
    const worker = new WorkerUnderTest(settings);
    const gone = worker.exited.then(() =>
      Promise.reject(new Error(`the worker ended at its start: ${worker.stderr}`)),
    );
    const ready = await Promise.race([worker.#next(), gone]);
    gone.catch(() => {});
    if (ready.head.type !== "ready") throw new Error(`unexpected ${ready.head.type}`);
    worker.#send({ type: "init" }, await runtimeBundle());
    return worker;
  }

  #next(): Promise<{ head: WorkerFrame; bytes: Buffer }> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #send(head: object, bytes: Buffer = Buffer.alloc(0)): void {
    for (const part of encodeFrame(head, [bytes])) this.#frames.write(part);
  }

  #serveContent(channel: Duplex): void {
    channel.on("error", () => {});
    channel.on("data", (request: Buffer) => {
      this.contentRequests += 1;
      const message = this.#messages.get(request.readUInt32LE(0)) ?? Buffer.alloc(0);
      const offset = request.readDoubleLE(8);
      const bytes = message.subarray(offset, offset + request.readUInt32LE(4));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      channel.write(length);
      // In two writes, so that the worker meets a short read.
      channel.write(bytes.subarray(0, 1));
      channel.write(bytes.subarray(1));
    });
  }

  async load(
    source: string,
    options: {
      inspectOnly?: boolean;
      evaluate?: boolean;
      limits?: Partial<ScriptLimits>;
      name?: string;
    } = {},
  ): Promise<LoadedFrame> {
    const version = `v${(this.#loads += 1)}`;
    if (options.inspectOnly !== true)
      this.#versions.set(`${source}${JSON.stringify(options.limits ?? {})}`, version);
    const frame = {
      type: "load",
      version,
      scriptName: options.name ?? "test.ts",
      inspectOnly: options.inspectOnly ?? false,
      evaluate: options.evaluate ?? false,
      limits: { ...DEFAULT_SCRIPT_LIMITS, ...options.limits },
    };
    const answer = this.#next();
    this.#send(frame, Buffer.from(await compile(source)));
    return (await answer).head as LoadedFrame;
  }

  /** Runs the scripts, one call each, on one message. */
  async run(sources: string | readonly string[], options: JobOptions = {}): Promise<JobResult> {
    const calls = await this.calls(typeof sources === "string" ? [sources] : sources, options);
    const message = Buffer.from(options.message ?? MESSAGE);
    const { head, bytes } = await this.job(message, calls, options);
    return resultOf(message, head, bytes);
  }

  async job(
    message: Buffer,
    calls: readonly ScriptCall[],
    options: JobOptions = {},
  ): Promise<{ head: DoneFrame; bytes: Buffer }> {
    let turn = await this.start(message, calls, options);
    const open: { request: number; body: CapabilityRequest; bytes: Buffer }[] = [];
    for (;;) {
      const { head, bytes } = turn;
      if (head.type === "done") return { head, bytes };
      open.push(...requestsOf({ head, bytes }));
      const next = open.shift();
      if (next === undefined || options.perform === undefined) throw new Error("the job waits for nothing");
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other
      const performed = await options.perform(next.body, next.bytes);
      // oxlint-disable-next-line no-await-in-loop -- one turn after the other
      turn = await this.resume(head.job, next.request, performed);
    }
  }

  /** The scripts of the sources, as one call each. */
  async calls(sources: readonly string[], options: JobOptions = {}): Promise<ScriptCall[]> {
    // Tests that give a script time mean running time.
    const cpuMs = options.limits?.timeoutMs ?? DEFAULT_SCRIPT_LIMITS.cpuMs;
    const limits = { ...DEFAULT_SCRIPT_LIMITS, cpuMs, ...options.limits };
    const calls: ScriptCall[] = [];
    for (const source of sources) {
      const key = `${source}${JSON.stringify(options.limits ?? {})}`;
      if (!this.#versions.has(key))
        // oxlint-disable-next-line no-await-in-loop -- one frame after the other
        await this.load(source, options.limits === undefined ? {} : { limits: options.limits });
      calls.push({
        version: this.#versions.get(key) ?? "",
        bindingName: "test binding",
        sinkProperties: "{}",
        limits,
        allow: {},
        cacheable: true,
        continueOnFault: false,
        ...options.call,
      });
    }
    return calls;
  }

  /** The first turn of a job. */
  async start(message: Buffer, calls: readonly ScriptCall[], options: JobOptions = {}): Promise<Turn> {
    const job = (this.#job += 1);
    this.#messages.set(job, message);
    for (const [number, call] of calls.entries()) this.#send({ type: "call", number, call });
    const head = {
      type: "job",
      job,
      messageId: `m${job}`,
      envelope: { ...ENVELOPE, ...options.envelope },
      contentSize: message.length,
      headerBytes: headerBlockLength(message),
      calls: [...calls.keys()],
    };
    return this.#turn(head, message.subarray(0, options.sentBytes ?? message.length));
  }

  resume(job: number, request: number, { answer, bytes }: Performed): Promise<Turn> {
    return this.#turn({ type: "resume", job, request, answer }, bytes);
  }

  abandon(job: number): Promise<Turn> {
    return this.#turn({ type: "abandon", job });
  }

  async #turn(head: object, bytes?: Buffer): Promise<Turn> {
    const answer = this.#next();
    this.#send(head, bytes);
    const frame = await answer;
    return { head: frame.head as Turn["head"], bytes: frame.bytes };
  }

  unload(source: string): void {
    this.#send({ type: "unload", version: this.#versions.get(`${source}{}`) ?? "" });
  }

  async stop(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exited;
  }
}

/** What a waiting frame asks for. */
export function requestsOf({
  head,
  bytes,
}: Turn): { request: number; body: CapabilityRequest; bytes: Buffer }[] {
  if (head.type !== "waiting") throw new Error(`the job is done: ${JSON.stringify(head.outcomes)}`);
  let at = 0;
  return head.requests.map(({ request, body, length }) => {
    at += length;
    return { request, body, bytes: bytes.subarray(at - length, at) };
  });
}

/** The outcomes of a job that is done. */
export function outcomesOf({ head }: Turn): readonly CallOutcome[] {
  if (head.type === "done") return head.outcomes;
  throw new Error(`the job waits for ${JSON.stringify(head.requests)}`);
}

function applySplices(message: Buffer, splices: readonly Splice[]): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const { start, end, bytes } of splices) {
    parts.push(message.subarray(at, start), bytes);
    at = end;
  }
  return Buffer.concat([...parts, message.subarray(at)]);
}

function resultOf(original: Buffer, head: DoneFrame, payload: Buffer): JobResult {
  let bytes = original;
  let at = 0;
  for (const outcome of head.outcomes) {
    if (outcome.splices === undefined) continue;
    const splices = outcome.splices.map(({ start, end, length }) => {
      at += length;
      return { start, end, bytes: payload.subarray(at - length, at) };
    });
    bytes = applySplices(original, splices);
  }
  const outcome = head.outcomes[0];
  if (outcome === undefined) throw new Error("the worker gave no outcome");
  return { outcomes: head.outcomes, outcome, bytes, message: bytes.toString("utf8"), payload };
}

/** A script whose body is the given lines. */
export const script = (body: string): string => `function onArrival(msg, status, event) {\n${body}\n}`;

/** Runs the lines and gives what they log. */
export async function logged(
  worker: WorkerUnderTest,
  body: string,
  options: JobOptions = {},
): Promise<readonly string[]> {
  const { outcome } = await worker.run(script(body), options);
  if (outcome.fault !== undefined)
    throw new Error(`${outcome.fault.kind}: ${outcome.fault.message}\n${outcome.fault.stack ?? ""}`);
  return outcome.logs.map((line) => line.text);
}
