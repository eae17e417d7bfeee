// The envelope of the next message leaves with the content of the one before (RFC 2920 §3.1).
import { describe, expect, test } from "vitest";
import { ConnectionBudget } from "../../../../src/smtp/client/connection-budget.ts";
import type { DestinationOptions } from "../../../../src/smtp/client/connection-pool.ts";
import { DEFAULT_DEADLINES } from "../../../../src/smtp/client/destination.ts";
import {
  codesOf,
  destinationTo,
  DROP,
  messageOf,
  type OpenDestination,
  type Peer,
  type PeerSession,
  SILENCE,
  STALL,
  startPeer,
  unreachableOf,
} from "./support.ts";

const mailsOf = ({ lines }: PeerSession): number => lines.filter((line) => line.startsWith("MAIL")).length;
const contentsOf = ({ sessions }: Peer): string[] => sessions.flatMap(({ messages }) => messages);
const numbered = (number: number): { text: string } => ({ text: `Subject: ${number}\r\n\r\nHello\r\n` });
const deliverAll = (destination: OpenDestination, count: number): Promise<number[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, number) =>
      codesOf(await destination.deliver(messageOf(numbered(number)))),
    ),
  ).then((codes) => codes.flat());

const hasGroup = (chunk: string): boolean => chunk.includes("\r\n.\r\nMAIL");

/** Keeps what the peer receives, packet by packet. */
const recording =
  (chunks: string[]) =>
  (_line: string, { socket }: PeerSession): string => {
    socket.prependListener("data", (chunk: Buffer) => chunks.push(chunk.toString("latin1")));
    return "220 peer.example ESMTP";
  };

/** Over one connection, so that all but the first wait. */
const overOne = (peer: Peer, options: Partial<DestinationOptions> = {}): OpenDestination =>
  destinationTo(peer, { maxConnections: 1, ...options });

