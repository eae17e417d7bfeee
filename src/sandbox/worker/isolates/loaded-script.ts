// One script version: its text always, isolates and warm contexts while in use. Calls that wait keep their context, so one
// isolate holds several calls; they share its heap and nothing else.
import type {
  CapabilityAnswer,
  LoadedFrame,
  LoadFrame,
  ScriptCall,
  ScriptFault,
} from "../../../../runtime/contract.ts";
import type { CallState } from "../call-state.ts";
import type { CallResult } from "./isolate.ts";
import type { RuntimeSource } from "./runtime-source.ts";
import { parseFault, scriptFault, traceName, withLastPlace } from "./script-fault.ts";
import { type LoadedFor, type Room, ScriptHome } from "./script-home.ts";
import type { WorkerSettings } from "../settings.ts";

const MEGABYTE = 1024 * 1024;
/** What V8 throws when isolated-vm refuses a buffer; a script that throws the same is taken at its word. */
const REFUSED_BUFFER = "RangeError: Array buffer allocation failed";
/** Answer of the glue when the script answered a promise that is still open. */
const PENDING = 2;

/** `displaced`: the isolate ran out of memory with several calls in it. Nobody knows whose fault it is: to be run alone. */
export type CallEnd = 0 | 1 | ScriptFault | WaitingCall | "displaced";

interface Loaded {
  readonly room: Room;
  readonly entryPoint: string;
  readonly binding: string;
  readonly needs: string;
}

export class LoadedScript {
  readonly #runtime: RuntimeSource;
  readonly #settings: WorkerSettings;
  readonly #name: string;
  readonly #source: string;
  #homes: ScriptHome[] = [];
  #isChecked = false;
  /** When it was last called, on the clock of performance.now(). */
  lastUsed = 0;

  constructor(runtime: RuntimeSource, settings: WorkerSettings, frame: LoadFrame, source: string) {
    this.#runtime = runtime;
    this.#settings = settings;
    this.#name = traceName(frame.scriptName);
    this.#source = `${source}\n//# sourceURL=${this.#name}`;
  }

  get isolates(): number {
    return this.#homes.length;
  }

  get isWaiting(): boolean {
    return this.#homes.some(({ calls }) => calls > 0);
  }

  /** Undefined after a fault that ended the isolate. */
  heapBytes({ limits }: ScriptCall): number | undefined {
    const home = this.#homes.find(({ isGone, memoryMb }) => !isGone && memoryMb === limits.memoryMb);
    return home?.isolate.heapBytes();
  }

  /** Loads the script to see what it is, in an isolate that is lent for it. */
  inspect(version: string, home: ScriptHome): LoadedFrame {
    const loaded = this.#load(home, "inspection");
    if ("kind" in loaded) return { type: "loaded", version, fault: loaded };
    loaded.room.context.release();
    return describe(version, loaded);
  }

  /** The same in an isolate of its own, which waits with the context for the first call. `spare`: one that is made already. */
  evaluate({ version, limits }: LoadFrame, spare: ScriptHome | undefined): LoadedFrame {
    const home = spare ?? this.#newHome(false, limits.memoryMb);
    if (spare !== undefined) this.#homes.push(spare);
    const loaded = this.#load(home, "inspection");
    if ("kind" in loaded) return { type: "loaded", version, fault: loaded };
    home.keep(loaded.room);
    return describe(version, loaded);
  }

  /** One message through the script: its verdict, or its fault. The state holds everything else that happened. */
  run(state: CallState, call: ScriptCall, messageId: string, alone: boolean): CallEnd {
    const home = this.#homeFor(call, alone);
    let room = call.cacheable ? home.take(call) : undefined;
    if (room === undefined) {
      const loaded = this.#load(home, call);
      if ("kind" in loaded) return loaded;
      room = loaded.room;
    }
    home.calls += 1;
    state.start(performance.now());
    room.state = state;
    const result = room.context.run(
      state.limits.growthBytes,
      call.bindingName,
      messageId,
      call.sinkProperties,
      state.deadline - performance.now(),
    );
    return this.turnEnded(room, state, call, result);
  }

  /** Microtasks ran when the context returned; with no open request nobody is left to settle an open promise. */
  turnEnded(room: Room, state: CallState, call: ScriptCall, returned: CallResult): CallEnd {
    let result = returned;
    if (isPending(result)) {
      // A call that broke a limit waits for nothing any more.
      const open = state.fault === undefined ? state.openRequests : 0;
      result = room.context.settle(open, state.deadline - performance.now());
    }
    room.state = undefined;
    const tooMuch = result.kind === "answer" ? this.#tooManyBuffers(room.home, state) : undefined;
    if (tooMuch !== undefined) return this.#outOfBuffers(room, tooMuch);
    if (isPending(result)) {
      state.endTurn(performance.now());
      return new WaitingCall(this, room, state, call);
    }
    if (result.kind !== "answer") return this.#failed(room, result, state);
    return this.#answered(room, state, call, result.answer);
  }

