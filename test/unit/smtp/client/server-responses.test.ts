// Which mail goes out command by command because of sinks, and which replies their OnServerResponse is told.
import { describe, expect, test } from "vitest";
import type {
  OutboundCommandContext,
  ServerResponseContext,
} from "../../../../src/events/contexts/protocol-contexts.ts";
import type { TestSink } from "../../../support/protocol-sinks.ts";
import {
  codesOf,
  destinationTo,
  messageOf,
  type PeerScript,
  SILENCE,
  startPeer,
  unreachableOf,
} from "./support.ts";
import { type CommandSinks, linesFor, protocolOf, SENT } from "./watched.ts";

describe("PIPELINING beside sinks (RFC 2920)", () => {
  /** The peer answers RCPT only when DATA is there: whoever waits for each reply waits for ever. */
  const wantsGroup: PeerScript = {
    answers: {
      RCPT: SILENCE,
      DATA: "250 2.1.5 ok\r\n250 2.1.5 ok\r\n354 go",
    },
  };
  const mute: TestSink<OutboundCommandContext> = { onEvent: () => undefined };

  test.each<[string, CommandSinks, readonly TestSink<ServerResponseContext>[]]>([
    ["of the session only", { OnSessionStart: [mute], OnSessionEnd: [mute] }, []],
    ["of other recipients", { OnPerRecipient: [{ ...mute, rule: "RCPT TO=*@partner.example" }] }, []],
    ["of another sender", { OnMessageStart: [{ ...mute, rule: "MAIL FROM=*@partner.example" }] }, []],
    ["that look at other replies", {}, [{ rule: "EHLO;QUIT;RCPT TO=*@x.example", onEvent: () => undefined }]],
  ])("goes on where the sinks are %s", async (_, sinks, responses) => {
    const { codes, lines } = await linesFor(sinks, responses, wantsGroup);
    expect(codes).toEqual([250, 250]);
    expect(lines).toEqual(SENT);
  });

  test("ends for one message that a sink takes part in, and for no other on the same connection", async () => {
    const seen: string[] = [];
    await using peer = await startPeer();
    const note = (context: OutboundCommandContext): void => void seen.push(context.nativeCommand);
    const sinks = { OnPerRecipient: [{ rule: "RCPT TO=eve@*", onEvent: note }] };
    await using destination = destinationTo(peer, { protocol: protocolOf(sinks), maxConnections: 1 });
    for (const to of ["bob@example.net", "eve@example.net", "bob@example.net"])
      // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
      expect(codesOf(await destination.deliver(messageOf({ to: [to] })))).toEqual([250]);
    expect(seen).toEqual(["RCPT TO:<eve@example.net>"]);
    expect(peer.sessions).toHaveLength(1);
  });
});

const OFFERS = "250-peer.example\r\n250-AUTH LOGIN\r\n250-XFORWARD ADDR\r\n250 STARTTLS";
const TLS = { mode: "opportunistic", verify: false, clearAfterFailure: true } as const;

describe("the replies that sinks are told", () => {
  test("are the greeting and those to STARTTLS, AUTH, XFORWARD and RSET too, and no sink sees a password", async () => {
    await using peer = await startPeer({
      answers: {
        EHLO: OFFERS,
        AUTH: "334 VXNlcm5hbWU6",
        DGLT: "334 UGFzc3dvcmQ6",
        "DGFUC3RHYWY=": "235 2.7.0 ok",
        MAIL: "452 4.3.1 full",
      },
    });
    const seen: string[] = [];
    const note = ({ command, verb, statusCode, response }: ServerResponseContext): void =>
      void seen.push(
        verb === "_GREETING" || statusCode === 334 ? `${command} ${response}` : `${command} ${statusCode}`,
      );
    await using destination = destinationTo(peer, {
      protocol: protocolOf({}, [{ onEvent: note }]),
      tls: TLS,
      credentials: { user: "tim", password: "tanstaaf", allowInClear: false },
      xforward: true,
    });
    await destination.deliver({
      ...messageOf(),
      origin: { via: "smtp", arrivalTime: 0, server: "default", clientAddress: "192.0.2.7" },
    });
    expect(seen).toEqual([
      " 220 peer.example ESMTP",
      "EHLO relay.example 250",
      "STARTTLS 220",
      "EHLO relay.example 250",
      "AUTH 334 VXNlcm5hbWU6",
      "AUTH 334 UGFzc3dvcmQ6",
      "AUTH 235",
      "XFORWARD ADDR=192.0.2.7 250",
      "MAIL FROM:<alice@example.com> AUTH=<> 452",
      "RSET 250",
    ]);
  });

  test("a greeting that refuses us may count as a welcome; what the peer says then counts", async () => {
    await using peer = await startPeer({ answers: { greeting: "554 5.7.1 not before noon" } });
    const onEvent = (context: ServerResponseContext): void => void (context.judgement = "success");
    const protocol = protocolOf({}, [{ rule: "_GREETING", onEvent }]);
    await using destination = destinationTo(peer, { protocol });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions[0]?.lines.slice(0, 2)).toEqual(SENT.slice(0, 2));
  });

  test.each([
    ["drops the session", (context: ServerResponseContext): void => context.dropSession()],
    [
      "sends it to its end",
      (context: ServerResponseContext): void => void (context.nextState = "session-end"),
    ],
  ])("a sink that %s when STARTTLS is refused has nothing said in clear", async (_, onEvent) => {
    await using peer = await startPeer({ answers: { EHLO: OFFERS, STARTTLS: "454 4.7.0 not now" } });
    await using destination = destinationTo(peer, {
      protocol: protocolOf({}, [{ rule: "STARTTLS", onEvent }]),
      tls: TLS,
    });
    const { transient } = unreachableOf(await destination.deliver(messageOf()));
    expect(transient).toBe(true);
    expect(peer.sessions.map(({ lines }) => lines)).toEqual([["EHLO relay.example", "STARTTLS"]]);
  });

  test("a sink ends the session at the reply to RSET", async () => {
    const { lines, codes } = await linesFor(
      {},
      [{ rule: "RSET", onEvent: (context) => void (context.nextState = "session-end") }],
      { answers: { MAIL: "550 5.7.1 not you" } },
    );
    // Nobody waits for the replies to MAIL, RCPT and DATA: they are pipelined.
    expect(lines.slice(1)).toEqual([...SENT.slice(1, 5), "RSET", "QUIT"]);
    expect(codes).toEqual([550, 550]);
  });

  test("a judgement or a state that does not exist is a fault of the sink: the reply counts as it came", async () => {
    const wrong: readonly ((context: ServerResponseContext) => void)[] = [
      // @ts-expect-error -- types are not checked when a sink runs
      (context) => void (context.judgement = "failure"),
      // @ts-expect-error -- nor here
      (context) => void (context.nextState = "quit"),
    ];
    for (const onEvent of wrong) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { lines, codes } = await linesFor({}, [{ rule: "MAIL;RCPT", onEvent }]);
      expect(lines).toEqual(SENT);
      expect(codes).toEqual([250, 250]);
    }
  });
});
