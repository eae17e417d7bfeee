// Where isolates get the runtime from: it is evaluated in each of their contexts, or once, in a snapshot that they begin with.
import ivm from "isolated-vm";
import { RUNTIME_WARM_UP } from "./runtime-warm-up.ts";

const RUNTIME_FILE = "onarrival:runtime";

export interface RuntimeIsolate {
  readonly isolate: ivm.Isolate;
  /** To be run in each context; undefined: contexts have the runtime from their beginning. */
  readonly runtime: ivm.Script | undefined;
}

/** The first isolates of a process evaluate it, as the snapshot costs more than a few of them (decision 44). */
export class RuntimeSource {
  readonly #text: string;
  #isolatesBeforeSnapshot: number;
  #cachedData: ivm.ExternalCopy<ArrayBuffer> | undefined;
  #snapshot: ivm.ExternalCopy<ArrayBuffer> | undefined;

  constructor(text: string, isolatesBeforeSnapshot: number) {
    this.#text = text;
    this.#isolatesBeforeSnapshot = isolatesBeforeSnapshot;
  }

  newIsolate(options: ivm.IsolateOptions): RuntimeIsolate {
    if (this.#isolatesBeforeSnapshot > 0) {
      this.#isolatesBeforeSnapshot -= 1;
      const isolate = new ivm.Isolate(options);
      return { isolate, runtime: this.#compile(isolate) };
    }
    this.#snapshot ??= ivm.Isolate.createSnapshot(
      [{ code: this.#text, filename: RUNTIME_FILE }],
      RUNTIME_WARM_UP,
    );
    return { isolate: new ivm.Isolate({ ...options, snapshot: this.#snapshot }), runtime: undefined };
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