  #answered(room: Room, state: CallState, call: ScriptCall, answer: string | number): CallEnd {
    const thrown = typeof answer === "string" ? parseFault(answer, this.#name) : undefined;
    if (thrown?.message === REFUSED_BUFFER)
      return this.#outOfBuffers(room, refusedBuffer(thrown, room.home.memoryMb));
    if (state.changedBuiltIns) state.warn(CHANGED_BUILT_INS);
    this.#leave(room, call.cacheable && state.fault === undefined && !state.changedBuiltIns);
    return thrown ?? (answer === 1 ? 1 : 0);
  }

  /** The context of a call that ended while it waited is not used again: its promises are still in it. */
  abandoned(room: Room): void {
    this.#leave(room, false);
  }

  /** Isolates that hold waiting calls go with the last of these. */
  disposeIsolate(): void {
    for (const home of this.#homes) home.retire();
    this.#homes = [];
  }

  #leave(room: Room, isReusable: boolean): void {
    const { home } = room;
    home.leave(room, isReusable);
    if (home.calls > 0 || this.#isKept(home)) return;
    // A further isolate was for a crowd, or for one call alone.
    home.retire();
    this.#forget(home);
  }

  /** Each amount of memory that bindings give the script keeps one isolate. */
  #isKept(home: ScriptHome): boolean {
    const first = this.#homes.find(({ isPrivate, memoryMb }) => !isPrivate && memoryMb === home.memoryMb);
    return home === first;
  }

