import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Content } from "../../../../src/message/content.ts";
import { DEFAULT_DEADLINES } from "../../../../src/smtp/client/destination.ts";
import {
  codesOf,
  destinationTo,
  DROP,
  messageOf,
  reportOf,
  SILENCE,
  STALL,
  startPeer,
  unreachableOf,
} from "./support.ts";
import { BOTH_PATHS } from "./watched.ts";

const NO_PIPELINING = { EHLO: "250-peer.example\r\n250 8BITMIME" };

const QUEUED = { code: 250, detail: "0.0", text: "Ok: queued" };

describe("a transaction", () => {
  test("goes out in order and answers the reply to the end of data per recipient", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer);
    const outcome = await destination.deliver(messageOf({ to: ["bob@example.net", "eve@example.net"] }));
    const report = reportOf(outcome);
    expect(report.replies).toEqual([QUEUED, QUEUED]);
    expect(report.remote).toBe(`127.0.0.1:${peer.port}`);
    expect(report.dsn).toBe(true);
    expect(peer.sessions[0]?.lines).toEqual([
      "EHLO relay.example",
      "MAIL FROM:<alice@example.com> SIZE=25",
      "RCPT TO:<bob@example.net>",
      "RCPT TO:<eve@example.net>",
      "DATA",
    ]);
    expect(peer.sessions[0]?.messages).toEqual(["Subject: hello\r\n\r\nHello\r\n.\r\n"]);
  });

  test("is the same with replies that come byte by byte (N12)", async () => {
    await using peer = await startPeer({ splitEvery: 1 });
    await using destination = destinationTo(peer);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  });

  test("waits for each reply when PIPELINING is not offered", async () => {
    const seen: number[] = [];
    await using peer = await startPeer({
      answers: { ...NO_PIPELINING, MAIL: (_line, session) => (seen.push(session.lines.length), "250 Ok") },
    });
    await using destination = destinationTo(peer);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(seen).toEqual([2]);
    expect(peer.sessions[0]?.lines.slice(1)).toEqual([
      "MAIL FROM:<alice@example.com>",
      "RCPT TO:<bob@example.net>",
      "DATA",
    ]);
  });

  test("falls back to HELO, and sends no parameters then", async () => {
    await using peer = await startPeer({ answers: { EHLO: "502 5.5.1 What?" } });
    await using destination = destinationTo(peer);
    expect(codesOf(await destination.deliver(messageOf({ body: "8BITMIME" })))).toEqual([250]);
    expect(peer.sessions[0]?.lines).toContain("MAIL FROM:<alice@example.com>");
  });

  test("carries the null sender, BODY, RET, ENVID, NOTIFY and ORCPT where they are offered", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer);
    const to = [
      {
        address: "bob@example.net",
        notify: ["SUCCESS", "DELAY"] as const,
        originalRecipient: "rfc822;b+b=x@example.net",
      },
      { address: "eve@example.net", originalRecipient: "utf-8;é+€@example.net" },
    ];
    await destination.deliver(
      messageOf({ sender: "", body: "8BITMIME", returnContent: "HDRS", envelopeId: "a b+c", to }),
    );
    expect(peer.sessions[0]?.lines.slice(1, 4)).toEqual([
      "MAIL FROM:<> SIZE=25 BODY=8BITMIME RET=HDRS ENVID=a+20b+2Bc",
      "RCPT TO:<bob@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bb+3Dx@example.net",
      "RCPT TO:<eve@example.net> ORCPT=utf-8;\\x{E9}\\x{2B}\\x{20AC}@example.net",
    ]);
  });

  test("sends none of the DSN parameters to a peer without DSN, and says so", async () => {
    await using peer = await startPeer({ answers: NO_PIPELINING });
    await using destination = destinationTo(peer);
    const to = [{ address: "bob@example.net", notify: ["NEVER"] as const }];
    const outcome = await destination.deliver(messageOf({ returnContent: "FULL", to }));
    expect(reportOf(outcome).dsn).toBe(false);
    expect(peer.sessions[0]?.lines).toContain("RCPT TO:<bob@example.net>");
  });

  test("is refused here when it is larger than the peer takes", async () => {
    await using peer = await startPeer({ answers: { EHLO: "250-x\r\n250 SIZE 10" } });
    await using destination = destinationTo(peer);
    expect(reportOf(await destination.deliver(messageOf())).replies).toMatchObject([
      { code: 552, detail: "3.4" },
    ]);
    expect(peer.sessions[0]?.lines).toHaveLength(1);
  });

  test("needs SMTPUTF8 for a non-ASCII sender, and for a recipient that one alone", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer);
    const refused = await destination.deliver(messageOf({ sender: "jürgen@example.com", smtpUtf8: true }));
    expect(reportOf(refused).replies).toMatchObject([{ code: 550, detail: "6.7" }]);
    const mixed = await destination.deliver(
      messageOf({ to: ["jürgen@example.net", "bob@example.net"], smtpUtf8: true }),
    );
    expect(codesOf(mixed)).toEqual([550, 250]);
  });

  test("uses SMTPUTF8 when it is offered and needed", async () => {
    await using peer = await startPeer({ answers: { EHLO: "250-x\r\n250 SMTPUTF8" } });
    await using destination = destinationTo(peer);
    expect(codesOf(await destination.deliver(messageOf({ to: ["jürgen@example.net"] })))).toEqual([250]);
    const lines = (peer.sessions[0]?.lines ?? []).map((line) => Buffer.from(line, "latin1").toString());
    expect(lines).toContain("MAIL FROM:<alice@example.com> SMTPUTF8");
    expect(lines).toContain("RCPT TO:<jürgen@example.net>");
  });

  test("never writes an address that would break out of its brackets (H03)", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer);
    const to = ["a@example.net>\r\nRCPT TO:<b@example.net", "x> NOTIFY=NEVER", "bob@example.net"];
    expect(codesOf(await destination.deliver(messageOf({ to })))).toEqual([553, 553, 250]);
    expect(codesOf(await destination.deliver(messageOf({ sender: "a\r\nQUIT@x.example" })))).toEqual([553]);
    expect(peer.sessions[0]?.lines.filter((line) => line.startsWith("RCPT"))).toEqual([
      "RCPT TO:<bob@example.net>",
    ]);
  });
});

