// How single next hops are spoken to: TLS policies, AUTH mechanisms, REQUIRETLS, LMTP and XFORWARD.
import { X509Certificate, createHash, createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Origin } from "../../../../src/core/envelope.ts";
import type { OutboundCredentials, TlsPolicy } from "../../../../src/smtp/client/destination.ts";
import { TlsWishes } from "../../../../src/smtp/client/tls-wishes.ts";
import {
  certificate,
  codesOf,
  destinationTo,
  DROP,
  messageOf,
  type PeerScript,
  reportOf,
  startPeer,
  unreachableOf,
} from "./support.ts";
import { BOTH_PATHS } from "./watched.ts";

const OFFERS_TLS = { EHLO: "250-peer.example\r\n250-PIPELINING\r\n250-REQUIRETLS\r\n250 STARTTLS" };
const opportunistic: TlsPolicy = { mode: "opportunistic", verify: false, clearAfterFailure: true };
const required: TlsPolicy = { mode: "required", verify: true, clearAfterFailure: false };
const trusting: TlsPolicy = { ...required, authorities: certificate };
const pinnedTo = (...pins: string[]): TlsPolicy => ({ ...required, pins });

const sha256 = (der: Buffer): string => createHash("sha256").update(der).digest("hex");
const shown = new X509Certificate(certificate);
const publicKey = shown.publicKey.export({ type: "spki", format: "der" });

describe("a TLS policy (N06)", () => {
  test.each([
    ["the certificate", sha256(shown.raw)],
    ["its public key", sha256(publicKey)],
  ])("is met by %s when that is pinned, whoever signed it", async (_, pin) => {
    await using peer = await startPeer({ answers: OFFERS_TLS });
    await using destination = destinationTo(peer, { tls: pinnedTo("0".repeat(64), pin) });
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions[0]?.encrypted).toBe(true);
  });

  test("is not met by another certificate than the pinned one, trusted or not", async () => {
    for (const script of [{ answers: OFFERS_TLS }, { implicitTls: true }]) {
      await using peer = await startPeer(script);
      const implicit = script.answers === undefined;
      const tls = { ...pinnedTo("0".repeat(64)), authorities: certificate, implicit };
      await using destination = destinationTo(peer, { tls });
      expect(unreachableOf(await destination.deliver(messageOf())).reason).toContain("pinned");
      expect(peer.sessions[0]?.messages).toEqual([]);
    }
  });

  test("may ask for a name that is not the host's", async () => {
    await using peer = await startPeer({ answers: OFFERS_TLS });
    await using named = destinationTo(peer, { tls: { ...trusting, names: ["mx.example", "localhost"] } });
    expect(codesOf(await named.deliver(messageOf()))).toEqual([250]);
    await using other = destinationTo(peer, { tls: { ...trusting, names: ["mx.example"] } });
    expect(unreachableOf(await other.deliver(messageOf())).reply.detail).toBe("7.5");
  });

  test("may be TLS from the first byte, verified or not", async () => {
    await using peer = await startPeer({ implicitTls: true });
    for (const tls of [trusting, opportunistic]) {
      await using destination = destinationTo(peer, { tls: { ...tls, implicit: true } });
      expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    }
    await using strict = destinationTo(peer, { tls: { ...required, implicit: true } });
    expect(unreachableOf(await strict.deliver(messageOf())).transient).toBe(true);
  });

  test("of TLS from the first byte never talks in clear", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { tls: { ...opportunistic, implicit: true } });
    expect(unreachableOf(await destination.deliver(messageOf())).transient).toBe(true);
    expect(peer.sessions.flatMap(({ messages }) => messages)).toEqual([]);
  });
});

