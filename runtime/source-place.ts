// Where in the script an edit is made, as one number: the effect log shows it. Taken from V8's stack by functions that the script
// cannot replace; whatever it does to Error, the worst is that the place is unknown.

import { PLACE_COLUMNS } from "./contract.ts";

const MAX_LINE = 2_000_000_000;
const RUNTIME_FILE = "onarrival:runtime";
/** Frames that are looked at: first as many as an edit usually has of the runtime's, then as many as it can have. */
const FEW_FRAMES = 5;
const ALL_FRAMES = 14;
/** The innermost ones are always the runtime's: this file, the host, the member that the script used. */
const OWN_FRAMES = 3;

const NativeError = Error;
const { get, set } = Reflect;

interface CallSite {
  getScriptNameOrSourceURL(): unknown;
  getLineNumber(): unknown;
  getColumnNumber(): unknown;
}

/** The innermost frame that has a name and is none of the runtime's is the script's. */
function placeIn(_error: unknown, sites: readonly CallSite[]): number {
  for (let at = OWN_FRAMES; at < sites.length; at++) {
    const name = sites[at]?.getScriptNameOrSourceURL();
    if (typeof name !== "string" || name === "" || name === RUNTIME_FILE) continue;
    const line = sites[at]?.getLineNumber();
    const column = sites[at]?.getColumnNumber();
    if (typeof line !== "number" || typeof column !== "number") return 0;
    return line > 0 && line < MAX_LINE && column > 0 && column < PLACE_COLUMNS
      ? line * PLACE_COLUMNS + column
      : 0;
  }
  return 0;
}

/**
 * Takes the hook that runs inside every error's stack away from the script. The answer tells the place of the script's statement
 * that is running: 3 to 4 µs, most of it V8's, so it is asked at edits only.
 */
export function takeStackHook(): () => number {
  /** Set while our own error is formatted, and never while code of the script runs. */
  let formatter: typeof placeIn | undefined;
  Object.defineProperty(NativeError, "prepareStackTrace", {
    get: () => formatter,
    set: () => {},
    configurable: false,
  });
  return function place(frames = FEW_FRAMES): number {
    let found: unknown;
    try {
      const limit: unknown = get(NativeError, "stackTraceLimit");
      // Refused where the script froze Error.
      if (!set(NativeError, "stackTraceLimit", frames)) return 0;
      const here = new NativeError();
      set(NativeError, "stackTraceLimit", limit);
      formatter = placeIn;
      found = here.stack;
    } catch {
      return 0;
    } finally {
      formatter = undefined;
    }
    if (typeof found === "number" && found !== 0) return found;
    return frames === FEW_FRAMES ? place(ALL_FRAMES) : 0;
  };
}