describe("content", () => {
  test("has dots stuffed and every stray CR or LF made a CRLF (S12)", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer);
    const text = "Subject: x\r\n\r\n.a\n.\nMAIL FROM:<x@y>\r.\r\n..b\r\n\n.\r\nend";
    expect(codesOf(await destination.deliver(messageOf({ text })))).toEqual([250]);
    expect(peer.sessions).toHaveLength(1);
    expect(peer.sessions[0]?.messages).toEqual([
      "Subject: x\r\n\r\n..a\r\n..\r\nMAIL FROM:<x@y>\r\n..\r\n...b\r\n\r\n..\r\nend\r\n.\r\n",
    ]);
  });

  test("of several megabytes partly on disk arrives byte for byte", async () => {
    await using peer = await startPeer({ answers: { EHLO: "250-x\r\n250 PIPELINING" } });
    await using destination = destinationTo(peer);
    const folder = await mkdtemp(join(tmpdir(), "onarrival-client-"));
    try {
      const start = Buffer.from("Subject: big\r\n\r\n");
      const rest = Buffer.from("0123456789abcdef.\r\n".repeat(100_000));
      const path = join(folder, "content");
      await writeFile(path, rest);
      const content = Content.fromFile(start, { path, offset: 0, length: rest.length });
      expect(codesOf(await destination.deliver(messageOf({ content })))).toEqual([250]);
      expect(peer.sessions[0]?.messages[0]).toBe(`${start.toString()}${rest.toString()}.\r\n`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("that cannot be read to its end is never completed with a dot", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer);
    const content = Content.fromFile(Buffer.from("A: b\r\n\r\n"), {
      path: "/nonexistent/content",
      offset: 0,
      length: 9,
    });
    const outcome = unreachableOf(await destination.deliver(messageOf({ content })));
    expect(outcome).toMatchObject({ transient: true, mayDuplicate: false });
    expect(peer.sessions[0]?.messages).toEqual([]);
  });
});

