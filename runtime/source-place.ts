// Where in the script an edit is made, as one number: the effect log shows it. Taken from V8's stack by functions that the script
// cannot replace; whatever it does to Error, the worst is that the place is unknown.

import { PLACE_COLUMNS } from "./contract.ts";

const MAX_LINE = 2_000_000_000;
const RUNTIME_FILE = "onarrival:runtime";
/** Frames that are looked at: first as many as an edit usually has of the runtime's, then as many as it can have. */
const FEW_FRAMES = 4;
const ALL_FRAMES = 14;

const NativeError = Error;
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- V8's, and not in the types of the language
const { captureStackTrace } = NativeError as unknown as {
  captureStackTrace(this: void, target: object, below: unknown): void;
};
const { get, set } = Reflect;

interface CallSite {
  getScriptNameOrSourceURL(): unknown;
  getLineNumber(): unknown;
  getColumnNumber(): unknown;
}

/** The innermost frame that has a name and is none of the runtime's is the script's. */
function placeIn(_error: unknown, sites: readonly CallSite[]): number {
  for (let at = 0; at < sites.length; at++) {
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

/** A function of the object model that scripts call, be it by assigning to a property. */
export type Member = (...values: never[]) => unknown;

/** The place of the script's statement that is running; `member` is the member of the object model that it used. */
export type FindPlace = (member?: Member) => number;

/**
 * Takes the hook that runs inside every error's stack away from the script. Finding a place costs 3 to 4 µs, and half of that
 * where the member is known, most of it V8's: it is asked at edits only.
 */
export function takeStackHook(): FindPlace {
  /** Set while our own error is formatted, and never while code of the script runs. */
  let formatter: typeof placeIn | undefined;
  Object.defineProperty(NativeError, "prepareStackTrace", {
    get: () => formatter,
    set: () => {},
    configurable: false,
  });
  const search = (frames: number, below: Member): number => {
    try {
      const limit: unknown = get(NativeError, "stackTraceLimit");
      // Refused where the script froze Error.
      if (!set(NativeError, "stackTraceLimit", frames)) return 0;
      const here: { stack?: unknown } = {};
      captureStackTrace(here, below);
      set(NativeError, "stackTraceLimit", limit);
      formatter = placeIn;
      const found = here.stack;
      return typeof found === "number" ? found : 0;
    } catch {
      return 0;
    } finally {
      formatter = undefined;
    }
  };
  return function place(member): number {
    // The frame below the member is the script's, unless something of the language called it for the script.
    const found = member === undefined ? 0 : search(1, member);
    return found || search(FEW_FRAMES, place) || search(ALL_FRAMES, place);
  };
}
