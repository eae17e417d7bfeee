// The script versions of this process, and which of them hold an isolate at the moment.
import type { LoadedFrame, LoadFrame } from "../../../../runtime/contract.ts";
import { LoadedScript } from "./loaded-script.ts";
import type { RuntimeSource } from "./runtime-source.ts";
import { ScriptHome } from "./script-home.ts";
import type { WorkerSettings } from "../settings.ts";

const INSPECTIONS_IDLE_MS = 1000;
/** With more contexts the collections of their isolate cost more than making another one. */
const INSPECTIONS_PER_ISOLATE = 20;
/** After the first message of the version that was looked at last. */
const SPARE_AFTER_MS = 100;

export class ScriptStore {
  readonly #settings: WorkerSettings;
  readonly #scripts = new Map<string, LoadedScript>();
  #runtime: RuntimeSource | undefined;
  #inspections: ScriptHome | undefined;
  #inspectedAt = 0;
  /** Where somebody edits a script the next save will come: the isolate for it is made before. */
  #spare: ScriptHome | undefined;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  useRuntime(runtime: RuntimeSource): void {
    this.#runtime = runtime;
  }

  /** Keeps the text; the isolate comes with the first message, unless the script has to be evaluated now. */
  load(frame: LoadFrame, source: string): LoadedFrame {
    if (this.#runtime === undefined) throw new Error("load before init");
    const script = new LoadedScript(this.#runtime, this.#settings, frame, source);
    if (frame.inspectOnly) return this.#inspect(script, frame, this.#runtime);
    this.#scripts.get(frame.version)?.disposeIsolate();
    this.#scripts.set(frame.version, script);
    if (frame.evaluate !== true) return { type: "loaded", version: frame.version };
    script.lastUsed = performance.now();
    this.#makeRoom();
    const spare = this.#spare?.memoryMb === frame.limits.memoryMb ? this.#spare : undefined;
    if (spare !== undefined) this.#spare = undefined;
    this.#makeSpareLater(this.#runtime, frame.limits.memoryMb);
    return script.evaluate(frame, spare);
  }

  #makeSpareLater(runtime: RuntimeSource, memoryMb: number): void {
    setTimeout(() => {
      if (this.#spare !== undefined) return;
      this.#spare = new ScriptHome(runtime, memoryMb, false);
      this.#spare.prepare();
    }, SPARE_AFTER_MS).unref();
  }

  /**
   * An isolate costs several times what a context does, and a thousand scripts may come at once: inspections share one, each
   * in a context of its own. What is wrong with a script is found out in a fresh one: another may have spoilt the first.
   */
  #inspect(script: LoadedScript, { version, limits }: LoadFrame, runtime: RuntimeSource): LoadedFrame {
    this.#inspectedAt = performance.now();
    const shared = this.#inspections;
    if (shared !== undefined && !shared.isGone && shared.contexts < INSPECTIONS_PER_ISOLATE) {
      const found = script.inspect(version, shared);
      // Time cannot be another's doing, as nothing of it runs any more; and twice of it would look like a stuck process.
      if (found.fault === undefined || found.fault.kind === "timeout") return found;
    }
    shared?.dispose();
    this.#inspections = new ScriptHome(runtime, limits.memoryMb, true);
    return script.inspect(version, this.#inspections);
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
    if (now - this.#inspectedAt > INSPECTIONS_IDLE_MS) {
      this.#inspections?.dispose();
      this.#inspections = undefined;
    }
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
