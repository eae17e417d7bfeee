// One script version: its text always, its isolate and warm context while in use.
import type { LoadedFrame, LoadFrame, ScriptCall, ScriptFault } from "../../../runtime/contract.ts";
import { type CallState, timeoutMessage } from "./call-state.ts";
import { createHostFunction } from "./host-calls.ts";
import { type CallResult, type RuntimeSource, type ScriptContext, ScriptIsolate } from "./isolate.ts";
import { parseFault, scriptFault, traceName } from "./script-fault.ts";
import type { WorkerSettings } from "./settings.ts";

/** Answer of the glue when the script answered a promise. */
const PENDING = 2;

type Loaded =
  | { readonly context: ScriptContext; readonly entryPoint: string; readonly binding: string }
  | { readonly fault: ScriptFault };

export class LoadedScript {
  readonly #runtime: RuntimeSource;
  readonly #settings: WorkerSettings;
  readonly #memoryMb: number;
  readonly #name: string;
  readonly #source: string;
  #isolate: ScriptIsolate | undefined;
  #warm: ScriptContext | undefined;
  #uses = 0;
  #contexts = 0;
  #current: CallState | undefined;
  /** When it was last called, on the clock of performance.now(). */
  lastUsed = 0;

  constructor(runtime: RuntimeSource, settings: WorkerSettings, frame: LoadFrame, source: string) {
    this.#runtime = runtime;
    this.#settings = settings;
    this.#memoryMb = frame.limits.memoryMb;
    this.#name = traceName(frame.scriptName);
    this.#source = `${source}\n//# sourceURL=${this.#name}`;
  }

  get hasIsolate(): boolean {
    return this.#isolate !== undefined;
  }

  /** Undefined after a fault that ended the isolate. */
  get heapBytes(): number | undefined {
    return this.#isolate?.isDisposed === false ? this.#isolate.heapBytes() : undefined;
  }

  /** Loads the script to see what it is, then forgets the isolate. */
  inspect(version: string): LoadedFrame {
    const loaded = this.#load();
    this.disposeIsolate();
    if ("fault" in loaded) return { type: "loaded", version, fault: loaded.fault };
    const binding: unknown = loaded.binding === "" ? undefined : JSON.parse(loaded.binding);
    return {
      type: "loaded",
      version,
      entryPoint: loaded.entryPoint,
      ...(binding === undefined ? {} : { binding }),
    };
  }

  /** One message through the script: its verdict, or its fault. The state holds everything else that happened. */
  run(state: CallState, call: ScriptCall, messageId: string): 0 | 1 | ScriptFault {
    this.#recycle(call.cacheable);
    this.#current = state;
    try {
      const context = call.cacheable ? this.#warm : undefined;
      const loaded: Loaded = context === undefined ? this.#load() : { context, entryPoint: "", binding: "" };
      if ("fault" in loaded) return loaded.fault;
      if (call.cacheable) this.#warm = loaded.context;
      const verdict = this.#call(loaded.context, state, call, messageId);
      if (!call.cacheable) loaded.context.release();
      return verdict;
    } finally {
      this.#current = undefined;
    }
  }

  disposeIsolate(): void {
    this.#isolate?.dispose();
    this.#isolate = undefined;
    this.#warm = undefined;
    this.#uses = 0;
    this.#contexts = 0;
  }

  #call(context: ScriptContext, state: CallState, call: ScriptCall, messageId: string): 0 | 1 | ScriptFault {
    state.start(performance.now());
    const properties = JSON.stringify(call.sinkProperties);
    let result = context.run(
      state.limits.growthBytes,
      call.bindingName,
      messageId,
      properties,
      state.limits.timeoutMs,
    );
    // Microtasks ran when the call returned; a promise that is open still has nobody left to settle it.
    if (result.kind === "answer" && result.answer === PENDING)
      result = context.settle(state.deadline - performance.now());
    if (result.kind !== "answer") return this.#failure(result, state);
    if (typeof result.answer === "string") return parseFault(result.answer, this.#name);
    return result.answer === 1 ? 1 : 0;
  }

  /** After any of these nobody knows what state the isolate is in (open microtasks, half-made objects): it goes. */
  #failure(result: Exclude<CallResult, { kind: "answer" }>, state: CallState | undefined): ScriptFault {
    this.disposeIsolate();
    if (result.kind === "timeout") {
      const message =
        state === undefined ? "the script did not end loading in time" : timeoutMessage(state.limits);
      return scriptFault("timeout", message, "", this.#name);
    }
    if (result.kind === "memory")
      return scriptFault(
        "memory",
        `the script needed more than its ${this.#memoryMb} MB of memory`,
        "",
        this.#name,
      );
    // The one thing that isolated-vm throws for a script beside time and memory.
    return scriptFault(
      "throw",
      `a promise was rejected and nobody handled it: ${result.message}`,
      "",
      this.#name,
    );
  }

  #recycle(cacheable: boolean): void {
    if (this.#isolate === undefined) return;
    this.#uses += 1;
    const { isolateMaxUses, isolateMaxContexts, heapSampleEvery, heapRecycleShare } = this.#settings;
    const spent =
      this.#isolate.isDisposed ||
      this.#uses >= isolateMaxUses ||
      (!cacheable && this.#contexts >= isolateMaxContexts);
    const maxHeap = heapRecycleShare * this.#memoryMb * 1024 * 1024;
    if (spent || (this.#uses % heapSampleEvery === 0 && this.#isolate.heapBytes() > maxHeap))
      this.disposeIsolate();
  }

  #load(): Loaded {
    const isolate = (this.#isolate ??= new ScriptIsolate(this.#runtime, this.#memoryMb));
    if (this.#contexts === 0) {
      const syntax = isolate.syntaxError(this.#source, this.#name);
      if (syntax !== undefined) {
        this.disposeIsolate();
        return { fault: scriptFault("load", syntax, "", this.#name) };
      }
    }
    this.#contexts += 1;
    const context = isolate.createContext(createHostFunction(() => this.#current));
    const result = context.load(this.#source, this.#settings.loadTimeoutMs);
    if (result.kind !== "answer") return { fault: this.#failure(result, undefined) };
    const [kind, entryPoint = "", binding = ""] = String(result.answer).split("\0");
    if (kind === "ok") return { context, entryPoint, binding };
    this.disposeIsolate();
    return { fault: parseFault(String(result.answer), this.#name) };
  }
}
