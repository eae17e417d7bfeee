// Remote domains with a way of their own, and what the settings of the original do to mail on its way out (REFERENCE 6.5).
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import type { SignOutbound } from "../../../../src/smtp/client/destination.ts";
import {
  type Answer,
  certificate,
  codesOf,
  DROP,
  messageOf,
  type Peer,
  reportOf,
  startPeer,
  unreachableOf,
} from "../../smtp/client/support.ts";
import { protocolOf } from "../../smtp/client/watched.ts";
import { wayOut } from "./way-out.ts";

const OFFERS_AUTH = { EHLO: "250-x\r\n250 AUTH PLAIN", AUTH: "235 2.7.0 Ok" };
const said = (peer: Peer, verb: string): string[] =>
  peer.sessions.flatMap(({ lines }) => lines.filter((line) => line.startsWith(verb)));

/** A port that nobody listens on. */
async function deadPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  await new Promise((resolve) => void server.close(resolve));
  return bound !== null && typeof bound === "object" ? bound.port : 0;
}

describe("a remote domain", () => {
  test("has its own smart host with its own credentials, its subdomains included; others keep theirs", async () => {
    await using usual = await startPeer({ answers: OFFERS_AUTH });
    await using own = await startPeer({ answers: OFFERS_AUTH });
    const auth = (user: string): string => `auth: { user: ${user}, password: p, allowInClear: true }`;
    await using out = await wayOut(
      `smartHost: "127.0.0.1:${usual.port}", ${auth("general")}`,
      usual,
      {},
      {
        domains: `remote: [{ name: "*.partner.test", smartHost: "[127.0.0.1]:${own.port}", ${auth("special")} }]`,
      },
    );
    for (const to of ["a@x.partner.test", "a@partner.test", "a@other.test"])
      expect(codesOf(await out.to(to).deliver(messageOf({ to: [to] })))).toEqual([250]);
    expect(said(own, "RCPT")).toEqual(["RCPT TO:<a@x.partner.test>"]);
    expect(said(usual, "RCPT")).toEqual(["RCPT TO:<a@partner.test>", "RCPT TO:<a@other.test>"]);
    const user = (peer: Peer): string | undefined =>
      Buffer.from(said(peer, "AUTH")[0]?.split(" ")[2] ?? "", "base64")
        .toString()
        .split("\0")[1];
    expect([user(own), user(usual)]).toEqual(["special", "general"]);
  });

  test("is asked by its own smart host for what an entry of the destinations asks of the domain", async () => {
    await using own = await startPeer();
    await using out = await wayOut(
      `mx: true, destinations: [{ to: bank.test, tls: encrypted }, { to: "*.shop.test", maxConnections: 3 }]`,
      own,
      {},
      {
        domains: `remote: [{ name: bank.test, smartHost: "127.0.0.1:${own.port}" }, { name: "*.shop.test", smartHost: "127.0.0.1:${own.port}" }]`,
      },
    );
    const outcome = await out.to("a@bank.test").deliver(messageOf({ to: ["a@bank.test"] }));
    expect(unreachableOf(outcome).reply.detail).toBe("7.10");
    expect(out.to("a@x.shop.test").capacity).toBe(3);
    expect(said(own, "MAIL")).toEqual([]);
  });

  test("is what sinks of the session are told of the route, a smart host otherwise", async () => {
    const seen: unknown[] = [];
    const protocol = protocolOf({
      OnSessionStart: [{ onEvent: ({ session }) => void seen.push(session.routeAddress) }],
    });
    await using peer = await startPeer();
    const choices = { protocol, domains: "remote: [{ name: partner.test, mx: true }]" };
    await using out = await wayOut(`smartHost: "127.0.0.1:${peer.port}"`, peer, {}, choices);
    for (const to of ["a@partner.test", "a@other.test"]) await out.to(to).deliver(messageOf({ to: [to] }));
    expect(seen).toEqual(["partner.test", "127.0.0.1"]);
  });

  test("is asked for TLS where it is required, and its exchangers are asked past the smart host", async () => {
    await using plain = await startPeer();
    await using out = await wayOut(
      `smartHost: "127.0.0.1:${await deadPort()}"`,
      plain,
      {},
      {
        domains: `remote: [{ name: safe.test, mx: true, startTls: required, port: ${plain.port} }, { name: mx.test, mx: true }]`,
      },
    );
    expect(unreachableOf(await out.to("a@safe.test").deliver(messageOf())).reply.detail).toBe("7.10");
    expect(codesOf(await out.to("a@mx.test").deliver(messageOf()))).toEqual([250]);
    expect(unreachableOf(await out.to("a@other.test").deliver(messageOf())).transient).toBe(true);
  });

  test("may speak TLS from the first byte at the port for that", async () => {
    await using peer = await startPeer({ implicitTls: true });
    await using out = await wayOut(
      `securePort: ${peer.port}, destinations: [{ to: "127.0.0.1", authoritiesFile: ca.pem }]`,
      peer,
      { "ca.pem": certificate },
      { domains: `remote: [{ name: safe.test, smartHost: "smtps://127.0.0.1" }]` },
    );
    expect(codesOf(await out.to("a@safe.test").deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions[0]?.encrypted).toBe(true);
  });

  test.each([
    ["both ways", `remote: [{ name: x.test, mx: true, smartHost: h }]`, "exclude each other"],
    ["a local domain", `remote: [{ name: here.example }]`, "is a local domain"],
    ["the same twice", `remote: [{ name: x.test }, { name: X.test }]`, "earlier remote domain"],
    ["a password without a host", `remote: [{ name: x.test, auth: { user: u, password: p } }]`, "smartHost"],
    [
      "a password file that is not there",
      `remote: [{ name: x.test, smartHost: h, auth: { user: u, passwordFile: no } }]`,
      "domains.remote[0].auth.passwordFile",
    ],
  ])("cannot be %s", async (_, domains, told) => {
    await expect(wayOut("mx: true", { port: 25 }, {}, { domains })).rejects.toThrow(told);
  });
});

describe("direct delivery before the smart host (SmartHostType 1)", () => {
  test("lets the smart host have what the exchangers of the domain were not reached for", async () => {
    await using smart = await startPeer();
    const delivery = `smartHost: "127.0.0.1:${smart.port}", directFirst: true`;
    await using out = await wayOut(delivery, { port: await deadPort() });
    for (const to of ["a@one.test", "b@two.test"])
      expect(codesOf(await out.to(to).deliver(messageOf({ to: [to] })))).toEqual([250]);
    // One connection for both domains.
    expect(smart.sessions).toHaveLength(1);
  });

  test("takes the word of whoever answers, and sends nothing twice", async () => {
    await using smart = await startPeer();
    const delivery = `smartHost: "127.0.0.1:${smart.port}", directFirst: true`;
    const scripts: readonly Record<string, Answer>[] = [
      { RCPT: "550 5.1.1 nobody" },
      { RCPT: "450 4.2.0 later" },
      { ".": DROP },
    ];
    for (const answers of scripts) {
      await using direct = await startPeer({ answers });
      await using out = await wayOut(delivery, direct);
      const outcome = await out.to("a@x.test").deliver(messageOf());
      expect(outcome.kind === "report" ? codesOf(outcome)[0] : unreachableOf(outcome).mayDuplicate).toBeOneOf(
        [550, 450, true],
      );
    }
    expect(smart.sessions).toEqual([]);
  });

  test.each([
    ["without a smart host", "directFirst: true"],
    ["with one that speaks LMTP", "directFirst: true, smartHost: 'lmtp://h'"],
  ])("cannot be %s", async (_, delivery) => {
    await expect(wayOut(delivery, { port: 25 })).rejects.toThrow("directFirst needs a smartHost");
  });
});

describe("mail on its way out", () => {
  test("goes in several transactions when it has more recipients than one may have", async () => {
    await using peer = await startPeer({
      answers: { RCPT: (line) => (line.includes("r3@") ? "550 5.1.1 nobody" : "250 2.1.5 Ok") },
    });
    await using out = await wayOut("mx: true", peer, {}, { more: "outbound: { maxRecipients: 2 }" });
    const to = [1, 2, 3, 4, 5].map((number) => `r${number}@x.test`);
    const outcome = await out.to("r1@x.test").deliver(messageOf({ to }));
    expect(codesOf(outcome)).toEqual([250, 250, 550, 250, 250]);
    expect(said(peer, "MAIL")).toHaveLength(3);
    expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([3]);
  });

  test("keeps the answers it has when the next hop is lost between the transactions", async () => {
    let mails = 0;
    await using peer = await startPeer({
      answers: { MAIL: () => (++mails > 1 ? "421 4.3.2 bye" : "250 Ok") },
    });
    await using out = await wayOut("mx: true", peer, {}, { more: "outbound: { maxRecipients: 1 }" });
    const outcome = await out.to("a@x.test").deliver(messageOf({ to: ["a@x.test", "b@x.test", "c@x.test"] }));
    expect(reportOf(outcome).replies.map(({ code }) => code)).toEqual([250, 421, 421]);
  });

  test("uses the extensions of the next hop that the settings leave it", async () => {
    const EHLO = "250-x\r\n250-PIPELINING\r\n250-SIZE 10\r\n250-DSN\r\n250 8BITMIME";
    await using peer = await startPeer({ answers: { EHLO } });
    const outbound = "outbound: { pipelining: false, keywords: [8BITMIME] }";
    await using out = await wayOut("mx: true", peer, {}, { more: outbound });
    const message = messageOf({ to: [{ address: "a@x.test", notify: ["NEVER"] }], body: "8BITMIME" });
    expect(codesOf(await out.to("a@x.test").deliver(message))).toEqual([250]);
    expect(said(peer, "MAIL")[0]).toMatch(/> BODY=8BITMIME$/);
    expect(said(peer, "RCPT")).toEqual(["RCPT TO:<a@x.test>"]);
  });

  test("shows the masquerade domain to other hosts, and local addresses to the mail store", async () => {
    await using peer = await startPeer();
    const server = `127.0.0.1:${peer.port}`;
    await using out = await wayOut(`mx: true, masqueradeDomain: shown.example, lmtp: "${server}"`, peer);
    const message = messageOf({
      sender: "a@here.example",
      text: "From: a@here.example\r\n\r\na@here.example\r\n",
    });
    for (const to of ["b@x.test", "b@here.example"])
      expect(codesOf(await out.to(to).deliver(message))).toEqual([250]);
    expect(said(peer, "MAIL").map((line) => line.split(" ")[1])).toEqual([
      "FROM:<a@shown.example>",
      "FROM:<a@here.example>",
    ]);
    expect(peer.sessions.flatMap(({ messages }) => messages)).toEqual([
      "From: a@shown.example\r\n\r\na@here.example\r\n.\r\n",
      "From: a@here.example\r\n\r\na@here.example\r\n.\r\n",
    ]);
  });

  test("is signed as others see it", async () => {
    await using peer = await startPeer();
    const signed: string[] = [];
    const sign: SignOutbound = ({ sender, content }) => {
      signed.push(sender, content.header.toString());
      return content;
    };
    await using out = await wayOut("mx: true, masqueradeDomain: shown.example", peer, {}, { sign });
    const message = messageOf({ sender: "a@here.example", text: "From: a@here.example\r\n\r\nx\r\n" });
    expect(codesOf(await out.to("b@x.test").deliver(message))).toEqual([250]);
    expect(signed).toEqual(["a@shown.example", "From: a@shown.example\r\n\r\n"]);
  });
});
