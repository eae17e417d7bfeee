// Next hops that dawdle, lie, flood and break off (FAULTS group N), on both ways that a message may take.
import { describe, expect, test } from "vitest";
import { DEFAULT_DEADLINES } from "../../../../src/smtp/client/destination.ts";
import { createBodyConverter } from "../../../../src/transport/couriers/body-converter.ts";
import {
  type Answer,
  codesOf,
  destinationTo,
  DROP,
  messageOf,
  type PeerSession,
  SILENCE,
  startPeer,
  unreachableOf,
} from "./support.ts";
import { BOTH_PATHS } from "./watched.ts";

const convertBody = createBodyConverter({ policy: "unless-signed", maxBytes: 1_000_000 });

/** An answer that comes a byte at a time and never ends. */
function drip(_line: string, { socket }: PeerSession): typeof SILENCE {
  const timer = setInterval(() => socket.write("2"), 10);
  socket.once("close", () => clearInterval(timer));
  return SILENCE;
}

describe.each(BOTH_PATHS)("a next hop, %s", (_, options) => {
  test("that hangs up while the service ends does not hold it up", async () => {
    await using peer = await startPeer({ answers: { DATA: DROP } });
    const destination = destinationTo(peer, options());
    const outcome = destination.deliver(messageOf());
    const closed = destination.close();
    expect(unreachableOf(await outcome)).toMatchObject({ mayDuplicate: false });
    await closed;
  });

  test("that closes the channel right behind its answer to the content has the message", async () => {
    await using peer = await startPeer({ answers: { ".": "250 2.0.0 Ok\r\n421 4.3.2 closing" } });
    await using destination = destinationTo(peer, options());
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  });

  test.each(["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."])(
    "that dawdles byte by byte at %s is given up at the deadline of the stage (N01)",
    async (verb) => {
      await using peer = await startPeer({ answers: { [verb]: drip } });
      const shortest = { greetingMs: 60, commandMs: 60, dataInitiationMs: 60, endOfDataMs: 60, quitMs: 60 };
      await using destination = destinationTo(peer, {
        ...options(),
        deadlines: { ...DEFAULT_DEADLINES, ...shortest },
      });
      const outcome = unreachableOf(await destination.deliver(messageOf()));
      expect(outcome).toMatchObject({ transient: true, mayDuplicate: verb === "." });
      expect(outcome.reason).toContain("no answer");
      expect(destination.capacity).toBe(20);
    },
  );

  test("that takes no more of the content is given up (N01)", async () => {
    await using peer = await startPeer({
      answers: {
        EHLO: "250-x\r\n250 8BITMIME",
        DATA: (_line, { socket }) => (setTimeout(() => socket.pause()), "354 go"),
      },
    });
    const deadlines = { ...DEFAULT_DEADLINES, dataBlockMs: 60, endOfDataMs: 60 };
    await using destination = destinationTo(peer, { ...options(), deadlines });
    const text = `A: b\r\n\r\n${"0123456789abcdef\r\n".repeat(1_000_000)}`;
    expect(unreachableOf(await destination.deliver(messageOf({ text }))).transient).toBe(true);
  });

  test("that refuses the content in its middle has refused the message, and the next one goes elsewhere (N01)", async () => {
    await using peer = await startPeer({
      answers: {
        EHLO: "250-x\r\n250 8BITMIME",
        DATA: (_line, { number, socket }) => {
          if (number > 1) return "354 go";
          setTimeout(() => {
            socket.pause();
            socket.write("552 5.3.4 Too much\r\n");
          });
          return "354 go";
        },
      },
    });
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    const text = `A: b\r\n\r\n${"0123456789abcdef\r\n".repeat(1_000_000)}`;
    expect(codesOf(await destination.deliver(messageOf({ text })))).toEqual([552]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([0, 1]);
  });

  test("that hangs up in the middle of a reply to the dot may have the message (N02)", async () => {
    await using peer = await startPeer({
      answers: { ".": (_line, { socket }) => (socket.end("250-2.0.0 Ok\r\n25"), SILENCE) },
    });
    await using destination = destinationTo(peer, options());
    expect(unreachableOf(await destination.deliver(messageOf())).mayDuplicate).toBe(true);
  });

  test.each<[string, Answer]>([
    ["a code that is none", "2X0 Ok"],
    ["a code of no class", "150 Ok"],
    ["no code", "Ok"],
    ["nothing before the line end", ""],
    ["a line longer than any", `250 ${"x".repeat(9000)}`],
    ["a line that has no end", (_line, { socket }) => (socket.write(`250 ${"x".repeat(9000)}`), SILENCE)],
  ])("that answers %s is not understood, and nothing is lost (N03)", async (_name, said) => {
    await using peer = await startPeer({ answers: { RCPT: said } });
    await using destination = destinationTo(peer, options());
    expect(unreachableOf(await destination.deliver(messageOf()))).toMatchObject({
      transient: true,
      mayDuplicate: false,
    });
  });

  test("that closes with 421 in the middle leaves the message for later, and a kept connection is no loss (N03)", async () => {
    await using peer = await startPeer({
      answers: {
        MAIL: (_line, { number, messages }) =>
          number === 1 && messages.length === 1 ? "421 4.3.2 bye" : "250 Ok",
      },
    });
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(2);
  });

  test("that knows neither EHLO nor HELO is told apart from one that cannot be reached", async () => {
    await using peer = await startPeer({ answers: { EHLO: "502 5.5.1 What?", HELO: "504 5.5.4 Who?" } });
    await using destination = destinationTo(peer, options());
    const { reply, mayDuplicate } = unreachableOf(await destination.deliver(messageOf()));
    expect(reply.code).toBe(504);
    expect(mayDuplicate).toBe(false);
    expect(peer.sessions[0]?.lines.slice(0, 2)).toEqual(["EHLO relay.example", "HELO relay.example"]);
  });

  test("that refuses RSET gets the next message on a connection of its own", async () => {
    await using peer = await startPeer({
      answers: {
        RCPT: (_line, { number }) => (number === 1 ? "550 5.1.1 Unknown" : "250 Ok"),
        RSET: "500 5.5.2 What?",
      },
    });
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([550]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([0, 1]);
  });

  test("hears of no recipient that cannot be written, and takes the next message on the same connection (H03)", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    const to = ["a@x.example> NOTIFY=NEVER", "b@x.example\r\nRSET"];
    expect(codesOf(await destination.deliver(messageOf({ to })))).toEqual([553, 553]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(1);
    expect(peer.sessions[0]?.lines.filter((line) => /^RCPT|^DATA/.test(line))).toEqual([
      "RCPT TO:<bob@example.net>",
      "DATA",
    ]);
  });

  test("with fewer replies than recipients is found out before it confirms anything (N04)", async () => {
    let asked = 0;
    await using peer = await startPeer({
      answers: { RCPT: () => (++asked === 2 ? SILENCE : "250 2.1.5 Ok"), DATA: "354 go" },
    });
    const deadlines = { ...DEFAULT_DEADLINES, commandMs: 60 };
    await using destination = destinationTo(peer, { ...options(), deadlines });
    const to = ["a@x.example", "b@x.example", "c@x.example"];
    expect(unreachableOf(await destination.deliver(messageOf({ to })))).toMatchObject({
      mayDuplicate: false,
    });
    expect(peer.sessions[0]?.messages).toEqual([]);
  });

  test("that goes back to clear text after STARTTLS or offers it and fails is treated by policy (N06)", async () => {
    const EHLO = "250-x\r\n250 STARTTLS";
    await using peer = await startPeer({ answers: { EHLO, STARTTLS: DROP } });
    await using relaxed = destinationTo(peer, {
      ...options(),
      tls: { mode: "opportunistic", verify: false, clearAfterFailure: true },
    });
    expect(codesOf(await relaxed.deliver(messageOf()))).toEqual([250]);
    await using strict = destinationTo(peer, {
      ...options(),
      tls: { mode: "required", verify: false, clearAfterFailure: false },
    });
    expect(unreachableOf(await strict.deliver(messageOf())).transient).toBe(true);
    expect(peer.sessions.flatMap(({ messages }) => messages)).toHaveLength(1);
  });

  test("that sends a reply of many lines in one large piece, or in single bytes, is understood (N12)", async () => {
    const long = `${"250-2.1.0 noted\r\n".repeat(3000)}250 2.1.0 Ok`;
    for (const splitEvery of [long.length + 2, 1]) {
      await using peer = await startPeer({ answers: { MAIL: long }, splitEvery });
      await using destination = destinationTo(peer, options());
      expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    }
  });

  test("with 8BITMIME gets long lines, NUL and 8-bit bytes as they are, and so does the signature over them (N13)", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { ...options(), convertBody });
    const text = Buffer.concat([
      Buffer.from("DKIM-Signature: v=1\r\nContent-Type: text/plain\r\n\r\n"),
      Buffer.alloc(3000, "x"),
      Buffer.of(0x00, 0xe9, 0x0d, 0x0a),
    ]);
    expect(codesOf(await destination.deliver(messageOf({ text, body: "8BITMIME" })))).toEqual([250]);
    expect(peer.sessions[0]?.messages[0]).toBe(`${text.toString("latin1")}.\r\n`);
  });
});

