import { describe, expect, test } from "vitest";
import { DEFAULT_DEADLINES } from "../../../../src/smtp/client/destination.ts";
import {
  certificate,
  codesOf,
  DROP,
  destinationTo,
  messageOf,
  type PeerSession,
  startPeer,
  STALL,
  unreachableOf,
} from "./support.ts";

const OFFERS_TLS = { EHLO: "250-peer.example\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS" };
const opportunistic = { mode: "opportunistic", verify: false, clearAfterFailure: true } as const;

const tiredAfterOne = (_line: string, session: PeerSession): string =>
  session.number === 1 && session.messages.length > 0 ? "421 4.4.2 idle too long" : "250 Ok";
const oneOnly = (_line: string, session: PeerSession): string =>
  session.number > 1 ? "421 4.7.0 too many connections" : "220 hello";

describe("connections", () => {
  test("are kept for the next message, and ended with QUIT after so many", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { maxConnections: 1, maxMessagesPerConnection: 2 });
    for (let count = 0; count < 3; count += 1)
      expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([2, 1]);
    await expect.poll(() => peer.sessions[0]?.lines.at(-1)).toBe("QUIT");
  });

  test("are opened up to the limit, and the rest of the messages wait", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { maxConnections: 3 });
    const outcomes = Array.from({ length: 20 }, () => destination.deliver(messageOf()));
    expect(destination.capacity).toBe(0);
    expect((await Promise.all(outcomes)).flatMap(codesOf)).toEqual(Array.from({ length: 20 }, () => 250));
    expect(peer.sessions).toHaveLength(3);
    expect(destination.capacity).toBe(3);
  });

  test("that idle for long are ended with QUIT", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { idleMs: 20 });
    await destination.deliver(messageOf());
    await expect.poll(() => peer.sessions[0]?.lines.at(-1)).toBe("QUIT");
  });

  test("that the peer closed while idle are replaced without a failure", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { maxConnections: 1 });
    await destination.deliver(messageOf());
    peer.sessions[0]?.socket.destroy();
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(2);
  });

  test("that answer the next MAIL with 421 are replaced without a failure", async () => {
    await using peer = await startPeer({ answers: { MAIL: tiredAfterOne } });
    await using destination = destinationTo(peer, { maxConnections: 1 });
    await destination.deliver(messageOf());
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(2);
  });

  test("refused beyond the peer's own limit leave the messages to those that are open", async () => {
    await using peer = await startPeer({ answers: { greeting: oneOnly } });
    await using destination = destinationTo(peer, { maxConnections: 4 });
    await destination.deliver(messageOf());
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => destination.deliver(messageOf())));
    expect(outcomes.flatMap(codesOf)).toEqual([250, 250, 250, 250]);
  });

  test("go to the next address when one refuses, and 5xx from all is permanent", async () => {
    await using bad = await startPeer({ answers: { greeting: "554 5.3.2 no service" } });
    await using good = await startPeer();
    const hops = [bad, good].map(({ port }) => ({ host: "127.0.0.1", port }));
    await using both = destinationTo(good, { nextHops: hops });
    expect(codesOf(await both.deliver(messageOf()))).toEqual([250]);
    await using none = destinationTo(bad);
    expect(unreachableOf(await none.deliver(messageOf()))).toMatchObject({
      transient: false,
      reply: { code: 554 },
    });
  });

  test("refused by the machine are transient", async () => {
    const peer = await startPeer();
    await peer[Symbol.asyncDispose]();
    await using destination = destinationTo(peer);
    const outcome = unreachableOf(await destination.deliver(messageOf()));
    expect(outcome).toMatchObject({ transient: true, reply: { code: 421, detail: "4.1", own: true } });
  });
});