describe.each(BOTH_PATHS)("REQUIRETLS, %s", (_, options) => {
  const secret = messageOf({ requireTls: true });

  test("goes over verified TLS to a host that offers it, and says so", async () => {
    await using peer = await startPeer({ answers: OFFERS_TLS });
    for (const tls of [{ ...opportunistic, authorities: certificate }, pinnedTo(sha256(publicKey))]) {
      await using destination = destinationTo(peer, { ...options(), tls });
      expect(codesOf(await destination.deliver(secret))).toEqual([250]);
    }
    expect(peer.sessions[0]?.lines).toContain("MAIL FROM:<alice@example.com> REQUIRETLS");
  });

  test.each([
    ["in clear", { answers: { EHLO: "250-x\r\n250 REQUIRETLS" } }, opportunistic],
    ["over TLS with anybody", { answers: OFFERS_TLS }, opportunistic],
    ["without the offer", { answers: { EHLO: "250-x\r\n250 STARTTLS" } }, trusting],
  ] as const)("does not go %s: 5.7.30, and other mail does", async (_name, script, tls) => {
    await using peer = await startPeer(script);
    await using destination = destinationTo(peer, { ...options(), tls, maxConnections: 1 });
    expect(reportOf(await destination.deliver(secret)).replies).toMatchObject([
      { code: 550, detail: "7.30" },
    ]);
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions[0]?.messages).toHaveLength(1);
  });
});

test("REQUIRETLS that the host refuses after all is not dropped in a second attempt", async () => {
  await using peer = await startPeer({
    answers: { ...OFFERS_TLS, MAIL: (line) => (line.includes("REQUIRETLS") ? "555 5.5.4 what?" : "250 Ok") },
  });
  await using destination = destinationTo(peer, { tls: trusting });
  const outcome = await destination.deliver(messageOf({ requireTls: true }));
  expect(reportOf(outcome).replies).toMatchObject([{ code: 550, detail: "7.30" }]);
  expect(peer.sessions[0]?.messages).toEqual([]);
});

test('"TLS-Required: No" goes where TLS fails, other mail waits, and REQUIRETLS on it wins', async () => {
  await using peer = await startPeer();
  const usual = destinationTo(peer, { tls: required });
  const destination = new TlsWishes({
    usual,
    createRequiring: () => destinationTo(peer, { tls: trusting, requireTls: true }),
    createRelaxed: () => destinationTo(peer, { tls: opportunistic }),
  });
  const text = "Subject: x\r\nTLS-Required: No\r\n\r\nSubject\r\n";
  expect(codesOf(await destination.deliver(messageOf({ text })))).toEqual([250]);
  expect(unreachableOf(await destination.deliver(messageOf())).reply.detail).toBe("7.10");
  const both = await destination.deliver(messageOf({ text, requireTls: true }));
  expect(unreachableOf(both)).toMatchObject({ transient: false, reply: { code: 550, detail: "7.30" } });
  const inBody = await destination.deliver(messageOf({ text: "Subject: x\r\n\r\nTLS-Required: No\r\n" }));
  expect(unreachableOf(inBody).reply.detail).toBe("7.10");
  expect(destination.capacity).toBe(usual.capacity);
  await destination.close();
});

test("REQUIRETLS looks for a host that offers it among all of the destination, and comes back when there is none", async () => {
  await using clear = await startPeer();
  await using unknowing = await startPeer({ answers: { EHLO: "250-x\r\n250 STARTTLS" } });
  await using able = await startPeer({ answers: OFFERS_TLS });
  const hopsOf = (...peers: { port: number }[]): { host: string; port: number }[] =>
    peers.map(({ port }) => ({ host: "127.0.0.1", port }));
  const secret = messageOf({ requireTls: true });
  const settings = { tls: trusting, requireTls: true };
  await using some = destinationTo(able, { ...settings, nextHops: hopsOf(clear, unknowing, able) });
  expect(codesOf(await some.deliver(secret))).toEqual([250]);
  expect(able.sessions[0]?.lines).toContain("MAIL FROM:<alice@example.com> REQUIRETLS");
  await using none = destinationTo(able, { ...settings, nextHops: hopsOf(clear, unknowing) });
  const outcome = unreachableOf(await none.deliver(secret));
  expect(outcome).toMatchObject({ transient: false, reply: { code: 550, detail: "7.30" } });
  await using stranger = destinationTo(able, { tls: required, requireTls: true });
  expect(unreachableOf(await stranger.deliver(secret)).reply.detail).toBe("7.30");
});

