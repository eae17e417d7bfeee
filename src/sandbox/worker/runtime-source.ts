// Where isolates get the runtime from: it is evaluated in each of their contexts, or once, in a snapshot that they begin with.
import { oneLine } from "../../core/printable.ts";
import ivm from "isolated-vm";
import type { WorkerFrame } from "../../../runtime/contract.ts";
import { RUNTIME_WARM_UP } from "./runtime-warm-up.ts";
import type { WorkerSettings } from "./settings.ts";

const RUNTIME_FILE = "onarrival:runtime";
/** What the runtime leaves for us; it goes with the first use (runtime/index.ts). */
export const CONNECT_GLOBAL = "__onarrivalConnect";
const MAX_REASON_CHARS = 200;

export interface RuntimeIsolate {
  readonly isolate: ivm.Isolate;
  /** To be run in each context; undefined: contexts have the runtime from their beginning. */
  readonly runtime: ivm.Script | undefined;
}

type Snapshot = ivm.ExternalCopy<ArrayBuffer>;
type SnapshotStep = Extract<WorkerFrame, { readonly type: "snapshot" }>["step"];
export type TellOfSnapshot = (step: SnapshotStep, reason?: string) => void;

/** The first isolates of a process evaluate it, as the snapshot costs more than a few of them (decision 44). */
export class RuntimeSource {
  readonly #text: string;
  readonly #tell: TellOfSnapshot;
  /** Infinite: all of them. */
  #isolatesBeforeSnapshot: number;
  #cachedData: ivm.ExternalCopy<ArrayBuffer> | undefined;
  #snapshot: Snapshot | undefined;
  /** Time that making the snapshot took: of the process, not of the call that happened to come then. */
  snapshotMs = 0;

  constructor(
    text: string,
    { snapshot, isolatesBeforeSnapshot }: Pick<WorkerSettings, "snapshot" | "isolatesBeforeSnapshot">,
    tell: TellOfSnapshot,
  ) {
    this.#text = text;
    this.#tell = tell;
    this.#isolatesBeforeSnapshot = snapshot ? isolatesBeforeSnapshot : Number.POSITIVE_INFINITY;
  }

  newIsolate(options: ivm.IsolateOptions): RuntimeIsolate {
    const snapshot = this.#snapshotOfNext();
    if (snapshot !== undefined)
      return { isolate: new ivm.Isolate({ ...options, snapshot }), runtime: undefined };
    const isolate = new ivm.Isolate(options);
    return { isolate, runtime: this.#compile(isolate) };
  }

  #snapshotOfNext(): Snapshot | undefined {
    if (this.#isolatesBeforeSnapshot > 0) {
      this.#isolatesBeforeSnapshot -= 1;
      return undefined;
    }
    this.#snapshot ??= this.#makeSnapshot();
    return this.#snapshot;
  }

  /** Undefined: this platform refuses it, and will do so again. */
  #makeSnapshot(): Snapshot | undefined {
    this.#tell("begun");
    const started = performance.now();
    try {
      const code = [{ code: this.#text, filename: RUNTIME_FILE }];
      const snapshot = ivm.Isolate.createSnapshot(code, RUNTIME_WARM_UP);
      tryOut(snapshot);
      this.#tell("made");
      return snapshot;
    } catch (error) {
      this.#isolatesBeforeSnapshot = Number.POSITIVE_INFINITY;
      const reason = error instanceof Error ? error.message : "unknown";
      this.#tell("refused", oneLine(reason).slice(0, MAX_REASON_CHARS));
      return undefined;
    } finally {
      this.snapshotMs = performance.now() - started;
    }
  }

  /** Compiled once: later isolates take V8's cached data. */
  #compile(isolate: ivm.Isolate): ivm.Script {
    const options = { filename: RUNTIME_FILE };
    if (this.#cachedData !== undefined)
      return isolate.compileScriptSync(this.#text, { ...options, cachedData: this.#cachedData });
    const script = isolate.compileScriptSync(this.#text, { ...options, produceCachedData: true });
    this.#cachedData = (script as ivm.Script & { cachedData?: ivm.ExternalCopy<ArrayBuffer> }).cachedData;
    return script;
  }
}

/** What V8 does not take shows in the first isolate of it, and must not show in that of a script. */
function tryOut(snapshot: Snapshot): void {
  const isolate = new ivm.Isolate({ snapshot });
  try {
    const type = isolate.createContextSync().evalSync(`typeof ${CONNECT_GLOBAL}`) as unknown;
    if (type !== "function") throw new Error("an isolate of the snapshot is without the runtime");
  } finally {
    isolate.dispose();
  }
}
