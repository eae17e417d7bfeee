// Between the worker and the script: loads it, calls it, and turns whatever comes out into one bounded text or number.
// Everything here runs under the timeout of the call, and with functions taken before the script could replace them.
/* oxlint-disable typescript/no-unsafe-type-assertion, typescript/unbound-method, no-eval -- taken apart on purpose; the script is of unknown shape */
import { createConsole } from "./console.ts";
import { EventStatus } from "./event-status.ts";
import { installGlobals } from "./globals.ts";
import { Host, type HostFunction } from "./host.ts";
import { Message } from "./message.ts";
import { takeStackHook } from "./source-place.ts";
import { WebHost } from "./web-host.ts";

const MAX_MESSAGE_CHARS = 1000;
const MAX_STACK_CHARS = 8000;
const MAX_BINDING_CHARS = 64 * 1024;
/** Answer of run() when the script answered a promise: settle() tells what became of it. */
const PENDING = 2;

const { apply } = Reflect;
const { stringify, parse } = JSON;
const { freeze } = Object;
const evaluate = globalThis.eval;
const promiseThen = Promise.prototype.then;
const stringSlice = String.prototype.slice;
const symbolToString = Symbol.prototype.toString;
const toStringOf = String;

/** First found is taken: ours, then the original's names for VBScript and JScript sinks. */
const ENTRY_POINTS = [
  "default",
  "onArrival",
  "ISMTPOnArrival_OnArrival",
  "IEventSink_OnArrival",
  "ISmtpOnArrival_OnArrival",
];
const EXPORTS = "__onarrivalExports";

const named = (name: string): string => `${name}: typeof ${name} === "undefined" ? undefined : ${name}`;

/** Evaluated behind the script, in its scope: its exports when it is a bundled module, else its top-level names. */
function lookup(): string {
  const plain = [...ENTRY_POINTS.slice(1), "binding"].map(named).join(", ");
  return `\n;(typeof ${EXPORTS} === "object" ? ${EXPORTS} : { ${plain} })`;
}

type EntryPoint = (message: Message, status: EventStatus, event: object) => unknown;

interface Call {
  readonly host: Host;
  readonly status: EventStatus;
  settled: boolean;
  failed: boolean;
  answer: unknown;
}

/** What the worker calls. Every answer is a number or a text of bounded length. */
export interface Glue {
  /** "ok\0entry point\0binding as JSON", or a fault. */
  load(source: string): string;
  run(growthBytes: number, bindingName: string, messageId: string, properties: string): number | string;
  settle(): number | string;
}

/** `kind\0message\0stack`. Reading a thrown value may run code of the script; whatever that does, the timeout covers it. */
function describeFault(kind: string, thrown: unknown): string {
  let message = "the script threw a value that cannot be read";
  let stack = "";
  try {
    if ((typeof thrown === "object" && thrown !== null) || typeof thrown === "function") {
      const error = thrown as { name?: unknown; message?: unknown; stack?: unknown };
      const name = bounded(error.name, 100);
      const text = bounded(error.message, MAX_MESSAGE_CHARS);
      message =
        name === "" && text === ""
          ? "the script threw an object that is no Error"
          : `${name === "" ? "Error" : name}: ${text}`;
      stack = bounded(error.stack, MAX_STACK_CHARS);
    } else if (typeof thrown === "symbol")
      message = bounded(apply(symbolToString, thrown, []), MAX_MESSAGE_CHARS);
    else message = bounded(toStringOf(thrown), MAX_MESSAGE_CHARS);
  } catch {
    stack = "";
  }
  return `${kind}\0${message}\0${stack}`;
}

function bounded(value: unknown, length: number): string {
  return typeof value === "string" ? apply(stringSlice, value, [0, length]) : "";
}

function verdictOf(call: Call): number | string {
  const answer = call.answer === undefined || call.answer === null ? call.status.Value : call.answer;
  if (answer === 0 || answer === 1) return answer;
  const shown = typeof answer === "number" ? `the number ${answer}` : `a value of type ${typeof answer}`;
  return `invalid\0the script answered ${shown}; an answer is nothing, 0 (cdoRunNextSink) or 1 (cdoSkipRemainingSinks)\0`;
}

/** Evaluates the script; the text is a fault. */
function find(source: string): { entry: EntryPoint; name: string; binding: string } | string {
  try {
    const found = evaluate(source + lookup()) as Record<string, unknown>;
    const name = ENTRY_POINTS.find((candidate) => typeof found[candidate] === "function");
    if (name === undefined)
      return `load\0the script has no entry point: export default a function, or name it onArrival\0`;
    const binding = found["binding"] === undefined ? "" : stringify(found["binding"]);
    if (typeof binding === "string" && binding.length <= MAX_BINDING_CHARS)
      return { entry: found[name] as EntryPoint, name, binding };
    return `load\0the exported binding is no plain object of at most 64 KB\0`;
  } catch (error) {
    return describeFault("load", error);
  }
}

export function createGlue(hostFunction: HostFunction): Glue {
  const scriptConsole = createConsole({ write: (level, text) => hostFunction("log", level, text) === 1 });
  let entry: EntryPoint | undefined;
  let current: Call | undefined;
  const place = takeStackHook();
  const randomUuid = (): string => toStringOf(hostFunction("uuid"));
  installGlobals(scriptConsole.console, randomUuid, () => current?.host, new WebHost(hostFunction));

  /** The end of a call: tells the host what was never committed, and closes the objects that the script may have kept. */
  const finish = (call: Call): number | string => {
    current = undefined;
    try {
      const dropped = scriptConsole.takeDropped();
      if (dropped > 0) hostFunction("logsDropped", dropped);
      if (call.failed) return describeFault("throw", call.answer);
      const names = call.host.uncommitted();
      if (names.length > 0) hostFunction("uncommitted", bounded(names.join("; "), MAX_MESSAGE_CHARS));
      return verdictOf(call);
    } catch (error) {
      return describeFault("throw", error);
    } finally {
      call.host.close();
    }
  };

  return {
    load(source): string {
      const found = find(source);
      if (typeof found === "string") return found;
      entry = found.entry;
      return `ok\0${found.name}\0${found.binding}`;
    },

    run(growthBytes, bindingName, messageId, properties): number | string {
      scriptConsole.reset();
      const call: Call = {
        host: new Host(hostFunction, growthBytes, place),
        status: new EventStatus(),
        settled: false,
        failed: false,
        answer: undefined,
      };
      current = call;
      try {
        const event = freeze({ bindingName, messageId, properties: freeze(parse(properties)) as object });
        const answer = entry?.(new Message(call.host), call.status, event);
        if (isObject(answer) && watchPromise(answer, call)) return PENDING;
        call.answer = answer;
      } catch (error) {
        call.failed = true;
        call.answer = error;
      }
      return finish(call);
    },

    settle(): number | string {
      const call = current;
      if (call === undefined) return "invalid\0there is no call to settle\0";
      if (call.settled) return finish(call);
      finish(call);
      return "invalid\0the script answered a promise that can never settle: nothing is left that could resolve it (there are no timers)\0";
    },
  };
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Whether the answer is a real promise; then its outcome is noted. A mere thenable is no promise and no verdict. */
function watchPromise(answer: object, call: Call): boolean {
  const note = (failed: boolean) => (value: unknown) => {
    call.settled = true;
    call.failed = failed;
    call.answer = value;
  };
  try {
    void apply(promiseThen, answer, [note(false), note(true)]);
    return true;
  } catch {
    return false;
  }
}