describe("a message that waits", () => {
  test("has its envelope with the peer before the content of the one before is answered", async () => {
    await using peer = await startPeer({
      answers: {
        ".": (_line, { messages }) => (messages.length === 1 ? SILENCE : "250 2.0.0 Ok"),
        // Only who sends MAIL without waiting ever gets the answer to the first content.
        MAIL: (_line, session) =>
          mailsOf(session) === 2 ? "250 2.0.0 Ok: the first\r\n250 2.1.0 Ok" : "250 2.1.0 Ok",
      },
    });
    await using destination = overOne(peer);
    expect(await deliverAll(destination, 2)).toEqual([250, 250]);
    expect(contentsOf(peer)).toEqual([
      "Subject: 0\r\n\r\nHello\r\n.\r\n",
      "Subject: 1\r\n\r\nHello\r\n.\r\n",
    ]);
  });

  test("goes on when the one before is refused, without RSET", async () => {
    await using peer = await startPeer({
      answers: { ".": (_line, { messages }) => (messages.length === 1 ? "554 5.6.0 spam" : "250 2.0.0 Ok") },
    });
    await using destination = overOne(peer);
    expect(await deliverAll(destination, 3)).toEqual([554, 250, 250]);
    expect(peer.sessions).toHaveLength(1);
    expect(peer.sessions[0]?.lines).not.toContain("RSET");
  });

  test("goes over another connection when the peer hangs up behind the content", async () => {
    await using peer = await startPeer({
      answers: { ".": (_line, { number }) => (number === 1 ? DROP : "250 2.0.0 Ok") },
    });
    await using destination = overOne(peer);
    const [first, second] = await Promise.all(
      [1, 2].map((number) => destination.deliver(messageOf(numbered(number)))),
    );
    expect(first && unreachableOf(first)).toMatchObject({ mayDuplicate: true });
    expect(second && codesOf(second)).toEqual([250]);
    expect(contentsOf(peer).filter((content) => content.includes("Subject: 2"))).toHaveLength(1);
  });

  test("is sent once more, and no other one so, when the peer takes no command behind content", async () => {
    const chunks: string[] = [];
    await using peer = await startPeer({
      answers: {
        greeting: recording(chunks),
        MAIL: (_line, session) =>
          session.number === 1 && mailsOf(session) > 1 ? "503 5.5.1 not now" : "250 2.1.0 Ok",
      },
    });
    await using destination = overOne(peer);
    expect(await deliverAll(destination, 4)).toEqual([250, 250, 250, 250]);
    expect(contentsOf(peer)).toHaveLength(4);
    expect(chunks.filter(hasGroup)).toHaveLength(1);
  });

  test.each(["500 5.5.2 what?", "502 5.5.1 not here", "503 5.5.1 not now"])(
    "is sent once more, and no other one so, when a peer that took such commands answers %s to them",
    async (refusal) => {
      const chunks: string[] = [];
      await using peer = await startPeer({
        answers: {
          greeting: recording(chunks),
          MAIL: (_line, { messages }) =>
            messages.length > 1 && hasGroup(chunks.at(-1) ?? "") ? refusal : "250 2.1.0 Ok",
        },
      });
      await using destination = overOne(peer);
      expect(await deliverAll(destination, 8)).toEqual(Array.from({ length: 8 }, () => 250));
      expect(chunks.filter(hasGroup)).toHaveLength(2);
    },
  );

  test("is the last one so when the peer hangs up on content with commands behind it", async () => {
    const chunks: string[] = [];
    await using peer = await startPeer({
      answers: {
        greeting: recording(chunks),
        ".": () => (hasGroup(chunks.at(-1) ?? "") ? DROP : "250 2.0.0 Ok"),
      },
    });
    await using destination = overOne(peer);
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => destination.deliver(messageOf())));
    expect(outcomes.map(({ kind }) => kind)).toEqual(["unreachable", "report", "report", "report"]);
    expect(chunks.filter(hasGroup)).toHaveLength(1);
  });

  test("goes over another connection when the peer overlooks what came behind content", async () => {
    await using peer = await startPeer({
      answers: {
        MAIL: (_line, session) => (session.number === 1 && mailsOf(session) > 1 ? STALL : "250 2.1.0 Ok"),
      },
    });
    await using destination = overOne(peer, { deadlines: { ...DEFAULT_DEADLINES, commandMs: 100 } });
    expect(await deliverAll(destination, 3)).toEqual([250, 250, 250]);
    expect(contentsOf(peer)).toHaveLength(3);
  });

  test("goes behind content again when a connection broke to a peer that has taken such commands", async () => {
    const chunks: string[] = [];
    await using peer = await startPeer({
      answers: {
        greeting: recording(chunks),
        ".": (_line, { number }) => (number === 2 ? DROP : "250 2.0.0 Ok"),
      },
    });
    await using destination = overOne(peer, { maxMessagesPerConnection: 2 });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => destination.deliver(messageOf())));
    expect(outcomes.filter(({ kind }) => kind === "unreachable")).toHaveLength(1);
    expect(chunks.filter(hasGroup)).toHaveLength(3);
  });

  test("has its own answers for its recipients", async () => {
    await using peer = await startPeer({
      answers: { RCPT: (line) => (line.includes("<nobody@") ? "550 5.1.1 unknown" : "250 2.1.5 Ok") },
    });
    await using destination = overOne(peer);
    const outcomes = await Promise.all([
      destination.deliver(messageOf()),
      destination.deliver(messageOf({ to: ["nobody@example.net"] })),
      destination.deliver(messageOf({ to: ["nobody@example.net", "bob@example.net"] })),
      destination.deliver(messageOf()),
    ]);
    expect(outcomes.map(codesOf)).toEqual([[250], [550], [550, 250], [250]]);
  });

  test("is refused in its turn when the peer is known not to take it", async () => {
    await using peer = await startPeer({
      answers: { EHLO: "250-peer.example\r\n250-PIPELINING\r\n250 SIZE 1000" },
    });
    await using destination = overOne(peer);
    const outcomes = await Promise.all([
      destination.deliver(messageOf()),
      destination.deliver(messageOf({ text: `Subject: long\r\n\r\n${"0123456789\r\n".repeat(100)}` })),
      destination.deliver(messageOf()),
    ]);
    expect(outcomes.map(codesOf)).toEqual([[250], [552], [250]]);
  });

  test("that the peer is not asked about does not wait for those behind it", async () => {
    await using peer = await startPeer({
      answers: { EHLO: "250-peer.example\r\n250-PIPELINING\r\n250 SIZE 1000" },
    });
    await using destination = overOne(peer);
    const ended: number[] = [];
    const deliver = async (number: number): Promise<void> => {
      const body = "0123456789\r\n".repeat(number === 1 ? 100 : 1);
      await destination.deliver(messageOf({ text: `Subject: ${number}\r\n\r\n${body}` }));
      ended.push(number);
    };
    await Promise.all([0, 1, 2, 3, 4].map((number) => deliver(number)));
    expect(ended).toEqual([0, 1, 2, 3, 4]);
  });

  test("counts for the connection: it is replaced after so many messages", async () => {
    await using peer = await startPeer();
    await using destination = overOne(peer, { maxMessagesPerConnection: 2 });
    expect(await deliverAll(destination, 4)).toEqual([250, 250, 250, 250]);
    expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([2, 2]);
  });

  test("has its envelope behind content of LMTP that is answered once", async () => {
    const chunks: string[] = [];
    await using peer = await startPeer({ answers: { greeting: recording(chunks) } });
    await using destination = overOne(peer, { dialect: "lmtp" });
    expect(await deliverAll(destination, 3)).toEqual([250, 250, 250]);
    expect(chunks.filter(hasGroup)).toHaveLength(2);
  });

  test("waits for all replies of LMTP to the content before", async () => {
    await using peer = await startPeer({ answers: { ".": "250 2.0.0 bob\r\n452 4.2.2 carol is full" } });
    await using destination = overOne(peer, { dialect: "lmtp" });
    const to = ["bob@example.net", "carol@example.net"];
    const outcomes = await Promise.all([1, 2, 3].map(() => destination.deliver(messageOf({ to }))));
    expect(outcomes.map(codesOf)).toEqual([
      [250, 452],
      [250, 452],
      [250, 452],
    ]);
    expect(peer.sessions).toHaveLength(1);
  });

  test("does not confirm a recipient of the one before when LMTP answers once for all (N04)", async () => {
    await using peer = await startPeer({ answers: { ".": "451 4.3.0 later" } });
    const deadlines = { ...DEFAULT_DEADLINES, endOfDataMs: 100 };
    await using destination = overOne(peer, { dialect: "lmtp", deadlines });
    const to = ["bob@example.net", "carol@example.net"];
    const outcomes = await Promise.all([1, 2].map(() => destination.deliver(messageOf({ to }))));
    expect(outcomes.map(codesOf)).toEqual([
      [451, 451],
      [451, 451],
    ]);
  });
});