describe("refusals (N03)", () => {
  test.each([
    ["MAIL", "450 4.1.8 later", 450],
    ["MAIL", "550 5.7.1 never", 550],
    ["RCPT", "450 4.2.0 later", 450],
    ["RCPT", "550 5.1.1 nobody", 550],
    ["RCPT", "552 5.2.2 full", 552],
    ["RCPT", "552 too many recipients", 452],
    ["DATA", "451 4.3.0 later", 451],
    ["DATA", "554 5.5.1 no", 554],
    [".", "452 4.3.1 disk full", 452],
    [".", "554 5.7.1 spam", 554],
    [".", "299 odd but positive", 299],
    ["MAIL", "599 odd but permanent", 599],
    [".", "250-a\n250 bare LF", 250],
  ])(
    "%s answered with %s is told to the recipient, and the connection serves the next message",
    async (verb, said, code) => {
      for (const answers of [{}, NO_PIPELINING]) {
        const once = (_line: string, session: { messages: string[]; lines: string[] }): string => {
          const first =
            session.lines.filter((line) => line.startsWith(verb)).length <= 1 && session.messages.length <= 1;
          return first ? said : verb === "DATA" ? "354 go" : "250 Ok";
        };
        await using peer = await startPeer({ answers: { ...answers, [verb]: once } });
        await using destination = destinationTo(peer, { maxConnections: 1 });
        expect(codesOf(await destination.deliver(messageOf()))).toEqual([code]);
        expect(codesOf(await destination.deliver(messageOf({ text: "Subject: 2\r\n\r\n" })))).toEqual([250]);
        expect(peer.sessions).toHaveLength(1);
        expect(peer.sessions[0]?.messages.at(-1)).toBe("Subject: 2\r\n\r\n.\r\n");
      }
    },
  );

  test("of some recipients leave the others served", async () => {
    await using peer = await startPeer({
      answers: { RCPT: (line) => (line.includes("bad") ? "550-5.1.1 no\r\n550 5.1.1 such user" : "250 Ok") },
    });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    const outcome = await destination.deliver(
      messageOf({ to: ["a@x.example", "bad@x.example", "c@x.example"] }),
    );
    expect(codesOf(outcome)).toEqual([250, 550, 250]);
    expect(reportOf(outcome).replies[1]).toEqual({ code: 550, detail: "1.1", text: "no such user" });
  });

  test("of all recipients followed by 354 all the same end in a lone dot", async () => {
    await using peer = await startPeer({
      answers: {
        RCPT: (_line, session) => (session.messages.length === 0 ? "550 5.1.1 no" : "250 Ok"),
        DATA: "354 go",
      },
    });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([550]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(1);
    expect(peer.sessions[0]?.messages[0]).toBe(".\r\n");
  });

  test("of the sender alone never make an empty message", async () => {
    await using peer = await startPeer({ answers: { MAIL: "550 5.7.1 no", RCPT: "250 Ok", DATA: "354 go" } });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([550]);
    expect(peer.sessions[0]?.messages).toEqual([]);
  });

  test("of parameters that were offered are answered with bare commands (N05)", async () => {
    await using peer = await startPeer({
      answers: { MAIL: (line) => (line.includes("SIZE") ? "555 5.5.4 SIZE?" : "250 Ok") },
    });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    const outcome = await destination.deliver(messageOf());
    expect(codesOf(outcome)).toEqual([250]);
    expect(reportOf(outcome).dsn).toBe(false);
    expect(peer.sessions).toHaveLength(1);
  });

  describe.each(BOTH_PATHS)("of recipients, %s", (_, more) => {
    test.each([
      ["PIPELINING", "354 Go on"],
      ["PIPELINING", "554 5.5.1 Nobody"],
      ["HELP", "354 Go on"],
    ])("are so too, with %s offered and %s said to DATA", async (keyword, data) => {
      const to = ["a@x.test", "b@x.test"].map((address) => ({ address, notify: ["FAILURE"] as const }));
      let isTaken = false;
      await using peer = await startPeer({
        answers: {
          EHLO: `250-peer.example\r\n250-${keyword}\r\n250 DSN`,
          RCPT(line) {
            isTaken = !line.includes("NOTIFY");
            return isTaken ? "250 Ok" : "555 5.5.4 NOTIFY?";
          },
          DATA: () => (isTaken ? "354 Go on" : data),
        },
      });
      await using destination = destinationTo(peer, { maxConnections: 1, ...more() });
      const outcome = await destination.deliver(messageOf({ to }));
      expect(codesOf(outcome)).toEqual([250, 250]);
      expect(reportOf(outcome).dsn).toBe(false);
      expect(peer.sessions.flatMap(({ messages }) => messages)).toHaveLength(1);
    });
  });
});

describe("a connection that fails", () => {
  test.each(["MAIL", "RCPT", "DATA"])("at %s is transient and certainly not delivered", async (verb) => {
    for (const answer of [
      DROP,
      "421 4.3.2 shutting down",
      "hello?",
      "354 surprise\r\n354 again",
      "250-a\r\n251 b",
    ] as const) {
      if (verb === "DATA" && answer === "354 surprise\r\n354 again") continue;
      await using peer = await startPeer({ answers: { [verb]: answer } });
      await using destination = destinationTo(peer, { maxConnections: 1 });
      expect(unreachableOf(await destination.deliver(messageOf()))).toMatchObject({
        transient: true,
        mayDuplicate: false,
      });
    }
  });

  test("after the final dot is transient and may duplicate (N02)", async () => {
    await using peer = await startPeer({ answers: { ".": DROP } });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    expect(unreachableOf(await destination.deliver(messageOf()))).toMatchObject({
      transient: true,
      mayDuplicate: true,
    });
  });

  test("421 to the end of data is a reply like another", async () => {
    await using peer = await startPeer({ answers: { ".": "421 4.3.2 full" } });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([421]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([421]);
    expect(peer.sessions).toHaveLength(2);
  });

  test.each(["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."])(
    "silence at %s ends at its deadline (N01)",
    async (verb) => {
      await using peer = await startPeer({ answers: { [verb]: STALL } });
      const deadlines = {
        ...DEFAULT_DEADLINES,
        greetingMs: 40,
        commandMs: 40,
        dataInitiationMs: 40,
        endOfDataMs: 40,
        quitMs: 40,
      };
      await using destination = destinationTo(peer, { deadlines });
      const outcome = unreachableOf(await destination.deliver(messageOf()));
      expect(outcome).toMatchObject({ transient: true, mayDuplicate: verb === "." });
      expect(outcome.reason).toContain("no answer");
    },
  );

  test("a reply that never ends is cut off (H12)", async () => {
    await using peer = await startPeer({ answers: { MAIL: "250-x\r\n".repeat(20_000) } });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    expect(unreachableOf(await destination.deliver(messageOf())).reason).toContain("65536");
  });

  test("surplus and missing replies are noticed before they confirm anything (N04)", async () => {
    for (const answers of [
      { MAIL: "250 a\r\n250 b" },
      { RCPT: SILENCE, DATA: "354 go" },
      { DATA: "354 go\r\n250 done" },
    ] as const) {
      await using peer = await startPeer({ answers });
      await using destination = destinationTo(peer, { maxConnections: 1 });
      expect(unreachableOf(await destination.deliver(messageOf())).reason).toContain("out of step");
    }
  });

  test("hostile reply text is bounded and without control characters (H11)", async () => {
    await using peer = await startPeer({
      answers: { ".": `550 5.7.1 \u001b[31mred\rX: y\0\u202e${"z".repeat(5000)}` },
    });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    const text = reportOf(await destination.deliver(messageOf())).replies[0]?.text ?? "";
    expect(text).toMatch(/^\?\[31mred\?X: y\?z+$/);
    expect(text.length).toBeLessThanOrEqual(500);
  });
});
