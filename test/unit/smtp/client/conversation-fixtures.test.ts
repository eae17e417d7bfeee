// Plays test/conversations/outbound: our client against a next hop that says what the dialogue says, right or wrong.
import { describe, expect, test } from "vitest";
import {
  type OutboundCommandContext,
  type ProtocolAnswer,
  protocolResult,
  type ServerResponseContext,
} from "../../../../src/events/contexts/protocol-contexts.ts";
import { DEFAULT_DEADLINES, type DeliveryOutcome } from "../../../../src/smtp/client/destination.ts";
import type { DestinationOptions } from "../../../../src/smtp/client/connection-pool.ts";
import type { OutboundProtocol } from "../../../../src/smtp/client/sinks/outbound-events.ts";
import {
  type Dialogue,
  matchesLine,
  readDialogues,
  type Step,
  unescape,
} from "../../../support/conversation-file.ts";
import type { TestSink } from "../../../support/protocol-sinks.ts";
import {
  type Answer,
  destinationTo,
  DROP,
  messageOf,
  SILENCE,
  STALL,
  type Said,
  startPeer,
} from "./support.ts";
import { protocolOf } from "./watched.ts";

type CommandAction = (context: OutboundCommandContext, text: string) => ProtocolAnswer;

const COMMAND_ACTIONS: Readonly<Record<string, CommandAction>> = {
  watch: () => undefined,
  send: (context, text) => context.setCommand(text),
  append: (context, text) => context.appendCommand(` ${text}`),
  replace(context, text) {
    context.setCommand(text);
    return protocolResult.consumed;
  },
  drop: (context) => context.dropSession(),
  throw() {
    throw new Error("a broken sink");
  },
};

type ResponseAction = (context: ServerResponseContext, text: string) => void;

const isState = (text: string): text is ServerResponseContext["nextState"] => text.startsWith("session-end");
const isJudgement = (text: string): text is ServerResponseContext["judgement"] =>
  ["success", "transient-failure", "complete-failure"].includes(text);

const RESPONSE_ACTIONS: Readonly<Record<string, ResponseAction>> = {
  watch: () => undefined,
  judge(context, text) {
    if (isJudgement(text)) context.judgement = text;
  },
  go(context, text) {
    if (isState(text)) context.nextState = text;
  },
  drop: (context) => context.dropSession(),
};