describe("AUTH", () => {
  const CHALLENGE = "<1896.697170952@postoffice.example>";
  const PASSWORD: OutboundCredentials = { user: "tim", password: "tanstaaf", allowInClear: true };

  async function authLines(
    offered: string,
    credentials: OutboundCredentials,
    answers: NonNullable<PeerScript["answers"]> = {},
  ): Promise<{ lines: string[]; delivered: boolean; reason: string }> {
    await using peer = await startPeer({
      answers: {
        EHLO: `250-x\r\n250 AUTH ${offered}`,
        AUTH: "235 2.7.0 Ok",
        "*": "235 2.7.0 Ok",
        ...answers,
      },
    });
    await using destination = destinationTo(peer, { credentials, tls: { ...opportunistic, mode: "none" } });
    const outcome = await destination.deliver(messageOf());
    const lines = peer.sessions[0]?.lines.slice(1) ?? [];
    return {
      lines: lines.slice(0, lines.findIndex((line) => line.startsWith("MAIL")) >>> 0),
      delivered: outcome.kind === "report",
      reason: outcome.kind === "unreachable" ? outcome.reason : "",
    };
  }

  test.each([
    ["250 2.1.0 Ok", ["MAIL FROM:<alice@example.com> AUTH=<>"]],
    ["501 5.5.4 AUTH?", ["MAIL FROM:<alice@example.com> AUTH=<>", "MAIL FROM:<alice@example.com>"]],
  ])("vouches for no submitter at a host that knows us (RFC 4954), which says %s", async (said, mails) => {
    const answers = {
      EHLO: "250-x\r\n250 AUTH PLAIN",
      AUTH: "235 2.7.0 Ok",
      MAIL: (line: string) => (line.includes("AUTH=") ? said : "250 2.1.0 Ok"),
    };
    await using peer = await startPeer({ answers });
    const tls = { ...opportunistic, mode: "none" } as const;
    for (const credentials of [PASSWORD, undefined]) {
      await using destination = destinationTo(peer, { credentials, tls });
      expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    }
    const sent = peer.sessions.map(({ lines }) => lines.filter((line) => line.startsWith("MAIL")));
    expect(sent).toEqual([mails, ["MAIL FROM:<alice@example.com>"]]);
  });

  test("by CRAM-MD5 answers the challenge of RFC 2195 without showing the password", async () => {
    const answers = { AUTH: `334 ${Buffer.from(CHALLENGE).toString("base64")}` };
    const { lines, delivered } = await authLines("LOGIN PLAIN CRAM-MD5", PASSWORD, answers);
    const digest = createHmac("md5", "tanstaaf").update(CHALLENGE).digest("hex");
    expect(lines).toEqual(["AUTH CRAM-MD5", Buffer.from(`tim ${digest}`).toString("base64")]);
    expect(delivered).toBe(true);
  });

  test("takes the next mechanism when the strongest is not served, and none after a wrong password", async () => {
    const answers = { AUTH: (line: string) => (line.includes("CRAM") ? "504 5.5.4 no" : "535 5.7.8 wrong") };
    const { lines, reason } = await authLines("LOGIN PLAIN CRAM-MD5", PASSWORD, answers);
    expect(lines.map((line) => line.split(" ")[1])).toEqual(["CRAM-MD5", "PLAIN"]);
    expect(reason).toContain("535");
  });

  test("keeps to the mechanism that is set", async () => {
    const login = { AUTH: "334 VXNlcg==", "*": (line: string) => (line === "dGlt" ? "334 UA==" : "235 Ok") };
    const { lines } = await authLines("PLAIN LOGIN", { ...PASSWORD, mechanism: "LOGIN" }, login);
    expect(lines[0]).toBe("AUTH LOGIN");
    const { delivered, reason } = await authLines("LOGIN", { ...PASSWORD, mechanism: "CRAM-MD5" });
    expect(delivered).toBe(false);
    expect(reason).toContain("CRAM-MD5");
  });

  test("by XOAUTH2 asks for the token each time, and hears a refusal to its end", async () => {
    let reads = 0;
    const token = (): Promise<string> => Promise.resolve(`token-${++reads}`);
    const credentials: OutboundCredentials = { user: "tim@example.com", token, allowInClear: true };
    const { lines, delivered } = await authLines("PLAIN XOAUTH2", credentials);
    expect(delivered).toBe(true);
    expect(Buffer.from(lines[0]?.split(" ")[2] ?? "", "base64").toString()).toBe(
      "user=tim@example.com\u0001auth=Bearer token-1\u0001\u0001",
    );
    const refused = {
      AUTH: "334 eyJzdGF0dXMiOiI0MDAifQ==",
      "*": "535 5.7.8 expired",
      "": "535 5.7.8 expired",
    };
    const failure = await authLines("XOAUTH2", credentials, refused);
    expect(failure.lines).toHaveLength(2);
    expect(failure.lines[1]).toBe("");
    expect(failure.reason).toContain("535");
    expect(reads).toBe(2);
  });

  test("sends a token that is too long for a command line in its own turn", async () => {
    const token = (): Promise<string> => Promise.resolve("x".repeat(2000));
    const { lines } = await authLines(
      "XOAUTH2",
      { user: "tim", token, allowInClear: true },
      { AUTH: "334 " },
    );
    expect(lines[0]).toBe("AUTH XOAUTH2");
    expect(lines[1]?.length).toBeGreaterThan(2000);
  });

  test("a token that cannot be read keeps the mail", async () => {
    const token = (): Promise<string> => Promise.reject(new Error("no such file"));
    const { lines, reason } = await authLines("XOAUTH2", { user: "tim", token, allowInClear: true });
    expect(lines).toEqual([]);
    expect(reason).toContain("no such file");
  });
});

