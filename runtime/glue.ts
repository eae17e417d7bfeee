// Between the worker and the script: loads it, calls it, and turns whatever comes out into one bounded text or number.
// Everything here runs under the timeout of the call, and with functions taken before the script could replace them.
/* oxlint-disable typescript/no-unsafe-type-assertion, typescript/unbound-method, no-eval -- taken apart on purpose; the script is of unknown shape */
import { answerBytes, createCapabilities, OpenRequests } from "./web/capabilities.ts";
import { type BuiltInCheck, createBuiltInCheck } from "./built-in-check.ts";
import { CapabilityNeeds } from "./capability-needs.ts";
import { createConsole, type ScriptConsole } from "./web/console.ts";
import { CdoError } from "./cdo/errors.ts";
import { EventStatus } from "./cdo/event-status.ts";
import { installGlobals } from "./globals.ts";
import { Host, type HostFunction } from "./host.ts";
import { Message } from "./cdo/message.ts";
import { type FindPlace, takeStackHook } from "./source-place.ts";
import { WebHost } from "./web/web-host.ts";
import { CUT_MARK, EXPORTS_GLOBAL } from "./contract.ts";

const MAX_MESSAGE_CHARS = 1000;
const MAX_STACK_CHARS = 8000;
const MAX_BINDING_CHARS = 64 * 1024;
/** Answer of run() when the script answered a promise, and of settle() while the promise waits for an answer. */
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

const named = (name: string): string => `${name}: typeof ${name} === "undefined" ? undefined : ${name}`;

/** Evaluated behind the script, in its scope: its exports when it is a bundled module, else its top-level names. */
function lookup(): string {
  const plain = [...ENTRY_POINTS.slice(1), "binding"].map(named).join(", ");
  return `\n;(typeof ${EXPORTS_GLOBAL} === "object" ? ${EXPORTS_GLOBAL} : { ${plain} })`;
}

type EntryPoint = (message: Message, status: EventStatus, event: object) => unknown;

interface Call {
  readonly host: Host;
  readonly requests: OpenRequests;
  readonly status: EventStatus;
  settled: boolean;
  failed: boolean;
  answer: unknown;
}

/** What the worker calls. Every answer is a number or a text of bounded length. */
export interface Glue {
  /** "ok\0entry point\0binding as JSON\0capabilities that it names, a line each", or a fault. */
  load(source: string): string;
  run(growthBytes: number, bindingName: string, messageId: string, properties: string): number | string;
  /** What became of the promise; with open requests it may still be pending. */
  settle(openRequests: number): number | string;
  /** The answer to a request: what waits for it runs when this has returned. A text is a fault. */
  resume(request: number, answer: string, bytes: unknown): number | string;
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
  if (typeof value !== "string") return "";
  return value.length > length ? apply(stringSlice, value, [0, length - 1]) + CUT_MARK : value;
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

/** The state of one context: the script loaded in it, and the call in hand. */
interface ScriptContext {
  readonly host: HostFunction;
  readonly console: ScriptConsole;
  readonly builtIns: BuiltInCheck;
  /** Finds the statement of the script that is running. */
  readonly place: FindPlace;
  entry: EntryPoint | undefined;
  current: Call | undefined;
}

export function createGlue(host: HostFunction): Glue {
  const context: ScriptContext = {
    host,
    console: createConsole({ write: (level, text) => host("log", level, text) === 1 }),
    builtIns: createBuiltInCheck(),
    place: takeStackHook(),
    entry: undefined,
    current: undefined,
  };
  const needs = new CapabilityNeeds(host);
  const capabilities = createCapabilities(
    () => context.current ?? outsideOfMessage(),
    (name) => context.current?.host.secret(name) ?? needs.secret(name) ?? outsideOfMessage(),
  );
  installGlobals(
    context.console.console,
    () => toStringOf(host("uuid")),
    () => context.current?.host,
    new WebHost(host),
    capabilities,
  );
  return {
    load(source): string {
      needs.begin(capabilities);
      const found = find(source);
      const needed = needs.end();
      if (typeof found === "string") return found;
      context.entry = found.entry;
      context.builtIns.remember();
      return `ok\0${found.name}\0${found.binding}\0${needed}`;
    },
    run: (growthBytes, bindingName, messageId, properties) =>
      run(context, growthBytes, { bindingName, messageId, properties }),
    settle: (openRequests) => settle(context, openRequests),
    resume(request, answer, bytes): number | string {
      try {
        context.current?.requests.settle(request, answer, answerBytes(bytes));
        return 0;
      } catch (error) {
        return describeFault("throw", error);
      }
    },
  };
}

interface EventTexts {
  readonly bindingName: string;
  readonly messageId: string;
  /** JSON */
  readonly properties: string;
}

function run(context: ScriptContext, growthBytes: number, event: EventTexts): number | string {
  context.console.reset();
  // Not called as a member: it would find itself in `this`.
  const { entry } = context;
  const call: Call = {
    host: new Host(context.host, growthBytes, context.place),
    requests: new OpenRequests(),
    status: new EventStatus(),
    settled: false,
    failed: false,
    answer: undefined,
  };
  context.current = call;
  try {
    const { bindingName, messageId, properties } = event;
    // Made for each call: a script may write into what lies deeper than the first level.
    const given = freeze(properties === "{}" ? {} : (parse(properties) as object));
    const shown = freeze({ bindingName, messageId, properties: given });
    const answer = entry?.(new Message(call.host), call.status, shown);
    if (isObject(answer) && watchPromise(answer, call)) return PENDING;
    call.answer = answer;
  } catch (error) {
    call.failed = true;
    call.answer = error;
  }
  return finish(context, call);
}

function settle(context: ScriptContext, openRequests: number): number | string {
  const call = context.current;
  if (call === undefined) return "invalid\0there is no call to settle\0";
  if (call.settled) return finish(context, call);
  if (openRequests > 0) return PENDING;
  finish(context, call);
  return "invalid\0the script answered a promise that can never settle: nothing is left that could resolve it (there are no timers)\0";
}

/** The end of a call: tells the host what was never committed, and closes the objects that the script may have kept. */
function finish(context: ScriptContext, call: Call): number | string {
  const { host } = context;
  context.current = undefined;
  try {
    const dropped = context.console.takeDropped();
    if (dropped > 0) host("logsDropped", dropped);
    if (call.failed) return describeFault("throw", call.answer);
    const names = call.host.uncommitted();
    if (names.length > 0) host("uncommitted", bounded(names.join("; "), MAX_MESSAGE_CHARS));
    return verdictOf(call);
  } catch (error) {
    return describeFault("throw", error);
  } finally {
    call.host.close();
    if (!context.builtIns.areUntouched()) host("changedBuiltIns");
  }
}

function outsideOfMessage(): never {
  throw new CdoError("CDO_E_NOT_AVAILABLE", "outside of a message (use capabilities inside onArrival)");
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
