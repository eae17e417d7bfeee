import { describe, expect, test } from "vitest";
import {
  type InboundCommandContext,
  protocolResult,
} from "../../../../src/events/contexts/protocol-contexts.ts";
import { protocolChain, runParts, type TestSink } from "../../../support/protocol-sinks.ts";
import { type RunningListener, startListener, type Talk } from "./support.ts";

const EARLY = 100;
const LATE = 30_000;

type Sink = TestSink<InboundCommandContext>;

interface Started {
  readonly run: RunningListener;
  readonly talk: Talk;
}

async function start(sinks: readonly Sink[], sinkDeadlineMs = 2000): Promise<Started> {
  const chain = protocolChain("OnInboundCommand", sinks);
  const server = { name: "default", defaultDomain: "example.com", properties: new Map<string, unknown>() };
  const run = await startListener({
    protocol: { ...runParts, sinkDeadlineMs, chain: () => chain, server },
  });
  return { run, talk: await run.open() };
}

const send = async (talk: Talk): Promise<string> => {
  await talk.toData();
  talk.write("Subject: x\r\n\r\nhello\r\n.\r\n");
  return talk.reply();
};

describe("the place of a sink beside the built-in handler", () => {
  test("before it, a sink sees no built-in reply; after it, it does", async () => {
    const seen: unknown[] = [];
    const note = ({ verb, argument, nativeResponse, status }: InboundCommandContext): void =>
      void seen.push([verb, argument, nativeResponse, status]);
    const { run, talk } = await start([
      { rule: "MAIL", priority: EARLY, onEvent: note },
      { rule: "MAIL", priority: LATE, onEvent: note },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("mail from:<a@example.net>")).toBe("250 2.1.0 a@example.net....Sender OK");
    expect(seen).toEqual([
      ["MAIL", "from:<a@example.net>", undefined, "unhandled"],
      ["MAIL", "from:<a@example.net>", "250 2.1.0 a@example.net....Sender OK", "success"],
    ]);
  });

  test.each(["MAIL", "RCPT"])("%s: a sink before it refuses, and the command has no effect", async (verb) => {
    const { run, talk } = await start([
      {
        rule: verb,
        priority: EARLY,
        onEvent(context) {
          context.setResponse("550 5.7.1 not today\r\n");
          return protocolResult.skipRemaining;
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    const mail = await talk.say("MAIL FROM:<a@example.net>");
    const rcpt = await talk.say("RCPT TO:<b@example.com>");
    expect(verb === "MAIL" ? mail : rcpt).toBe("550 5.7.1 not today");
    expect(verb === "MAIL" ? rcpt : await talk.say("DATA")).toMatch(/^503/);
  });

  test.each(["MAIL", "RCPT"])("%s: a sink after it takes the acceptance back", async (verb) => {
    const { run, talk } = await start([
      { rule: verb, priority: LATE, onEvent: (context) => context.setResponse("451 4.7.1 later") },
    ]);
    await using _ = run;
    await talk.greet();
    const mail = await talk.say("MAIL FROM:<a@example.net>");
    const rcpt = await talk.say("RCPT TO:<b@example.com>");
    expect(verb === "MAIL" ? mail : rcpt).toBe("451 4.7.1 later");
    expect(verb === "MAIL" ? rcpt : await talk.say("DATA")).toMatch(/^503/);
  });

  test.each(["MAIL", "RCPT"])(
    "%s: a sink after it rewords the reply, and the command counts",
    async (verb) => {
      const { run, talk } = await start([
        { rule: verb, priority: LATE, onEvent: (context) => context.setResponse("250 fine with me") },
      ]);
      await using _ = run;
      await talk.greet();
      const mail = await talk.say("MAIL FROM:<a@example.net>");
      const rcpt = await talk.say("RCPT TO:<b@example.com>");
      expect(verb === "MAIL" ? mail : rcpt).toBe("250 fine with me");
      expect(await talk.say("DATA")).toMatch(/^354/);
    },
  );

  test("a yes said before the built-in handler said no does not reach the client", async () => {
    const { run, talk } = await start([
      { rule: "RCPT", priority: EARLY, onEvent: (context) => context.setResponse("250 sure") },
    ]);
    await using _ = run;
    await talk.greet();
    await talk.say("MAIL FROM:<a@example.net>");
    expect(await talk.say("RCPT TO:<x@elsewhere.org>")).toMatch(/^550 5\.7\.1 Unable to relay/);
  });

  test("sinks see and change what earlier ones replied; the last text wins", async () => {
    const { run, talk } = await start([
      { rule: "NOOP", priority: 1, onEvent: (context) => context.setResponse("250 one") },
      {
        rule: "NOOP",
        priority: 2,
        onEvent: (context) => context.appendResponse(`after ${context.response ?? ""}`),
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("NOOP")).toBe("250-one\n250 after 250 one");
  });
});

describe("new verbs and keywords", () => {
  const xfoo: Sink[] = [
    { rule: "EHLO", priority: LATE, onEvent: (context) => context.appendNativeResponse("250-XFOO\r\n") },
    {
      rule: "XFOO",
      priority: EARLY,
      onEvent(context) {
        context.session.properties.set("foo", context.argument);
        context.setResponse(`250 foo ${context.argument}`);
        return protocolResult.consumed;
      },
    },
  ];

  test("a sink offers a keyword in EHLO and answers its verb", async () => {
    const { run, talk } = await start(xfoo);
    await using _ = run;
    expect(await talk.greet()).toMatch(/\n250-XFOO\n250 OK$/);
    expect(await talk.say("XFOO bar")).toBe("250 foo bar");
    expect(await talk.say("XBAR")).toMatch(/^500/);
  });

  test("a parameter of MAIL that a sink takes is not refused", async () => {
    let taken: string | undefined;
    const { run, talk } = await start([
      {
        rule: "MAIL",
        priority: EARLY,
        onEvent(context) {
          taken = context.takeParameter("XCOST");
          context.message.properties.set("cost", taken ?? "");
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("MAIL FROM:<a@example.net> SIZE=10 XCOST=7 RET=HDRS")).toMatch(/^250/);
    expect(taken).toBe("7");
    await talk.say("RCPT TO:<b@example.com>");
    await talk.say("DATA");
    expect(await talk.say("Subject: x\r\n\r\n.")).toMatch(/^250/);
    expect(run.intake.messages[0]?.envelope).toMatchObject({
      properties: { cost: "7" },
      returnContent: "HDRS",
    });
  });

  test("properties of a message end with it", async () => {
    const { run, talk } = await start([
      {
        rule: "MAIL=first@*",
        priority: EARLY,
        onEvent: ({ message }) => void message.properties.set("mark", true),
      },
    ]);
    await using _ = run;
    await talk.greet();
    await talk.say("MAIL FROM:<first@example.net>");
    await talk.say("RSET");
    expect(await send(talk)).toMatch(/^250/);
    expect(run.intake.messages[0]?.envelope.properties).toBeUndefined();
  });
});

describe("the end of data", () => {
  test("a sink refuses the message before it is stored, and the session goes on", async () => {
    let refuse = true;
    const { run, talk } = await start([
      {
        rule: "_EOD",
        priority: EARLY,
        onEvent(context) {
          expect(context.message.recipients.map(({ address }) => address)).toEqual(["b@example.com"]);
          if (!refuse) return protocolResult.runNext;
          context.setResponse("554 5.6.0 no");
          return protocolResult.consumed;
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await send(talk)).toBe("554 5.6.0 no");
    expect(run.intake.messages).toHaveLength(0);
    refuse = false;
    expect(await send(talk)).toMatch(/^250 2\.6\.0/);
    expect(run.intake.messages).toHaveLength(1);
  });

  test("a sink behind it sees the message that was stored; what it sets then is in no message", async () => {
    const seen: unknown[] = [];
    const { run, talk } = await start([
      { rule: "RCPT", onEvent: ({ message }) => void message.properties.set("mark", message.sender ?? "") },
      {
        rule: "_EOD",
        priority: LATE,
        onEvent({ message: { sender, recipients, properties } }) {
          seen.push([sender, recipients.map(({ address }) => address), [...properties.keys()]]);
          properties.set("late", true);
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    for (let sent = 1; sent <= 2; sent += 1)
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await send(talk)).toMatch(/^250/);
    const { sender } = run.intake.messages[0]?.envelope ?? {};
    expect(seen).toEqual([
      [sender, ["b@example.com"], ["mark"]],
      [sender, ["b@example.com"], ["mark"]],
    ]);
    for (const { envelope } of run.intake.messages)
      expect(Object.keys(envelope.properties ?? {})).toEqual(["mark"]);
  });

  test("what is durable stays accepted when a sink behind it fails", async () => {
    const { run, talk } = await start([
      {
        rule: "_EOD",
        priority: LATE,
        onEvent() {
          throw new Error("too late");
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await send(talk)).toMatch(/^250 2\.6\.0/);
    expect(run.intake.messages).toHaveLength(1);
  });
});

describe("promises, lines and the session", () => {
  test("a promise holds only its own session, and pipelined commands wait their turn", async () => {
    const gate = Promise.withResolvers<void>();
    const { run, talk } = await start([
      { rule: "MAIL=slow@*", priority: EARLY, onEvent: () => gate.promise },
    ]);
    await using _ = run;
    await talk.greet();
    talk.write("MAIL FROM:<slow@example.net>\r\nRCPT TO:<b@example.com>\r\n");
    const other = await run.open();
    await other.greet();
    expect(await other.say("MAIL FROM:<quick@example.net>")).toMatch(/^250/);
    gate.resolve();
    expect(await talk.reply()).toMatch(/^250 2\.1\.0/);
    expect(await talk.reply()).toMatch(/^250 2\.1\.5/);
  });

  test("a sink asks for further lines, and the user it names may relay", async () => {
    const { run, talk } = await start([
      {
        rule: "AUTH",
        priority: EARLY,
        async onEvent(context) {
          const name = await context.nextLine("334 name?");
          const word = await context.nextLine("334 word?");
          if (word?.toString() === "sesame") context.session.userName = name?.toString();
          context.setResponse(word?.toString() === "sesame" ? "235 2.7.0 come in" : "535 5.7.8 no");
          return protocolResult.consumed;
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("AUTH X-SESAME")).toBe("334 name?");
    expect(await talk.say("ali")).toBe("334 word?");
    expect(await talk.say("sesame")).toBe("235 2.7.0 come in");
    await talk.say("MAIL FROM:<a@example.net>");
    expect(await talk.say("RCPT TO:<x@elsewhere.org>")).toMatch(/^250/);
  });

  test("a further line comes as the client sent it, control characters and all; a command must be text", async () => {
    const { run, talk } = await start([
      {
        rule: "XRAW",
        priority: EARLY,
        async onEvent(context) {
          const line = await context.nextLine("354 go on");
          context.setResponse(`250 ${line?.toString("hex") ?? "nothing"}`);
          return protocolResult.consumed;
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("XRAW")).toBe("354 go on");
    expect(await talk.say("\u0000a\u0001\ufffd")).toBe("250 006101efbfbd");
    expect(await talk.say("NOOP\u0001")).toMatch(/^501/);
  });

  test("dropSession sends the reply, then closes", async () => {
    const { run, talk } = await start([
      {
        rule: "EHLO=spammer.*",
        priority: EARLY,
        properties: { Text: "550 go away" },
        onEvent(context, properties) {
          context.setResponse(String(properties.get("Text")));
          context.dropSession();
          return protocolResult.consumed;
        },
      },
    ]);
    await using _ = run;
    expect(await talk.greet("EHLO spammer.example.org")).toBe("550 go away");
    await talk.rest();
    expect(talk.isClosed).toBe(true);
  });

  test("session and server properties live as long as their owner", async () => {
    const { run, talk } = await start([
      {
        rule: "NOOP",
        priority: EARLY,
        onEvent({ server, session }) {
          const count = (properties: Map<string, unknown>): number => {
            const next = Number(properties.get("n") ?? 0) + 1;
            properties.set("n", next);
            return next;
          };
          session.properties.set("text", `250 ${count(session.properties)} ${count(server.properties)}`);
        },
      },
      {
        rule: "NOOP",
        priority: LATE,
        onEvent: (context) => context.setResponse(String(context.session.properties.get("text"))),
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect([await talk.say("NOOP"), await talk.say("NOOP")]).toEqual(["250 1 1", "250 2 2"]);
    const other = await run.open();
    await other.greet();
    expect(await other.say("NOOP")).toBe("250 1 3");
  });
});

describe("sinks that fail", () => {
  test.each([
    ["550 no\r\n250 yes", "another code"],
    ["no code", "no code"],
    ["250 caf\u00e9", "text outside ASCII"],
    ["199 odd", "a code that is no reply"],
  ])("S27 a response of %j is refused (%s), and the session stays in step", async (text) => {
    const { run, talk } = await start([
      { rule: "MAIL", priority: EARLY, onEvent: (context) => context.setResponse(text) },
    ]);
    await using _ = run;
    await talk.greet();
    talk.write("MAIL FROM:<a@example.net>\r\nNOOP\r\n");
    expect(await talk.reply()).toMatch(/^451 4\.3\.0/);
    expect(await talk.reply()).toMatch(/^250/);
  });

  test("S28 a sink that never answers gets its command a 451, and the session goes on", async () => {
    const never = new Promise<void>(() => undefined);
    const { run, talk } = await start([{ rule: "MAIL", priority: EARLY, onEvent: () => never }], 50);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("MAIL FROM:<a@example.net>")).toMatch(/^451 4\.3\.0/);
    expect(await talk.say("NOOP")).toMatch(/^250/);
  });

  test("with onError: continue the command goes on as if the sink were not there", async () => {
    const { run, talk } = await start([
      {
        rule: "MAIL",
        priority: EARLY,
        onError: "continue",
        onEvent(context) {
          context.takeParameter("SIZE");
          context.setResponse("550 5.7.1 no\r\n");
          context.statusCode = 550;
          context.protocolError = true;
          throw new Error("broken");
        },
      },
    ]);
    await using _ = run;
    await talk.greet();
    expect(await talk.say("MAIL FROM:<a@example.net> SIZE=9999999999")).toMatch(/^552/);
    expect(await talk.say("MAIL FROM:<a@example.net>")).toMatch(/^250/);
  });
});
