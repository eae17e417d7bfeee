// `@sink before MAIL: refuse 550 no` of a fixture as a sink of OnInboundCommand. Described in test/conversations/README.md.
import {
  type InboundCommandContext,
  type ProtocolAnswer,
  protocolResult,
} from "../../src/events/contexts/protocol-contexts.ts";
import { unescape } from "./conversation-file.ts";
import type { TestSink } from "./protocol-sinks.ts";

type Context = InboundCommandContext;
type Action = (context: Context, text: string) => ProtocolAnswer;

const ACTIONS: Readonly<Record<string, Action>> = {
  watch: () => undefined,
  say: (context, text) => context.setResponse(text),
  refuse(context, text) {
    context.setResponse(text);
    return protocolResult.skipRemaining;
  },
  consume(context, text) {
    if (text !== "") context.setResponse(text);
    return protocolResult.consumed;
  },
  skip: () => protocolResult.skipRemaining,
  append: (context, text) => context.appendNativeResponse(text),
  add: (context, text) => context.appendResponse(text),
  native: (context, text) => context.setNativeResponse(text),
  take: (context, text) => void context.takeParameter(text),
  code: (context, text) => void (context.statusCode = Number(text)),
  succeed(context) {
    context.status = "success";
    return protocolResult.consumed;
  },
  defer(context) {
    context.status = "transient-failure";
    return protocolResult.consumed;
  },
  fail(context) {
    context.status = "complete-failure";
    return protocolResult.consumed;
  },
  forgive: (context) => void (context.protocolError = false),
  blame: (context) => void (context.protocolError = true),
  relay: (context, text) => void (context.session.mayRelay = text === "yes"),
  drop(context, text) {
    if (text !== "") context.setResponse(text);
    context.dropSession();
    return protocolResult.consumed;
  },
  async ask(context, text) {
    const line = await context.nextLine(text);
    if (line === undefined) return protocolResult.runNext;
    context.setResponse(`250 heard ${line.toString()}`);
    return protocolResult.consumed;
  },
  async later(context, text) {
    await new Promise((resolve) => setImmediate(resolve));
    if (text === "") return protocolResult.runNext;
    context.setResponse(text);
    return protocolResult.consumed;
  },
  never: () => new Promise<void>(() => undefined),
  throw() {
    throw new Error("a broken sink");
  },
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an answer that no sink may give
  nonsense: () => 7 as ProtocolAnswer,
};

const EARLY = 100;
const LATE = 30_000;
const LINE = /^(before|after|\d+)(?: ([^:(]*?))?(?: \((hold|continue|badmail)\))?: (\w+)(?: (.*))?$/;

export function sinkOf(text: string): TestSink<Context> {
  const match = LINE.exec(text);
  const [, place = "", rule = "", onError, name = "", argument = ""] = match ?? [];
  const action = ACTIONS[name];
  if (action === undefined) throw new Error(`no such sink: ${text}`);
  const words = unescape(argument).toString();
  return {
    ...(rule === "" ? {} : { rule }),
    ...(onError === "hold" || onError === "continue" || onError === "badmail" ? { onError } : {}),
    priority: place === "before" ? EARLY : place === "after" ? LATE : Number(place),
    onEvent: (context) => action(context, words),
  };
}
