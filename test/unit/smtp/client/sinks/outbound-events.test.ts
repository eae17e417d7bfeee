import { describe, expect, test } from "vitest";
import {
  type OutboundCommandContext,
  protocolResult,
} from "../../../../../src/events/contexts/protocol-contexts.ts";
import type { OutboundEventName } from "../../../../../src/smtp/client/sinks/outbound-events.ts";
import type { TestSink } from "../../../../support/protocol-sinks.ts";
import {
  codesOf,
  destinationTo,
  DROP,
  messageOf,
  type PeerScript,
  reportOf,
  type Said,
  SILENCE,
  startPeer,
  unreachableOf,
} from "../support.ts";
import { type CommandSinks, linesFor, protocolOf, SENT, TWO } from "../watched.ts";

const EARLY = 100;
const LATE = 30_000;

describe("commands to a next hop", () => {
  test("a sink that does nothing changes nothing, and sees each command", async () => {
    const seen: string[] = [];
    const note: readonly TestSink<OutboundCommandContext>[] = [
      { priority: EARLY, onEvent: (context) => void seen.push(context.nativeCommand) },
    ];
    const events: readonly OutboundEventName[] = [
      "OnSessionStart",
      "OnMessageStart",
      "OnPerRecipient",
      "OnBeforeData",
      "OnSessionEnd",
    ];
    const { lines, codes, messages } = await linesFor(
      Object.fromEntries(events.map((event) => [event, note])),
    );
    expect(lines).toEqual(SENT);
    expect(seen).toEqual(SENT);
    expect(codes).toEqual([250, 250]);
    expect(messages).toEqual(["Subject: hello\r\n\r\nHello\r\n.\r\n"]);
  });

  test.each([
    ["before", EARLY, ["XBILL alice@example.com", SENT[1]]],
    ["after", LATE, [SENT[1], "XBILL alice@example.com"]],
  ])("a sink %s the built-in command adds one", async (_, priority, expected) => {
    const { lines, codes } = await linesFor(
      {
        OnMessageStart: [
          { priority, onEvent: (context) => context.setCommand(`XBILL ${context.message.sender ?? ""}`) },
        ],
      },
      [],
      { answers: { XBILL: "250 noted" } },
    );
    expect(lines.slice(1, 3)).toEqual(expected);
    expect(codes).toEqual([250, 250]);
  });

  test("a sink replaces the built-in command, and the reply to its own counts", async () => {
    const { lines, codes } = await linesFor({
      OnPerRecipient: [
        {
          rule: "RCPT TO=eve@*",
          priority: EARLY,
          onEvent(context) {
            context.setCommand("RCPT TO:<mallory@example.net>");
            return protocolResult.consumed;
          },
        },
      ],
    });
    expect(lines.slice(2, 4)).toEqual(["RCPT TO:<bob@example.net>", "RCPT TO:<mallory@example.net>"]);
    expect(codes).toEqual([250, 250]);
  });

  test("sinks append parameters one after the other", async () => {
    const { lines } = await linesFor({
      OnMessageStart: [
        { priority: 2, onEvent: (context) => context.appendCommand(" XB=2") },
        { priority: 1, onEvent: (context) => context.appendCommand(" XA=1") },
      ],
    });
    expect(lines[1]).toBe(`${SENT[1]} XA=1 XB=2`);
  });

  test("a sink sends several commands by asking to be called again", async () => {
    let count = 0;
    const { lines } = await linesFor(
      {
        OnBeforeData: [
          {
            priority: EARLY,
            onEvent(context) {
              count += 1;
              context.setCommand(`XPART ${count}`);
              if (count < 3) context.repeat();
            },
          },
        ],
      },
      [],
      { answers: { XPART: "250 ok" } },
    );
    expect(lines.slice(4)).toEqual(["XPART 1", "XPART 2", "XPART 3", "DATA", "QUIT"]);
  });

  test("a sink sends bytes behind its command", async () => {
    const { lines, codes } = await linesFor(
      {
        OnMessageStart: [
          {
            priority: EARLY,
            onEvent(context) {
              context.setCommand("XBLOB 9");
              context.setBlob(Buffer.from("XBYTES 1\r\n"));
            },
          },
        ],
      },
      [],
      { answers: { XBLOB: SILENCE, XBYTES: "250 ok" } },
    );
    expect(lines.slice(1, 3)).toEqual(["XBLOB 9", "XBYTES 1"]);
    expect(codes).toEqual([250, 250]);
  });

  test("the properties of a session are shared by its events and end with it", async () => {
    const seen: unknown[] = [];
    await using peer = await startPeer();
    const protocol = protocolOf({
      OnSessionStart: [
        {
          priority: EARLY,
          onEvent: ({ session }) =>
            void session.properties.set("at", `${session.routeAddress} ${session.remoteName}`),
        },
      ],
      OnMessageStart: [
        { priority: EARLY, onEvent: ({ session }) => void seen.push(session.properties.get("at")) },
      ],
    });
    await using destination = destinationTo(peer, {
      protocol,
      maxMessagesPerConnection: 2,
      routeAddress: "example.net",
    });
    for (let round = 0; round < 3; round += 1) await destination.deliver(TWO);
    expect(seen).toEqual(["example.net 127.0.0.1", "example.net 127.0.0.1", "example.net 127.0.0.1"]);
    expect(peer.sessions).toHaveLength(2);
  });

  test("the properties of a message are those that sinks of the transport left, and nobody else's", async () => {
    const seen: unknown[] = [];
    const note = (context: OutboundCommandContext): void => {
      seen.push(...context.message.properties);
      context.message.properties.set("mine", true);
    };
    await using peer = await startPeer();
    const sinks = { OnSessionStart: [{ onEvent: note }], OnMessageStart: [{ onEvent: note }] };
    const properties = new Map([["account", "4711"]]);
    for (const envelope of [{ properties: { account: "old" } }, {}]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      await using destination = destinationTo(peer, { protocol: protocolOf(sinks) });
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      await destination.deliver({ ...messageOf(envelope), properties });
    }
    expect(seen).toEqual([
      ["account", "4711"],
      ["account", "4711"],
    ]);
  });

  test("a sink that sends commands without end ends its session, and its message waits: the next hop is not to blame", async () => {
    const { lines, codes } = await linesFor(
      {
        OnMessageStart: [
          {
            priority: EARLY,
            onEvent(context) {
              context.setCommand("XMORE");
              context.repeat();
            },
          },
        ],
      },
      [],
      { answers: { XMORE: "250 more" } },
    );
    expect(lines).toEqual([SENT[0], ...Array<string>(20).fill("XMORE"), "RSET", "QUIT"]);
    expect(codes).toEqual([451, 451]);
  });

  test("a sink that wants to be called again without end comes to one, also when it sends nothing", async () => {
    const { codes } = await linesFor({
      OnMessageStart: [{ priority: EARLY, onEvent: (context) => context.repeat() }],
    });
    expect(codes).toEqual([451, 451]);
  });

  test("a sink may send commands at each message, as many as go over one connection", async () => {
    await using peer = await startPeer({ answers: { XMORE: "250 more" } });
    const onEvent = (context: OutboundCommandContext): void => context.setCommand("XMORE");
    const protocol = protocolOf({ OnMessageStart: [{ priority: EARLY, onEvent }] });
    await using destination = destinationTo(peer, { protocol, maxConnections: 1 });
    for (let sent = 1; sent <= 25; sent += 1)
      // oxlint-disable-next-line no-await-in-loop -- over the same connection
      expect(codesOf(await destination.deliver(TWO))).toEqual([250, 250]);
    expect(peer.sessions).toHaveLength(1);
  });

  test.each(["MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>", "", "x".repeat(3000)])(
    "what is no command line is never sent",
    async (line) => {
      const { lines, codes } = await linesFor({
        OnMessageStart: [{ priority: EARLY, onEvent: (context) => context.setCommand(line) }],
      });
      expect(lines).toEqual(["EHLO relay.example", "RSET", "QUIT"]);
      expect(codes).toEqual([451, 451]);
    },
  );

  test("a failed sink with onError: continue is passed over", async () => {
    const { lines, codes } = await linesFor({
      OnMessageStart: [
        {
          priority: EARLY,
          onError: "continue",
          onEvent() {
            throw new Error("broken");
          },
        },
      ],
    });
    expect(lines).toEqual(SENT);
    expect(codes).toEqual([250, 250]);
  });

  test("dropSession closes at once, and the message waits", async () => {
    await using peer = await startPeer();
    const protocol = protocolOf({
      OnBeforeData: [{ priority: EARLY, onEvent: (context) => context.dropSession() }],
    });
    await using destination = destinationTo(peer, { protocol });
    expect(unreachableOf(await destination.deliver(TWO)).reason).toBe("a sink dropped the session");
    expect(peer.sessions[0]?.messages).toEqual([]);
  });

  test("a change of state goes to the end of the session", async () => {
    const { lines, codes } = await linesFor({
      OnBeforeData: [{ priority: EARLY, onEvent: (context) => context.changeState("session-end") }],
    });
    expect(lines).toEqual([...SENT.slice(0, 4), "RSET", "QUIT"]);
    expect(codes).toEqual([451, 451]);
  });

  test("a change of state back to the start is allowed a few times only", async () => {
    const { lines, codes } = await linesFor({
      OnPerRecipient: [{ priority: EARLY, onEvent: (context) => context.changeState("message-start") }],
    });
    expect(lines.filter((line) => line.startsWith("MAIL"))).toHaveLength(4);
    expect(codes).toEqual([451, 451]);
  });

  test("a change of state to the state itself does not go on for ever", async () => {
    const { lines, codes } = await linesFor({
      OnBeforeData: [{ priority: EARLY, onEvent: (context) => context.changeState("before-data") }],
    });
    expect(lines).toEqual([...SENT.slice(0, 4), "RSET", "QUIT"]);
    expect(codes).toEqual([451, 451]);
  });

  test("a change to a state that does not exist is a fault of the sink", async () => {
    const { lines, codes } = await linesFor({
      // @ts-expect-error -- types are not checked when a sink runs
      OnPerRecipient: [{ priority: EARLY, onEvent: (context) => context.changeState("session_end") }],
    });
    expect(lines).toEqual([...SENT.slice(0, 2), "RSET", "QUIT"]);
    expect(codes).toEqual([451, 451]);
  });
});

