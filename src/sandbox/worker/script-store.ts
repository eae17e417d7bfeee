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
    if (!script.hasIsolate) this.#makeRoom();
    return script;
  }

  disposeIdle(now: number): void {
    for (const script of this.#scripts.values()) {
      if (script.hasIsolate && now - script.lastUsed > this.#settings.isolateIdleMs) script.disposeIsolate();
    }
  }

  #makeRoom(): void {
    const holders = [...this.#scripts.values()].filter((script) => script.hasIsolate);
    if (holders.length < this.#settings.maxIsolates) return;
    holders
      .reduce((oldest, script) => (script.lastUsed < oldest.lastUsed ? script : oldest))
      .disposeIsolate();
  }
}