describe.each(BOTH_PATHS)("LMTP (RFC 2033), %s", (_, options) => {
  const to = ["a@x.example", "b@x.example", "c@x.example", "d@x.example"];
  const answers = {
    RCPT: (line: string) => (line.includes("b@") ? "550 5.1.1 nobody" : "250 2.1.5 Ok"),
    ".": "250 2.1.5 a has it\r\n452 4.2.2 c is full\r\n550-5.7.1 d\r\n550 5.7.1 refuses",
  };

  test("has LHLO, and a reply for each accepted recipient in the order of RCPT", async () => {
    await using peer = await startPeer({ answers });
    await using destination = destinationTo(peer, { ...options(), dialect: "lmtp", maxConnections: 1 });
    const report = reportOf(await destination.deliver(messageOf({ to })));
    expect(report.replies.map(({ code, detail }) => `${code} ${detail}`)).toEqual([
      "250 1.5",
      "550 1.1",
      "452 2.2",
      "550 7.1",
    ]);
    expect(peer.sessions[0]?.lines[0]).toBe("LHLO relay.example");
    expect(codesOf(await destination.deliver(messageOf({ to })))).toEqual([250, 550, 452, 550]);
    expect(peer.sessions).toHaveLength(1);
  });

  test("replies that come byte by byte are told apart, and a lost connection leaves the rest for later", async () => {
    const lost = (_line: string, { socket }: { socket: { end(): void } }): string => {
      setTimeout(() => socket.end(), 20);
      return "250 2.1.5 a has it";
    };
    await using whole = await startPeer({ answers, splitEvery: 1 });
    await using broken = await startPeer({ answers: { ...answers, ".": lost } });
    const codes: number[][] = [];
    for (const peer of [whole, broken]) {
      await using destination = destinationTo(peer, { ...options(), dialect: "lmtp" });
      codes.push(codesOf(await destination.deliver(messageOf({ to }))));
    }
    expect(codes).toEqual([
      [250, 550, 452, 550],
      [250, 550, 451, 451],
    ]);
  });

  test("a connection that breaks before the first reply may have delivered to all (N02)", async () => {
    await using peer = await startPeer({ answers: { ...answers, ".": DROP } });
    await using destination = destinationTo(peer, { ...options(), dialect: "lmtp" });
    expect(unreachableOf(await destination.deliver(messageOf({ to })))).toMatchObject({ mayDuplicate: true });
  });
});

test("LMTP to a program of this machine is not kept from mail with REQUIRETLS: nothing travels", async () => {
  await using peer = await startPeer();
  await using destination = destinationTo(peer, { dialect: "lmtp", maxConnections: 1 });
  expect(codesOf(await destination.deliver(messageOf({ requireTls: true })))).toEqual([250]);
  expect(peer.sessions[0]?.lines).toContain("MAIL FROM:<alice@example.com>");
});

test("LMTP goes through a socket of this machine", async () => {
  const folder = await mkdtemp(join(tmpdir(), "onarrival-lmtp-"));
  await using peer = await startPeer();
  const socketPath = join(folder, "lmtp");
  const door = createServer((socket) => {
    const behind = connect(peer.port, "127.0.0.1");
    socket.pipe(behind).pipe(socket);
  });
  await new Promise<void>((resolve) => void door.listen(socketPath, resolve));
  const destination = destinationTo(peer, {
    dialect: "lmtp",
    nextHops: [{ host: "localhost", port: 0, socketPath }],
  });
  expect(reportOf(await destination.deliver(messageOf())).remote).toBe(socketPath);
  await destination.close();
  await new Promise((resolve) => door.close(resolve));
  await rm(folder, { recursive: true });
  expect(peer.sessions[0]?.messages).toHaveLength(1);
});