describe("while connections are free", () => {
  const settings = (): Partial<DestinationOptions> => ({
    maxConnections: 10,
    budget: new ConnectionBudget(100),
  });

  test("messages for a fast peer wait for those in use", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { ...settings(), groupWithinMs: 60_000 });
    await deliverAll(destination, 1);
    expect(await deliverAll(destination, 8)).toEqual(Array.from({ length: 8 }, () => 250));
    expect(peer.sessions.length).toBeLessThanOrEqual(5);
  });

  test("messages for a peer that takes longer do not", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { ...settings(), groupWithinMs: 0 });
    await deliverAll(destination, 8);
    const before = peer.sessions.map(({ messages }) => messages.length);
    expect(await deliverAll(destination, before.length)).toEqual(before.map(() => 250));
    expect(peer.sessions.map(({ messages }) => messages.length)).toEqual(before.map((count) => count + 1));
  });

  test("one that waits for a connection on which the peer says nothing goes over another one", async () => {
    let silent: PeerSession | undefined;
    await using peer = await startPeer({
      answers: {
        DATA: (_line, session) => {
          if (session.messages.length === 0 || silent !== undefined) return "354 Go ahead";
          silent = session;
          return SILENCE;
        },
      },
    });
    await using destination = destinationTo(peer, { ...settings(), groupWithinMs: 60_000, idleMs: 400 });
    await deliverAll(destination, 3);
    const stuck = destination.deliver(messageOf());
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    silent?.socket.destroy();
    expect(unreachableOf(await stuck)).toMatchObject({ mayDuplicate: false });
  });
});
