// The script versions of this process, and which of them hold an isolate at the moment.
import type { LoadedFrame, LoadFrame } from "../../../runtime/contract.ts";
import type { RuntimeSource } from "./isolate.ts";
import { LoadedScript } from "./loaded-script.ts";
import type { WorkerSettings } from "./settings.ts";

export class ScriptStore {
  readonly #settings: WorkerSettings;
  readonly #scripts = new Map<string, LoadedScript>();
  #runtime: RuntimeSource | undefined;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  useRuntime(runtime: RuntimeSource): void {
    this.#runtime = runtime;
  }

  /** Keeps the text; the isolate comes with the first message. Only an inspection evaluates the script now. */
  load(frame: LoadFrame, source: string): LoadedFrame {
    if (this.#runtime === undefined) throw new Error("load before init");
    const script = new LoadedScript(this.#runtime, this.#settings, frame, source);
    if (frame.inspectOnly) return script.inspect(frame.version);
    this.#scripts.get(frame.version)?.disposeIsolate();
    this.#scripts.set(frame.version, script);
    return { type: "loaded", version: frame.version };
  }

  unload(version: string): void {
    this.#scripts.get(version)?.disposeIsolate();
    this.#scripts.delete(version);
  }

  /** The script, about to be used: makes room for its isolate. */
  use(version: string, now: number): LoadedScript | undefined {
    const script = this.#scripts.get(version);
    if (script === undefined) return undefined;
    script.lastUsed = now;
    if (script.isolates === 0) this.#makeRoom();
    return script;
  }

  disposeIdle(now: number): void {
    for (const script of this.#scripts.values()) {
      const isIdle = script.isolates > 0 && !script.isWaiting;
      if (isIdle && now - script.lastUsed > this.#settings.isolateIdleMs) script.disposeIsolate();
    }
  }

  #makeRoom(): void {
    let isolates = 0;
    let oldest: LoadedScript | undefined;
    for (const script of this.#scripts.values()) {
      isolates += script.isolates;
      // Isolates of calls that wait cannot go; how many of these a process gets is the relay's to say.
      if (script.isolates === 0 || script.isWaiting) continue;
      if (oldest === undefined || script.lastUsed < oldest.lastUsed) oldest = script;
    }
    if (isolates >= this.#settings.maxIsolates) oldest?.disposeIsolate();
  }
}
