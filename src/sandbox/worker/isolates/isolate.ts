// What the worker sees of isolated-vm: an isolate with its contexts, and what can go wrong in it as values.
// Host functions and script calls exchange texts and numbers; no object of isolated-vm is reachable from a script.
/* oxlint-disable typescript/no-unsafe-type-assertion -- references of isolated-vm are untyped; the runtime's build guarantees the glue */
import ivm from "isolated-vm";
import type { RuntimeSource } from "./runtime-source.ts";

export type HostValue = string | number | boolean | undefined;
/** Buffers cross as copies. */
export type HostAnswer = HostValue | ArrayBuffer;
export type HostFunction = (
  operation: string,
  a: HostValue,
  b: HostValue,
  c: HostValue,
  place?: unknown,
  bytes?: unknown,
) => HostAnswer;

/** How a call into the isolate ended. `broken`: the isolate refused for a reason that is neither time nor memory. */
export type CallResult =
  | { readonly kind: "answer"; readonly answer: string | number }
  /** `stack`: where the script stood, as far as isolated-vm tells. Names of functions in it are the script's. */
  | { readonly kind: "timeout"; readonly stack: string }
  | { readonly kind: "memory" }
  | { readonly kind: "broken"; readonly message: string; readonly stack: string };

type Argument = string | number | ivm.Copy<unknown>;
type Connect = ivm.Reference<(host: ivm.Callback) => Record<string, unknown>>;
type Entry = ivm.Reference<(...values: unknown[]) => string | number>;

const RUNTIME_TIMEOUT_MS = 5000;
/** What the runtime leaves for us; it goes with the first use (runtime/index.ts). */
const CONNECT_GLOBAL = "__onarrivalConnect";
const MAX_TIMEOUT_GRID_MS = 32;
/** In the words of isolated-vm. */
const TIMED_OUT = "Script execution timed out.";
const DISPOSED = /^Isolate (?:is|was) disposed/;

/**
 * isolated-vm wakes a thread for every limit that it was given, also long after the call has ended: one per message. Limits that
 * fall due in the same millisecond share a wake, so they are moved to the next of few instants; a script gets at most a
 * sixteenth of its time more.
 */
function alignedTimeout(timeoutMs: number): number {
  const grid = Math.min(MAX_TIMEOUT_GRID_MS, timeoutMs / 16);
  if (grid <= 1) return Math.max(1, Math.ceil(timeoutMs));
  const now = performance.now();
  return Math.ceil(Math.ceil((now + timeoutMs) / grid) * grid - now);
}

/** Without our own frames: a script may be called as a file of ours. */
const stackOf = (error: unknown): string =>
  error instanceof Error && typeof error.stack === "string"
    ? (error.stack.split("\n    at (<isolated-vm boundary>)", 1)[0] ?? "")
    : "";

/** A script may reject with a text as well. */
const textOf = (error: unknown): string =>
  error instanceof Error || typeof error === "string" ? String(error) : "no Error and no text";

/** One context with the runtime and, after load(), the script. */
export class ScriptContext {
  readonly #isolate: ivm.Isolate;
  readonly #context: ivm.Context;
  readonly #load: Entry;
  readonly #run: Entry;
  readonly #settle: Entry;
  readonly #resume: Entry;