describe("replies of a next hop", () => {
  const busy: PeerScript = {
    answers: { RCPT: (line) => (line.includes("eve") ? "452 4.2.2 mailbox full" : "250 2.1.5 Ok") },
  };

  test("a reply is judged otherwise: a 452 that counts as permanent", async () => {
    const { codes, messages } = await linesFor(
      {},
      [
        {
          rule: "RCPT",
          onEvent(context) {
            if (context.statusCode === 452) context.judgement = "complete-failure";
          },
        },
      ],
      busy,
    );
    expect(codes).toEqual([250, 552]);
    expect(messages).toHaveLength(1);
  });

  test("without a sink the same reply stays what it is", async () => {
    expect((await linesFor({}, [{ rule: "QUIT", onEvent: () => undefined }], busy)).codes).toEqual([
      250, 452,
    ]);
  });

  test("each reply is seen with its command, the end of data as _EOD", async () => {
    const seen: string[] = [];
    await linesFor({}, [
      { onEvent: ({ verb, statusCode, command }) => void seen.push(`${verb} ${statusCode} ${command}`) },
    ]);
    expect(seen.map((text) => text.split(" ").slice(0, 2).join(" "))).toEqual([
      "_GREETING 220",
      "EHLO 250",
      "MAIL 250",
      "RCPT 250",
      "RCPT 250",
      "DATA 354",
      "_EOD 250",
      "QUIT 221",
    ]);
  });

  test("a sink reads what the next hop offers, line by line, with enhanced status codes", async () => {
    const seen: string[] = [];
    await linesFor({}, [
      { rule: "EHLO", onEvent: ({ response }) => void seen.push(...response.split("\r\n")) },
      { rule: "MAIL", onEvent: ({ response }) => void seen.push(response) },
    ]);
    expect(seen[0]).toBe("250-peer.example");
    expect(seen).toContain("250-8BITMIME");
    expect(seen.slice(-2)).toEqual(["250 ENHANCEDSTATUSCODES", "250 2.1.0 Ok"]);
  });

  test("a sink skips the rest of the dialogue", async () => {
    const { lines, codes } = await linesFor({}, [
      {
        rule: "RCPT TO=eve@*",
        onEvent(context) {
          context.nextState = "session-end";
        },
      },
    ]);
    expect(lines).toEqual([...SENT.slice(0, 4), "RSET", "QUIT"]);
    expect(codes).toEqual([451, 451]);
  });
});