/** `OnMessageStart before: append XA=1`, `OnServerResponse RCPT: judge complete-failure`. */
const SINK = /^(On\w+)(?: (before|after))?(?: ([^:(]+?))?(?: \((hold|continue)\))?: (\w+)(?: (.*))?$/;

interface Sinks {
  readonly commands: Map<string, TestSink<OutboundCommandContext>[]>;
  readonly responses: TestSink<ServerResponseContext>[];
}

function addSink({ commands, responses }: Sinks, order: string): void {
  const [, event = "", place, rule, onError, name = "", text = ""] = SINK.exec(order) ?? [];
  const words = unescape(text).toString();
  const frame = {
    ...(rule === undefined ? {} : { rule }),
    ...(onError === "continue" ? { onError: "continue" as const } : {}),
    priority: place === "after" ? 30_000 : 100,
  };
  const command = COMMAND_ACTIONS[name];
  const response = RESPONSE_ACTIONS[name];
  if (event === "OnServerResponse" && response !== undefined)
    responses.push({ ...frame, onEvent: (context) => response(context, words) });
  else if (event.startsWith("On") && event !== "OnServerResponse" && command !== undefined) {
    const sink = { ...frame, onEvent: (context: OutboundCommandContext) => command(context, words) };
    commands.set(event, [...(commands.get(event) ?? []), sink]);
  } else throw new Error(`no such sink: ${order}`);
}

function protocolFor(orders: readonly string[]): OutboundProtocol | undefined {
  if (orders.length === 0) return undefined;
  const sinks: Sinks = { commands: new Map(), responses: [] };
  for (const order of orders) addSink(sinks, order);
  return protocolOf(Object.fromEntries(sinks.commands), sinks.responses);
}

/** Says the next lines of the dialogue when the client has said its own. */
class NextHop {
  readonly #steps: Step[];
  readonly faults: string[] = [];
  #waiting: string[] = [];

  constructor(steps: readonly Step[]) {
    this.#steps = steps.filter(
      (step) => step.kind !== "order" || step.name === "hangup" || step.name === "silence",
    );
  }

  get rest(): readonly Step[] {
    return this.#waiting.length > 0
      ? [{ kind: "client", lines: this.#waiting, at: 0 }, ...this.#steps]
      : this.#steps;
  }

  readonly answer: Answer = (line) => {
    if (line !== "") {
      if (this.#waiting.length === 0) this.#nextLines();
      const wanted = this.#waiting.shift();
      if (wanted === undefined || !matchesLine(wanted, line)) {
        this.faults.push(`the client says ${line} where the dialogue has ${wanted ?? "its end"}`);
        return DROP;
      }
      if (this.#waiting.length > 0) return SILENCE;
    }
    return this.#say();
  };

  #nextLines(): void {
    const [step] = this.#steps;
    if (step?.kind !== "client") return;
    this.#steps.shift();
    this.#waiting = [...step.lines];
  }

  #say(): Said {
    const replies: string[] = [];
    for (let [step] = this.#steps; step !== undefined; [step] = this.#steps) {
      if (step.kind === "client") break;
      this.#steps.shift();
      if (step.kind === "order") return step.name === "hangup" ? DROP : STALL;
      replies.push(...step.lines.map((line) => unescape(line).toString()));
    }
    return replies.length === 0 ? SILENCE : replies.join("\r\n");
  }
}

const FAST = {
  ...DEFAULT_DEADLINES,
  greetingMs: 400,
  commandMs: 400,
  dataInitiationMs: 400,
  endOfDataMs: 400,
  quitMs: 400,
};

function told(outcome: DeliveryOutcome): string {
  if (outcome.kind === "report") return outcome.report.replies.map(({ code }) => String(code)).join(" ");
  const kind = outcome.transient ? "waits" : "refused";
  return `${kind}${outcome.mayDuplicate ? ", may be there" : ""}: ${outcome.reason}`;
}

async function play({ file, steps }: Dialogue, sinks: readonly string[] = []): Promise<void> {
  const orders = (name: string): string[] =>
    steps.flatMap((step) => (step.kind === "order" && step.name === name ? [step.argument] : []));
  const hop = new NextHop(steps);
  const verbs = ["greeting", "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", ".", "RSET", "QUIT", "*"];
  await using peer = await startPeer({
    answers: { ...Object.fromEntries(verbs.map((verb) => [verb, hop.answer])), STARTTLS: hop.answer },
  });
  const options: Partial<DestinationOptions> = Object.assign(
    {},
    ...orders("options").map((text) => JSON.parse(text)),
  );
  const destination = destinationTo(peer, {
    maxConnections: 1,
    protocol: protocolFor([...sinks, ...orders("sink")]),
    ...options,
    ...(orders("fast").length > 0 ? { deadlines: FAST } : {}),
  });
  const to = orders("to")[0]?.split(" ");
  const text = orders("text")[0];
  const outcome = await destination.deliver(
    messageOf({
      ...(to === undefined ? {} : { to }),
      ...(text === undefined ? {} : { text: unescape(text) }),
    }),
  );
  await destination.close();
  expect(hop.faults, file).toEqual([]);
  const [wanted = "(no @outcome)"] = orders("outcome");
  if (!matchesLine(wanted, told(outcome))) expect(told(outcome), file).toBe(wanted);
  expect(hop.rest, `${file}: what was not played`).toEqual([]);
}

const files = Map.groupBy(readDialogues("outbound"), ({ file }) => file);

describe.concurrent.each([...files.keys()])("%s", (file) => {
  test.each((files.get(file) ?? []).map((dialogue): [string, Dialogue] => [dialogue.title, dialogue]))(
    "%s",
    (_, dialogue) => play(dialogue),
  );
});

const isPipelined = ({ steps }: Dialogue): boolean =>
  steps.some((step) => step.kind === "server" && step.lines.some((line) => line.includes("PIPELINING")));

describe.concurrent("next-hops.smtp past sinks that only look", () => {
  const watchers = ["OnMessageStart before: watch", "OnServerResponse: watch"];
  const asked = (files.get("outbound/next-hops.smtp") ?? []).filter((dialogue) => !isPipelined(dialogue));
  test.each(asked.map((dialogue): [string, Dialogue] => [dialogue.title, dialogue]))("%s", (_, dialogue) =>
    play(dialogue, watchers),
  );
});