  constructor(isolate: ivm.Isolate, runtime: ivm.Script, host: HostFunction) {
    this.#isolate = isolate;
    this.#context = isolate.createContextSync();
    runtime.runSync(this.#context, { timeout: RUNTIME_TIMEOUT_MS });
    const connect = this.#context.global.getSync(CONNECT_GLOBAL, { reference: true }) as Connect;
    const callback = new ivm.Callback(host, { sync: true });
    const glue = connect.applySync(undefined, [callback], {
      result: { reference: true },
      timeout: RUNTIME_TIMEOUT_MS,
    });
    connect.release();
    const entry = (name: string): Entry => glue.getSync(name, { reference: true }) as Entry;
    this.#load = entry("load");
    this.#run = entry("run");
    this.#settle = entry("settle");
    this.#resume = entry("resume");
    glue.release();
  }

  load(source: string, timeoutMs: number): CallResult {
    return this.#call(this.#load, [source], timeoutMs);
  }

  run(
    growthBytes: number,
    bindingName: string,
    messageId: string,
    properties: string,
    timeoutMs: number,
  ): CallResult {
    return this.#call(this.#run, [growthBytes, bindingName, messageId, properties], timeoutMs);
  }

  settle(openRequests: number, timeoutMs: number): CallResult {
    return this.#call(this.#settle, [openRequests], timeoutMs);
  }

  /** Gives the script the answer to a request, and lets it run until it waits again. */
  resume(request: number, answer: string, bytes: Buffer, timeoutMs: number): CallResult {
    const { buffer, byteOffset, byteLength } = bytes;
    const copy = new ivm.ExternalCopy(buffer.slice(byteOffset, byteOffset + byteLength));
    return this.#call(this.#resume, [request, answer, copy.copyInto({ release: true })], timeoutMs);
  }

  #call(entry: Entry, values: Argument[], timeoutMs: number): CallResult {
    try {
      const answer: unknown = entry.applySync(undefined, values, { timeout: alignedTimeout(timeoutMs) });
      if (typeof answer === "string" || typeof answer === "number") return { kind: "answer", answer };
      return { kind: "broken", message: "the runtime gave no answer", stack: "" };
    } catch (error) {
      // What arrives here was thrown by isolated-vm or V8, or is the reason of a rejection that nobody handled: the glue lets
      // nothing else of the script pass.
      const message = error instanceof Error ? error.message : "";
      if (message === TIMED_OUT) return { kind: "timeout", stack: stackOf(error) };
      if (this.#isolate.isDisposed || DISPOSED.test(message)) return { kind: "memory" };
      return { kind: "broken", message: textOf(error), stack: stackOf(error) };
    }
  }

  release(): void {
    if (this.#isolate.isDisposed) return;
    for (const entry of [this.#load, this.#run, this.#settle, this.#resume]) entry.release();
    this.#context.release();
  }
}

export class ScriptIsolate {
  readonly #isolate: ivm.Isolate;
  readonly #runtime: ivm.Script;

  constructor(runtime: RuntimeSource, memoryMb: number) {
    this.#isolate = new ivm.Isolate({
      memoryLimit: Math.max(8, memoryMb),
      // V8 has given up: its thread never comes back and an ordinary exit hangs. The relay would kill us anyway, later.
      onCatastrophicError: () => process.kill(process.pid, "SIGKILL"),
    });
    this.#runtime = runtime.compile(this.#isolate);
  }

  get isDisposed(): boolean {
    return this.#isolate.isDisposed;
  }

  createContext(host: HostFunction): ScriptContext {
    return new ScriptContext(this.#isolate, this.#runtime, host);
  }

  /** The message of a syntax error, with line and column of the bundle. The script is compiled, not run. */
  syntaxError(source: string, scriptName: string): string | undefined {
    try {
      this.#isolate.compileScriptSync(source, { filename: scriptName }).release();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : "the script does not compile";
    }
  }

  heapBytes(): number {
    const heap = this.#isolate.getHeapStatisticsSync();
    return heap.used_heap_size + heap.externally_allocated_size;
  }

  /** Buffers outside of the heap, those included that are garbage. */
  externalBytes(): number {
    return this.#isolate.isDisposed
      ? Number.POSITIVE_INFINITY
      : this.#isolate.getHeapStatisticsSync().externally_allocated_size;
  }

  /** Takes some ms. There is no call for it: but V8 looks for garbage before it refuses a buffer, and for this one is never room. */
  collectGarbage(): void {
    try {
      // A context of its own: in those of the script the constructor may be another.
      const context = this.#isolate.createContextSync();
      context.evalSync("try { new ArrayBuffer(2 ** 32) } catch {}", { timeout: RUNTIME_TIMEOUT_MS });
      context.release();
    } catch {
      // The isolate has come to its end over it; whoever asks for its memory next sees that.
    }
  }

  dispose(): void {
    if (!this.#isolate.isDisposed) this.#isolate.dispose();
  }
}
