// The bundled runtime, which is evaluated in each context of each isolate.
import ivm from "isolated-vm";

export class RuntimeSource {
  readonly #text: string;
  #cachedData: ivm.ExternalCopy<ArrayBuffer> | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Compiled once per process: later isolates take V8's cached data. */
  compile(isolate: ivm.Isolate): ivm.Script {
    const options = { filename: "onarrival:runtime" };
    if (this.#cachedData !== undefined)
      return isolate.compileScriptSync(this.#text, { ...options, cachedData: this.#cachedData });
    const script = isolate.compileScriptSync(this.#text, { ...options, produceCachedData: true });
    this.#cachedData = (script as ivm.Script & { cachedData?: ivm.ExternalCopy<ArrayBuffer> }).cachedData;
    return script;
  }
}