describe("TLS and AUTH (N06)", () => {
  test("opportunistic TLS is used when offered, and nothing said before it is believed", async () => {
    await using peer = await startPeer({ answers: OFFERS_TLS });
    await using destination = destinationTo(peer, { tls: opportunistic });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions[0]?.encrypted).toBe(true);
    expect(peer.sessions[0]?.lines.filter((line) => line.startsWith("EHLO"))).toHaveLength(2);
  });

  test("a trusted certificate that names the host passes verification, an untrusted one does not", async () => {
    await using peer = await startPeer({ answers: OFFERS_TLS });
    const verified = { mode: "required", verify: true, clearAfterFailure: false } as const;
    await using trusting = destinationTo(peer, { tls: { ...verified, authorities: certificate } });
    expect(codesOf(await trusting.deliver(messageOf()))).toEqual([250]);
    await using strict = destinationTo(peer, { tls: verified });
    expect(unreachableOf(await strict.deliver(messageOf()))).toMatchObject({
      transient: true,
      reply: { detail: "7.5" },
    });
  });

  test("required TLS is never given up, opportunistic TLS goes on in clear", async () => {
    for (const answers of [{}, { ...OFFERS_TLS, STARTTLS: "454 4.7.0 not now" }]) {
      await using peer = await startPeer({ answers });
      await using required = destinationTo(peer, { tls: { ...opportunistic, mode: "required" } });
      expect(unreachableOf(await required.deliver(messageOf())).transient).toBe(true);
      await using relaxed = destinationTo(peer, { tls: opportunistic });
      expect(codesOf(await relaxed.deliver(messageOf()))).toEqual([250]);
    }
  });

  test("that fails is told by OpenSSL's reason alone", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { tls: { ...opportunistic, implicit: true } });
    expect(unreachableOf(await destination.deliver(messageOf())).reason).toBe(
      "SSL routines: wrong version number",
    );
  });

  test("is given up for one in clear when the host hangs up behind it, and where TLS is a must the mail waits", async () => {
    await using peer = await startPeer({
      answers: {
        EHLO: (_line, { encrypted }) => (encrypted ? DROP : "250-peer.example\r\n250 STARTTLS"),
      },
    });
    await using may = destinationTo(peer, { tls: opportunistic });
    expect(codesOf(await may.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.map(({ encrypted }) => encrypted)).toEqual([true, false]);
    await using must = destinationTo(peer, { tls: { ...opportunistic, mode: "required" } });
    expect(unreachableOf(await must.deliver(messageOf())).transient).toBe(true);
    expect(peer.sessions).toHaveLength(3);
  });

  test.each(["250 injected\r\n", "250-inj", "250-injected\r\n"])(
    "clear text behind the answer to STARTTLS ends the connection, whole reply or not: %j (N06)",
    async (afterStartTls) => {
      await using peer = await startPeer({ answers: OFFERS_TLS, afterStartTls });
      await using destination = destinationTo(peer, { tls: { ...opportunistic, clearAfterFailure: false } });
      expect(unreachableOf(await destination.deliver(messageOf())).transient).toBe(true);
      expect(peer.sessions[0]?.lines).toEqual(["EHLO relay.example", "STARTTLS"]);
    },
  );

  test("the password goes over TLS only, by PLAIN or LOGIN", async () => {
    const credentials = { user: "u", password: "p", allowInClear: false };
    const accepting = { ...OFFERS_TLS, AUTH: "235 2.7.0 Ok" };
    await using peer = await startPeer({ answers: accepting });
    await using destination = destinationTo(peer, { credentials });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions[0]?.lines).toContain("AUTH PLAIN AHUAcA==");
    await using clear = destinationTo(peer, { credentials, tls: { ...opportunistic, mode: "none" } });
    expect(unreachableOf(await clear.deliver(messageOf())).reply.detail).toBe("7.11");
    const login = {
      EHLO: "250-x\r\n250 AUTH LOGIN",
      AUTH: "334 VXNlcg==",
      "*": (line: string) => (line === "dQ==" ? "334 UA==" : "235 Ok"),
    };
    await using old = await startPeer({ answers: login });
    await using allowed = destinationTo(old, { credentials: { ...credentials, allowInClear: true } });
    expect(codesOf(await allowed.deliver(messageOf()))).toEqual([250]);
  });
});

test("a stalled QUIT does not keep close() waiting past its deadline", async () => {
  await using peer = await startPeer({ answers: { QUIT: STALL } });
  const destination = destinationTo(peer, { deadlines: { ...DEFAULT_DEADLINES, quitMs: 30 } });
  await destination.deliver(messageOf());
  await destination.close();
  expect(peer.sessions[0]?.lines.at(-1)).toBe("QUIT");
});

test("close() while another one waits resolves with it, and so does one that comes later", async () => {
  await using peer = await startPeer();
  const destination = destinationTo(peer);
  const outcome = destination.deliver(messageOf());
  const ended: string[] = [];
  const close = async (which: string): Promise<void> => {
    await destination.close();
    ended.push(which);
  };
  await Promise.all([close("first"), close("second"), outcome.then(() => ended.push("message"))]);
  expect(codesOf(await outcome)).toEqual([250]);
  await close("late");
  expect(ended).toEqual(["message", "first", "second", "late"]);
});