describe("a next hop that misbehaves while sinks watch", () => {
  const watch: CommandSinks = { OnMessageStart: [{ priority: EARLY, onEvent: () => undefined }] };

  test.each([
    ["refuses the sender", { MAIL: "550 5.7.1 no" }, [550, 550]],
    ["refuses all recipients", { RCPT: "550 5.1.1 no" }, [550, 550]],
    ["refuses DATA", { DATA: "451 4.3.0 not now" }, [451, 451]],
    ["refuses the content", { ".": "554 5.6.0 no" }, [554, 554]],
    ["reads 552 as too many recipients", { RCPT: "552 5.5.3 too many" }, [452, 452]],
  ])("%s", async (_, answers, expected) => {
    expect((await linesFor(watch, [], { answers })).codes).toEqual(expected);
  });

  test("hangs up after the dot: the peer may have the message", async () => {
    await using peer = await startPeer({ answers: { ".": DROP } });
    await using destination = destinationTo(peer, { protocol: protocolOf(watch) });
    expect(unreachableOf(await destination.deliver(TWO)).mayDuplicate).toBe(true);
  });

  test.each<Said>([DROP, "421 4.4.2 idle too long"])(
    "had given up the kept connection: the message goes over another one",
    async (farewell) => {
      await using peer = await startPeer({
        answers: {
          MAIL: (_line, { number, messages }): Said =>
            number === 1 && messages.length === 1 ? farewell : "250 ok",
        },
      });
      await using destination = destinationTo(peer, { protocol: protocolOf(watch) });
      await destination.deliver(TWO);
      expect(reportOf(await destination.deliver(TWO)).replies.map(({ code }) => code)).toEqual([250, 250]);
      expect(peer.sessions).toHaveLength(2);
    },
  );
});