  #forget(home: ScriptHome): void {
    this.#homes = this.#homes.filter((one) => one !== home);
  }

  #newHome(isPrivate: boolean, memoryMb: number): ScriptHome {
    const home = new ScriptHome(this.#runtime, memoryMb, isPrivate);
    this.#homes.push(home);
    return home;
  }

  #homeFor(call: ScriptCall, alone: boolean): ScriptHome {
    const { memoryMb } = call.limits;
    if (alone) return this.#newHome(true, memoryMb);
    const found = this.#homes.find(
      (home) => !home.isPrivate && home.memoryMb === memoryMb && (home.calls === 0 || this.#hasRoom(home)),
    );
    if (found === undefined) return this.#newHome(false, memoryMb);
    found.uses += 1;
    if (!this.#isSpent(found, call.cacheable)) return found;
    found.retire();
    this.#forget(found);
    return this.#newHome(false, memoryMb);
  }

  #isSpent(home: ScriptHome, cacheable: boolean): boolean {
    const { isolateMaxUses, isolateMaxContexts, heapSampleEvery } = this.#settings;
    if (home.isGone || home.uses >= isolateMaxUses) return true;
    if (home.contexts >= isolateMaxContexts && (!cacheable || home.calls === 0)) return true;
    return home.uses % heapSampleEvery === 0 && this.#isHeapFull(home);
  }

  /** For one more call, beside those that wait. */
  #hasRoom(home: ScriptHome): boolean {
    return !home.isGone && home.calls < this.#settings.isolateMaxCalls && !this.#isHeapFull(home);
  }

  #isHeapFull({ isolate, memoryMb }: ScriptHome): boolean {
    return isolate.heapBytes() > this.#settings.heapRecycleShare * memoryMb * MEGABYTE;
  }

  /** After any of these nobody knows what state the context is in (open microtasks, half-made objects): it goes. */
  #failed(
    room: Room,
    result: Exclude<CallResult, { kind: "answer" }>,
    state: CallState,
  ): ScriptFault | "displaced" {
    const { home } = room;
    const hadCompany = home.calls > 1;
    const fault = this.#failure(home, result, state.timeoutMessage, state.lastPlace);
    home.leave(room, false);
    return fault.kind === "memory" && hadCompany ? "displaced" : fault;
  }

  /** What the script keeps outside of its heap, when that is more than it may. A short turn cannot have written much. */
  #tooManyBuffers({ isolate, memoryMb }: ScriptHome, state: CallState): ScriptFault | undefined {
    const { externalMb } = state.limits;
    if (externalMb === undefined || externalMb >= memoryMb) return undefined;
    if (state.turnMs(performance.now()) < this.#settings.measureAfterMs) return undefined;
    const most = externalMb * MEGABYTE;
    if (isolate.externalBytes() <= most) return undefined;
    isolate.collectGarbage();
    const kept = isolate.externalBytes();
    return kept <= most ? undefined : buffersKept(kept, externalMb);
  }

  /** The isolate goes, and its buffers with it. */
  #outOfBuffers(room: Room, fault: ScriptFault): ScriptFault | "displaced" {
    const { home } = room;
    const hadCompany = home.calls > 1;
    home.dispose();
    this.#forget(home);
    home.leave(room, false);
    return hadCompany ? "displaced" : fault;
  }

  /** The isolate goes, too: at once when its memory is used up, else when those who wait in it have left. */
  #failure(
    home: ScriptHome,
    result: Exclude<CallResult, { kind: "answer" }>,
    timeoutMessage: string,
    lastPlace = 0,
  ): ScriptFault {
    if (result.kind === "memory") home.dispose();
    else home.retire();
    this.#forget(home);
    const fault = (kind: ScriptFault["kind"], message: string, stack = ""): ScriptFault =>
      scriptFault(kind, message, stack, this.#name);
    if (result.kind === "timeout")
      return withLastPlace(fault("timeout", timeoutMessage, result.stack), lastPlace);
    if (result.kind === "memory") {
      const message = `the script needed more than its ${home.memoryMb} MB of memory`;
      return withLastPlace(fault("memory", message), lastPlace);
    }
    // The one thing that isolated-vm throws for a script beside time and memory.
    return fault("throw", `a promise was rejected and nobody handled it: ${result.message}`, result.stack);
  }

  #load(home: ScriptHome, loadedFor: LoadedFor): Loaded | ScriptFault {
    if (!this.#isChecked) {
      const syntax = home.isolate.syntaxError(this.#source, this.#name);
      if (syntax !== undefined) {
        home.retire();
        this.#forget(home);
        return scriptFault("load", syntax, "", this.#name);
      }
      this.#isChecked = true;
    }
    const room = home.newRoom(loadedFor);
    const result = room.context.load(this.#source, this.#settings.loadTimeoutMs);
    room.loaded();
    if (result.kind !== "answer")
      return this.#failure(home, result, "the script did not end loading in time");
    const [kind, entryPoint = "", binding = "", needs = ""] = String(result.answer).split("\0");
    if (kind === "ok") return { room, entryPoint, binding, needs };
    home.retire();
    this.#forget(home);
    return parseFault(String(result.answer), this.#name);
  }
}

const buffersKept = (bytes: number, externalMb: number): ScriptFault => ({
  kind: "memory",
  message: Number.isFinite(bytes)
    ? `the script kept ${Math.ceil(bytes / MEGABYTE)} MB in buffers outside of its heap, and may keep ${externalMb} (externalMb)`
    : `the script kept more than ${externalMb} MB in buffers outside of its heap (externalMb)`,
});

const refusedBuffer = (thrown: ScriptFault, memoryMb: number): ScriptFault => ({
  ...thrown,
  kind: "memory",
  message: `the script needed more than its ${memoryMb} MB of memory: there was no room for another buffer`,
});

function describe(version: string, { entryPoint, binding, needs }: Loaded): LoadedFrame {
  return {
    type: "loaded",
    version,
    entryPoint,
    ...(binding === "" ? {} : { binding: JSON.parse(binding) as unknown }),
    ...(needs === "" ? {} : { needs: needs.split("\n") }),
  };
}

/** The next message shall not work with what this one made of the language. */
const CHANGED_BUILT_INS =
  "changed built-in objects of the language; the next message starts in a fresh context";

const isPending = (result: CallResult): boolean => result.kind === "answer" && result.answer === PENDING;

/** A call between two turns. */
export class WaitingCall {
  readonly #script: LoadedScript;
  readonly #room: Room;
  readonly #state: CallState;
  readonly #call: ScriptCall;

  constructor(script: LoadedScript, room: Room, state: CallState, call: ScriptCall) {
    this.#script = script;
    this.#room = room;
    this.#state = state;
    this.#call = call;
  }

  /** Another call of the same isolate used up its memory. */
  get isLost(): boolean {
    return this.#room.home.isolate.isDisposed;
  }

  resume(request: number, answer: CapabilityAnswer, bytes: Buffer): CallEnd {
    const state = this.#state;
    const room = this.#room;
    state.startTurn(performance.now());
    room.state = state;
    const result = room.context.resume(
      request,
      JSON.stringify(answer),
      bytes,
      state.deadline - performance.now(),
    );
    const isOpen = result.kind === "answer" && result.answer === 0;
    return this.#script.turnEnded(
      room,
      state,
      this.#call,
      isOpen ? { kind: "answer", answer: PENDING } : result,
    );
  }

  abandon(): void {
    if (!this.isLost) this.#script.abandoned(this.#room);
  }
}