test("a stray reply while a message is converted is not taken for the answer to MAIL (N04)", async () => {
  await using peer = await startPeer({
    answers: {
      EHLO: "250-x\r\n250 PIPELINING",
      ".": (_line, { messages }) => (messages.length === 1 ? "250 Ok" : "550 5.7.1 no"),
    },
  });
  let convert: (() => void) | undefined;
  const slowly: typeof convertBody = async (...parts) => {
    await new Promise<void>((resolve) => (convert = resolve));
    return convertBody(...parts);
  };
  await using destination = destinationTo(peer, { convertBody: slowly, maxConnections: 1 });
  expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
  const outcome = destination.deliver(messageOf({ text: "A: b\r\n\r\né\r\n" }));
  peer.sessions[0]?.socket.end("250 2.0.0 stray\r\n");
  await new Promise((resolve) => peer.sessions[0]?.socket.once("close", resolve));
  convert?.();
  // The message went over another connection, where it is converted anew.
  await expect.poll(() => peer.sessions.length).toBe(2);
  await expect.poll(() => (convert?.(), peer.sessions[1]?.messages.length)).toBe(1);
  expect(codesOf(await outcome)).toEqual([250]);
});

test("a next hop that dislikes BODY=8BITMIME though it offered it gets the content unchanged (N05)", async () => {
  await using peer = await startPeer({
    answers: { MAIL: (line) => (line.includes("BODY") ? "555 5.5.4 BODY?" : "250 Ok") },
  });
  await using destination = destinationTo(peer, { convertBody });
  expect(
    codesOf(await destination.deliver(messageOf({ text: "A: b\r\n\r\né\r\n", body: "8BITMIME" }))),
  ).toEqual([250]);
  expect(Buffer.from(peer.sessions[0]?.messages[0] ?? "", "latin1").toString()).toBe(
    "A: b\r\n\r\né\r\n.\r\n",
  );
});

test("a next hop that offers a larger SIZE than it takes refuses for good, and others wait (N05)", async () => {
  await using peer = await startPeer({
    answers: { MAIL: (line) => (line.includes("SIZE=25") ? "250 Ok" : "552 5.3.4 too large") },
  });
  await using destination = destinationTo(peer, { maxConnections: 1 });
  expect(
    codesOf(await destination.deliver(messageOf({ text: `A: b\r\n\r\n${"x".repeat(500)}\r\n` }))),
  ).toEqual([552]);
  expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
});
