// What a script's failure looks like to the relay: one line, the frames of the bundle, the position.
import { oneLine } from "../../../core/printable.ts";
import { PLACE_COLUMNS, type ScriptFault, cut } from "../../../../runtime/contract.ts";

const MAX_MESSAGE_CHARS = 1000;
const MAX_STACK_CHARS = 4000;

const KINDS = ["throw", "timeout", "memory", "limit", "invalid", "load"] as const;

const NOT_DEFINED = /^ReferenceError: (\w+) is not defined$/;
const NO_TIMERS = "scripts have no timers";
const NOT_NODE = "scripts do not run in Node: docs/scripts.md lists what there is";
const COM = 'objects are made by new ActiveXObject("CDO.Message"); docs/scripts.md lists the classes';
/** What scripts take for granted that come from Node, a browser or the script host of Windows. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ...["setTimeout", "setInterval", "setImmediate"].map((name) => [name, NO_TIMERS] as const),
  ...["process", "require", "Buffer"].map((name) => [name, NOT_NODE] as const),
  ...["WScript", "Server", "CreateObject", "GetObject"].map((name) => [name, COM] as const),
]);

function withAdvice(message: string): string {
  const name = NOT_DEFINED.exec(message)?.[1];
  const advice = name === undefined ? undefined : ADVICE.get(name);
  return advice === undefined ? message : `${message}; ${advice}`;
}

/** `text` is what the glue wrote: kind, message and stack, apart by NUL. */
export function parseFault(text: string, scriptName: string): ScriptFault {
  const [kindText = "", message = "", stack = ""] = text.split("\0");
  const kind = KINDS.find((known) => known === kindText) ?? "throw";
  return scriptFault(kind, message, stack, scriptName);
}

export function scriptFault(
  kind: ScriptFault["kind"],
  message: string,
  stack: string,
  scriptName: string,
): ScriptFault {
  const frames = stack
    .split("\n")
    .filter((line) => line.includes(`${scriptName}:`))
    .map((line) => oneLine(line.trim()))
    .join("\n")
    .slice(0, MAX_STACK_CHARS);
  const position = positionIn(frames, scriptName) ?? positionIn(message, scriptName);
  return {
    kind,
    message: withAdvice(cut(oneLine(message), MAX_MESSAGE_CHARS)),
    ...(frames === "" ? {} : { stack: frames }),
    ...position,
  };
}

type Position = Required<Pick<ScriptFault, "line" | "column">>;

/** Of a place as the runtime tells it. The number comes out of the isolate: what is no position is none. */
export function positionAt(place: number): Position | undefined {
  if (!Number.isSafeInteger(place) || place < PLACE_COLUMNS) return undefined;
  return { line: Math.floor(place / PLACE_COLUMNS), column: place % PLACE_COLUMNS };
}

/**
 * An isolate takes its stack with it, and between two microtasks there is none: then the last place that is known says at least
 * how far the script came.
 */
export function withLastPlace(fault: ScriptFault, place: number): ScriptFault {
  const position = fault.line === undefined ? positionAt(place) : undefined;
  if (position === undefined) return fault;
  return { ...fault, message: `${fault.message}; the line is that of its last edit or request`, ...position };
}

/** The first `name:line:column`. */
function positionIn(text: string, scriptName: string): Position | undefined {
  const at = text.indexOf(`${scriptName}:`);
  const found = at < 0 ? undefined : /^:(\d{1,9}):(\d{1,9})/.exec(text.slice(at + scriptName.length));
  return found?.[1] === undefined || found[2] === undefined
    ? undefined
    : { line: Number(found[1]), column: Number(found[2]) };
}

/** The name of the bundle in stack traces: one word, so that a frame can be found again. */
export const traceName = (scriptName: string): string => scriptName.replaceAll(/[^\w.@/-]/g, "_") || "script";
