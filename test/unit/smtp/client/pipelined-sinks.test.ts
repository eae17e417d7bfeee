// Messages that sinks take part in and whose MAIL and RCPT leave together all the same: each sink is called as often as without.
import { describe, expect, test } from "vitest";
import type { OutboundCommandContext } from "../../../../src/events/contexts/protocol-contexts.ts";
import {
  codesOf,
  destinationTo,
  messageOf,
  type Said,
  SILENCE,
  startPeer,
  unreachableOf,
} from "./support.ts";
import { idleSinks, linesFor, protocolOf, SENT, TWO } from "./watched.ts";

const EARLY = 100;

const parameter =
  (called: string[], text: string) =>
  (context: OutboundCommandContext): void => {
    called.push(`${context.verb} ${context.recipientIndex ?? "-"}`);
    context.appendCommand(text);
  };

test("a sink that opens an account once and then only appends: the next message is pipelined", async () => {
  let isHeldBack = false;
  // The second time the next hop says nothing to MAIL before it has seen RCPT.
  const mail = (): Said => (isHeldBack ? SILENCE : "250 ok");
  const rcpt = (): Said => (isHeldBack ? "250 ok\r\n250 ok" : "250 ok");
  await using peer = await startPeer({ answers: { MAIL: mail, RCPT: rcpt, XACCOUNT: "250 open" } });
  const called: string[] = [];
  const onEvent = (context: OutboundCommandContext): void => {
    called.push(context.nativeCommand);
    const { properties } = context.session;
    if (properties.has("account")) return context.appendCommand(" XBILL=7");
    properties.set("account", 7);
    context.setCommand("XACCOUNT 7");
    return context.repeat();
  };
  const protocol = protocolOf({ OnPerRecipient: [{ priority: EARLY, onEvent }] });
  await using destination = destinationTo(peer, { protocol, maxConnections: 1 });
  expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  isHeldBack = true;
  expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  const rcptLine = "RCPT TO:<bob@example.net>";
  expect(called).toEqual([rcptLine, rcptLine, rcptLine]);
  const lines = peer.sessions[0]?.lines.filter((line) => /^(?:XACCOUNT|MAIL|RCPT)/.test(line));
  expect(lines).toEqual([SENT[1], "XACCOUNT 7", `${rcptLine} XBILL=7`, SENT[1], `${rcptLine} XBILL=7`]);
});

test("sinks that were called ahead of a sink that wants more are not called again, those behind it in their turn", async () => {
  const called: string[] = [];
  const { lines, codes } = await linesFor(
    {
      OnMessageStart: [{ priority: EARLY, onEvent: parameter(called, " XA=1") }],
      OnPerRecipient: [
        { priority: EARLY, onEvent: parameter(called, " XB=1") },
        {
          priority: EARLY + 1,
          rule: "RCPT TO=eve@*",
          onEvent: async (context) => {
            await Promise.resolve();
            called.push("eve");
            context.setCommand("XCOUNT 2");
          },
        },
        { priority: EARLY + 2, onEvent: parameter(called, " XC=1") },
      ],
    },
    [],
    { answers: { XCOUNT: "250 ok" } },
  );
  expect(codes).toEqual([250, 250]);
  expect(called).toEqual(["MAIL -", "RCPT 0", "RCPT 0", "RCPT 1", "eve", "RCPT 1"]);
  const [mail = "", bob = "", eve = ""] = SENT.slice(1, 4);
  expect(lines.slice(1, 5)).toEqual([`${mail} XA=1`, `${bob} XB=1 XC=1`, "XCOUNT 2", `${eve} XB=1 XC=1`]);
});

test("a parameter that the next hop does not know is refused as ever, and the message is tried with bare commands", async () => {
  const called: string[] = [];
  let refusals = 0;
  const { lines, codes } = await linesFor(
    { OnMessageStart: [{ priority: EARLY, onEvent: (context) => void called.push(context.nativeCommand) }] },
    [],
    {
      answers: { MAIL: (line) => (line.includes("SIZE") && (refusals += 1) ? "555 5.5.4 SIZE?" : "250 ok") },
    },
  );
  expect([refusals, codes]).toEqual([1, [250, 250]]);
  expect(called).toEqual([SENT[1], "MAIL FROM:<alice@example.com>"]);
  expect(lines.filter((line) => line === "RSET")).toHaveLength(1);
});

test("a next hop that closes the channel behind its answer to MAIL has seen the message, which waits for its next attempt", async () => {
  let mails = 0;
  await using peer = await startPeer({
    answers: {
      MAIL: () => ((mails += 1) > 1 ? "250 2.1.0 Ok\r\n421 4.3.2 closing" : "250 2.1.0 Ok"),
    },
  });
  await using destination = destinationTo(peer, { protocol: idleSinks(), maxConnections: 1 });
  expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  expect(unreachableOf(await destination.deliver(messageOf()))).toMatchObject({ mayDuplicate: false });
  expect(mails).toBe(2);
});

test("a sink that fails behind others that were called ahead gives the transaction up, and nothing of its command is sent", async () => {
  const called: string[] = [];
  const { lines, codes } = await linesFor({
    OnMessageStart: [{ priority: EARLY, onEvent: parameter(called, " XA=1") }],
    OnPerRecipient: [
      {
        priority: EARLY,
        onError: "hold",
        onEvent() {
          throw new Error("a broken sink");
        },
      },
    ],
  });
  expect(codes).toEqual(TWO.recipients.map(() => 451));
  expect(lines.slice(1)).toEqual([`${SENT[1]} XA=1`, "RSET", "QUIT"]);
  expect(called).toEqual(["MAIL -"]);
});

describe.each([
  ["nobody watches", () => ({})],
  [
    "sinks only look",
    () => ({ protocol: protocolOf({ OnMessageStart: [{ priority: EARLY, onEvent: () => undefined }] }) }),
  ],
])("a next hop that refuses a parameter of MAIL and takes DATA behind it, while %s (N05)", (_, options) => {
  test.each(["250 2.1.5 Ok", "503 5.5.1 MAIL first"])(
    "gets the message with bare commands, one by one, and no empty one (RCPT %s)",
    async (rcpt) => {
      await using peer = await startPeer({
        answers: {
          MAIL: (line) => (line.includes("SIZE") ? "555 5.5.4 SIZE?" : "250 2.1.0 Ok"),
          RCPT: (_line, { accepted }) => (accepted.includes("MAIL") ? "250 2.1.5 Ok" : rcpt),
          DATA: "354 go",
        },
      });
      await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
      expect(codesOf(await destination.deliver(TWO))).toEqual([250, 250]);
      expect(peer.sessions.map(({ messages }) => messages)).toEqual([
        [],
        ["Subject: hello\r\n\r\nHello\r\n.\r\n"],
      ]);
      expect(peer.sessions[1]?.lines.slice(1, 5)).toEqual([
        "MAIL FROM:<alice@example.com> SIZE=25",
        "RSET",
        "MAIL FROM:<alice@example.com>",
        "RCPT TO:<bob@example.net>",
      ]);
    },
  );
});