describe.each(BOTH_PATHS)("XFORWARD, %s", (_, options) => {
  const origin = {
    via: "smtp",
    arrivalTime: 0,
    server: "default",
    clientAddress: "2001:db8::1",
    clientPort: 40_025,
    clientName: "client.example",
    protocol: "UTF8SMTPS",
    heloDomain: "client=example",
  } as const;
  const offering = (...more: string[]): { EHLO: string } => ({
    EHLO: [
      "250-x",
      "250-XFORWARD NAME ADDR PORT PROTO HELO SOURCE IDENT",
      ...more.map((one) => `250-${one}`),
      "250 HELP",
    ].join("\r\n"),
  });

  async function linesOf(
    answers: NonNullable<PeerScript["answers"]>,
    more: Partial<Origin> = {},
    xforward = true,
  ): Promise<string[]> {
    await using peer = await startPeer({ answers });
    await using destination = destinationTo(peer, { ...options(), xforward, maxConnections: 1 });
    const message = { ...messageOf(), origin: { ...origin, ...more } };
    expect(codesOf(await destination.deliver(message))).toEqual([250]);
    return peer.sessions[0]?.lines.slice(1, -2) ?? [];
  }

  test("tells a listed host that offers it of our client, and nobody else", async () => {
    const line =
      "XFORWARD NAME=client.example ADDR=IPV6:2001:db8::1 PORT=40025 PROTO=UTF8SMTPS HELO=client+3Dexample IDENT=m1 SOURCE=REMOTE";
    for (const more of [["PIPELINING"], []]) {
      expect(await linesOf(offering(...more))).toEqual([line, "MAIL FROM:<alice@example.com>"]);
      expect(await linesOf(offering(...more), {}, false)).toEqual(["MAIL FROM:<alice@example.com>"]);
    }
    expect(await linesOf({})).toEqual(["MAIL FROM:<alice@example.com> SIZE=25"]);
  });

  test("passes on what a proxy said, in as many lines as it needs, and does not mind a refusal", async () => {
    const forwarded = {
      NAME: `${"n".repeat(49)}.`.repeat(4) + "n".repeat(50),
      ADDR: "192.0.2.7",
      HELO: "h".repeat(250),
      SOURCE: "LOCAL",
    };
    const lines = await linesOf({ ...offering("PIPELINING"), XFORWARD: "501 5.5.4 no" }, { forwarded });
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(
      /^XFORWARD NAME=[n.]{250} ADDR=192\.0\.2\.7 PORT=\[UNAVAILABLE\] PROTO=\[UNAVAILABLE\]$/,
    );
    expect(lines[1]).toMatch(/^XFORWARD HELO=h{250} IDENT=m1 SOURCE=LOCAL$/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(510);
  });

  test("writes the address that a proxy told as it has to be, and says of nobody what is not known", async () => {
    const behind = await linesOf(offering(), { forwarded: { ADDR: "2001:db8::7", IDENT: "a1" } });
    expect(behind[0]).toContain(" ADDR=IPV6:2001:db8::7 ");
    expect(behind[0]).toContain(" IDENT=a1 SOURCE=[UNAVAILABLE]");
    const old = await linesOf(offering(), {
      clientName: undefined,
      clientPort: undefined,
      protocol: undefined,
    });
    expect(old[0]).toContain(
      "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1 PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE]",
    );
    expect((await linesOf(offering(), { via: "dsn" }))[0]).toMatch(/ HELO=\[UNAVAILABLE\] .*SOURCE=LOCAL$/);
  });

  test.each(["not a name", "-..", "a..b", "caf\u00e9.example", `${"n".repeat(64)}.example`])(
    "the name %j of a client does not cost the next hop its address",
    async (clientName) => {
      const [line] = await linesOf(offering(), { clientName });
      expect(line).toMatch(/^XFORWARD NAME=\[UNAVAILABLE\] ADDR=IPV6:2001:db8::1 /);
    },
  );
});
