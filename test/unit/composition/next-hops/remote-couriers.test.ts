// The way from onarrival.yaml to what a next hop sees: routes, TLS, credentials and limits of single destinations.
import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { routerSettings } from "../../../../src/composition/settings.ts";
import { domainFlag } from "../../../../src/events/contexts/domain-contexts.ts";
import { eventually } from "../../../support/eventually.ts";
import type { DeliveryOutcome } from "../../../../src/smtp/client/destination.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import {
  certificate,
  STALL,
  codesOf,
  messageOf,
  reportOf,
  startPeer,
  unreachableOf,
} from "../../smtp/client/support.ts";
import { firstServer, wayOut } from "./way-out.ts";

const OFFERS_TLS = { EHLO: "250-peer.example\r\n250-PIPELINING\r\n250 STARTTLS" };
const fingerprint = new X509Certificate(certificate).fingerprint256;
const authorities = { "ca.pem": certificate };

describe("a destination of the settings", () => {
  test("is the first that matches, and has its own limits", async () => {
    await using peer = await startPeer();
    await using out = await wayOut(
      `mx: true, destinations: [
        { to: "slow.example", maxConnections: 2, messagesPerConnection: 1 },
        { to: "*.example", maxConnections: 7 }, { to: "slow.example", maxConnections: 9 } ]`,
      peer,
    );
    expect(
      ["a@slow.example", "a@x.slow.example", "a@example", "a@other.test"].map((to) => out.to(to).capacity),
    ).toEqual([2, 7, 20, 20]);
    const courier = out.to("a@slow.example");
    for (let count = 0; count < 3; count += 1)
      expect(codesOf(await courier.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(3);
  });

  test("is the same in both spellings of its domain", async () => {
    await using peer = await startPeer();
    const entries = `{ to: "bücher.example", maxConnections: 2 }, { to: "*.xn--strae-oqa.example", maxConnections: 3 }`;
    await using out = await wayOut(`mx: true, destinations: [${entries}]`, peer);
    const capacities = ["a@xn--bcher-kva.example", "a@BÜCHER.example", "a@x.straße.example"].map(
      (to) => out.to(to).capacity,
    );
    expect(capacities).toEqual([2, 2, 3]);
  });

  test("keeps the status code of each recipient", async () => {
    const RCPT = (line: string): string =>
      line.includes("b@") ? "550 5.1.1 nobody" : line.includes("c@") ? "452 4.2.2 full" : "250 2.1.5 Ok";
    await using peer = await startPeer({ answers: { RCPT } });
    await using out = await wayOut("mx: true", peer);
    const to = ["a@x.test", "b@x.test", "c@x.test"];
    expect(reportOf(await out.to("a@x.test").deliver(messageOf({ to }))).replies).toMatchObject([
      { code: 250, detail: "0.0" },
      { code: 550, detail: "1.1" },
      { code: 452, detail: "2.2" },
    ]);
  });

  test.each([
    ["none", `tls: none`, false],
    ["opportunistic", `tls: opportunistic`, true],
    ["encrypted", `tls: encrypted`, true],
    ["required with its authority", `tls: required, authoritiesFile: ca.pem`, true],
    [
      "required with another name in the certificate",
      `tls: required, authoritiesFile: ca.pem, names: [localhost]`,
      true,
    ],
    ["pinned, hex", `tls: pinned, fingerprints: ["sha256:${fingerprint}"]`, true],
    [
      "pinned, base64",
      `tls: pinned, fingerprints: ["${Buffer.from(fingerprint.replaceAll(":", ""), "hex").toString("base64")}"]`,
      true,
    ],
    ["required of a stranger", `tls: required`, undefined],
    ["required of another name", `tls: required, authoritiesFile: ca.pem, names: [mx.example]`, undefined],
    ["pinned to another", `tls: pinned, fingerprints: ["${"00".repeat(32)}"]`, undefined],
  ])("has its TLS policy: %s (N06)", async (_, policy, encrypted) => {
    await using peer = await startPeer({ answers: OFFERS_TLS });
    await using out = await wayOut(
      `mx: true, destinations: [{ to: "x.test", ${policy} }]`,
      peer,
      authorities,
    );
    const outcome = await out.to("a@x.test").deliver(messageOf());
    if (encrypted === undefined) expect(unreachableOf(outcome).reply.detail).toBe("7.5");
    else expect(codesOf(outcome)).toEqual([250]);
    expect(peer.sessions[0]?.messages).toHaveLength(encrypted === undefined ? 0 : 1);
    if (encrypted !== undefined) expect(peer.sessions[0]?.encrypted).toBe(encrypted);
  });

  test("takes mail with REQUIRETLS only when it offers that and is proven, whatever its policy", async () => {
    await using plain = await startPeer();
    await using able = await startPeer({ answers: { EHLO: "250-x\r\n250-REQUIRETLS\r\n250 STARTTLS" } });
    const codes: (number | undefined)[] = [];
    for (const peer of [plain, able]) {
      await using out = await wayOut(
        `mx: true, destinations: [{ to: "x.test", authoritiesFile: ca.pem }]`,
        peer,
        authorities,
      );
      const courier = out.to("a@x.test");
      expect(codesOf(await courier.deliver(messageOf()))).toEqual([250]);
      const outcome = await courier.deliver(messageOf({ requireTls: true }));
      codes.push(outcome.kind === "report" ? outcome.report.replies[0]?.code : outcome.reply.code);
    }
    expect(codes).toEqual([550, 250]);
  });

  test('honours "TLS-Required: No" unless that is to be ignored', async () => {
    await using peer = await startPeer();
    for (const [setting, kind] of [
      ["honour", "report"],
      ["ignore", "unreachable"],
    ]) {
      await using out = await wayOut(`mx: true, startTls: required, tlsRequiredNo: ${setting}`, peer);
      const message = messageOf({ text: "TLS-Required: no\r\n\r\n" });
      expect((await out.to("a@x.test").deliver(message)).kind).toBe(kind);
    }
  });

  test("is told of the client when it is listed for that", async () => {
    await using peer = await startPeer({ answers: { EHLO: "250-x\r\n250 XFORWARD NAME ADDR" } });
    await using out = await wayOut(`mx: true, destinations: [{ to: "inside.test", xforward: true }]`, peer);
    const origin = { via: "smtp", arrivalTime: 0, server: "default", clientAddress: "192.0.2.1" } as const;
    for (const to of ["a@inside.test", "a@outside.test"])
      expect(codesOf(await out.to(to).deliver({ ...messageOf(), origin }))).toEqual([250]);
    expect(peer.sessions.map(({ lines }) => lines.filter((line) => line.startsWith("XF")))).toEqual([
      ["XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.1"],
      [],
    ]);
  });
});

describe("a smart host", () => {
  test("of smtps:// speaks TLS from the first byte and must be whom it is meant to be", async () => {
    await using peer = await startPeer({ implicitTls: true });
    const smartHost = `smartHost: "smtps://127.0.0.1:${peer.port}"`;
    const entry = (more: string): string =>
      `${smartHost}, destinations: [{ to: "127.0.0.1:${peer.port}", ${more} }]`;
    for (const [delivery, kind] of [
      [smartHost, "unreachable"],
      [entry("authoritiesFile: ca.pem"), "report"],
      [entry("tls: encrypted"), "report"],
    ] as const) {
      await using out = await wayOut(delivery, peer, authorities);
      expect((await out.to("a@x.test").deliver(messageOf())).kind).toBe(kind);
    }
  });

  test("gets the token that its file has now", async () => {
    const EHLO = "250-x\r\n250 AUTH XOAUTH2 PLAIN";
    await using peer = await startPeer({ answers: { EHLO, AUTH: "235 2.7.0 Ok" } });
    const auth = "auth: { user: u, tokenFile: token, allowInClear: true }";
    await using out = await wayOut(`smartHost: "127.0.0.1:${peer.port}", ${auth}`, peer, { token: "one\n" });
    const courier = out.to("a@x.test");
    expect(codesOf(await courier.deliver(messageOf()))).toEqual([250]);
    await writeFile(path.join(out.folder, "token"), "two\n");
    peer.sessions[0]?.socket.destroy();
    expect(codesOf(await courier.deliver(messageOf()))).toEqual([250]);
    const said = peer.sessions.map(({ lines }) =>
      Buffer.from(lines.find((line) => line.startsWith("AUTH"))?.split(" ")[2] ?? "", "base64").toString(),
    );
    expect(said.map((response) => /Bearer (\w+)/.exec(response)?.[1])).toEqual(["one", "two"]);
  });

  test("of lmtp:// speaks LMTP, and so does the server of local mail", async () => {
    await using peer = await startPeer();
    const server = `127.0.0.1:${peer.port}`;
    await using out = await wayOut(`smartHost: "lmtp://${server}", lmtp: "${server}"`, peer);
    expect(codesOf(await out.to("a@x.test").deliver(messageOf()))).toEqual([250]);
    expect(codesOf(await out.to("a@here.example").deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.flatMap(({ lines }) => lines[0])).toEqual(["LHLO relay.example"]);
  });
});

test("LMTP goes to a socket of this machine when the settings name its path", async () => {
  await using folder = await tempFolder();
  const file = path.join(folder.path, "onarrival.yaml");
  await writeFile(
    file,
    "virtualServers: [{ delivery: { lmtp: /run/lmtp, smartHost: 'lmtp:///run/other' } }]\n",
  );
  const { lmtp, remote } = routerSettings(await firstServer(file));
  expect(lmtp).toEqual({ host: "localhost", port: 0, socketPath: "/run/lmtp" });
  expect(remote).toEqual({ kind: "lmtp", host: "localhost", port: 0, socketPath: "/run/other" });
});

test.each([
  ["lmtp: store.test", "smartHost: 'lmtp://store.test'", 24],
  ["lmtp: 'store.test:24'", "smartHost: 'lmtp://store.test', port: 2003", 2003],
  ["lmtp: store.test", "smartHost: 'lmtp://store.test:2525', port: 2003", 2525],
])(
  "an LMTP server that is named without a port is not asked at port 25: %s, %s",
  async (own, others, port) => {
    await using folder = await tempFolder();
    const file = path.join(folder.path, "onarrival.yaml");
    await writeFile(file, `virtualServers: [{ delivery: { ${own}, ${others} } }]\n`);
    const { lmtp, remote } = routerSettings(await firstServer(file));
    expect(lmtp).toEqual({ host: "store.test", port: 24 });
    expect(remote).toEqual({ kind: "lmtp", host: "store.test", port });
  },
);

describe("settings that cannot be meant", () => {
  test.each([
    ["pinned without fingerprints", `mx: true, destinations: [{ to: x.test, tls: pinned }]`, "fingerprints"],
    [
      "a fingerprint that is none",
      `destinations: [{ to: x.test, tls: pinned, fingerprints: [abc] }]`,
      "SHA-256",
    ],
    ["implicit TLS that is none", `destinations: [{ to: x.test, tls: none, implicit: true }]`, "implicit"],
    ["two secrets", `smartHost: h, auth: { user: u, password: p, tokenFile: t }`, "one of password"],
    [
      "XOAUTH2 with a password",
      `smartHost: h, auth: { user: u, password: p, mechanism: XOAUTH2 }`,
      "tokenFile",
    ],
    ["AUTH over LMTP", `smartHost: "lmtp://h", auth: { user: u, password: p }`, "LMTP"],
    ["a socket that is no LMTP server's", `smartHost: "/run/smtp"`, "HOST"],
    [
      "an authorities file that is not there",
      `destinations: [{ to: "*", authoritiesFile: no.pem }]`,
      "authoritiesFile",
    ],
  ])("%s", async (_, delivery, told) => {
    await using peer = await startPeer();
    await expect(wayOut(delivery, peer)).rejects.toThrow(told);
  });
});

describe("what sinks say of the way", () => {
  test("a peer that a router names is spoken to past the entries of the destinations, and gets no credentials", async () => {
    await using peer = await startPeer({ answers: { EHLO: "250-peer.example\r\n250 AUTH PLAIN" } });
    const host = "127.0.0.1";
    const route = { kind: "smart-host", key: "hop", host, port: peer.port } as const;
    const delivery = `smartHost: "${host}:${peer.port}", destinations: [{ to: "${host}", tls: encrypted }],
      auth: { user: me, password: secret, allowInClear: true }`;
    await using out = await wayOut(delivery, peer);
    expect(unreachableOf(await out.by(route).deliver(messageOf())).reply.text).toContain("TLS is required");
    const direct = out.by({ ...route, key: "hop (peer)", isPeer: true });
    expect(codesOf(await direct.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.flatMap(({ lines }) => lines).filter((line) => line.startsWith("AUTH"))).toEqual([]);
  });

  test("flags of a domain count for its exchangers, those of a smart host for it", async () => {
    await using peer = await startPeer();
    const flagsOf = (domain: string): number =>
      domain === "old.example" || domain === "127.0.0.1" ? domainFlag.heloOnly : 0;
    await using out = await wayOut("mx: true", peer, {}, { flagsOf });
    for (const to of ["a@old.example", "a@new.example"]) await out.to(to).deliver(messageOf({ to: [to] }));
    await using hub = await wayOut(`smartHost: "127.0.0.1:${peer.port}"`, peer, {}, { flagsOf });
    await hub.to("a@new.example").deliver(messageOf({ to: ["a@new.example"] }));
    expect(peer.sessions.map(({ lines }) => lines[0])).toEqual([
      "HELO relay.example",
      "EHLO relay.example",
      "HELO relay.example",
    ]);
  });

  test("flags of a domain with a smart host of its own count there, whatever host that is", async () => {
    await using peer = await startPeer();
    const flagsOf = (domain: string): number => (domain === "bank.example" ? domainFlag.requireTls : 0);
    const host = `smartHost: "127.0.0.1:${peer.port}"`;
    const domains = `remote: [{ name: bank.example, ${host} }, { name: other.example, ${host} }]`;
    await using out = await wayOut("", peer, {}, { domains, flagsOf });
    const deliver = (to: string): Promise<DeliveryOutcome> => out.to(to).deliver(messageOf({ to: [to] }));
    expect(unreachableOf(await deliver("a@bank.example")).reply).toMatchObject({ code: 451, detail: "7.10" });
    expect(codesOf(await deliver("a@other.example"))).toEqual([250]);
  });

  test("flags of a smart host count also where the mail exchangers go before it", async () => {
    await using peer = await startPeer({
      answers: { EHLO: (_line, { number }) => (number === 1 ? "421 4.3.2 not now" : "250 hub.example") },
    });
    const flagsOf = (domain: string): number => (domain === "127.0.0.1" ? domainFlag.heloOnly : 0);
    await using out = await wayOut(
      `smartHost: "127.0.0.1:${peer.port}", directFirst: true`,
      peer,
      {},
      { flagsOf },
    );
    expect(codesOf(await out.to("a@x.test").deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions.map(({ lines }) => lines[0])).toEqual(["EHLO relay.example", "HELO relay.example"]);
  });
});

describe("the end of the time to finish", () => {
  test.each([
    ["a smart host", (port: number) => `smartHost: "127.0.0.1:${port}"`],
    ["mail exchangers", () => "mx: true"],
    [
      "mail exchangers that go before a smart host",
      (port: number) => `smartHost: "127.0.0.1:${port}", directFirst: true`,
    ],
    ["an LMTP server", (port: number) => `smartHost: "lmtp://127.0.0.1:${port}"`],
  ])(
    "breaks off what is under way to %s, waits included, and takes nothing more",
    async (_what, delivery) => {
      await using peer = await startPeer({ answers: { greeting: STALL } });
      await using out = await wayOut(
        delivery(peer.port),
        peer,
        {},
        { more: "outbound: { maxConnectionsPerDestination: 1 }" },
      );
      const courier = out.to("a@x.test");
      const delivering = [messageOf(), messageOf()].map((message) => courier.deliver(message));
      await eventually(() => peer.sessions.length === 1);
      out.cutOff.now();
      for (const outcome of await Promise.all(delivering))
        expect(unreachableOf(outcome).reply).toMatchObject({ code: 451, detail: "3.2" });
      expect(unreachableOf(await courier.deliver(messageOf())).reason).toContain("closing");
      await eventually(() => peer.sessions.every(({ socket }) => socket.closed));
      await courier.close();
    },
  );

  test.each([{ requireTls: true } as const, {}])("opens nothing more for a message with %j", async (wish) => {
    await using peer = await startPeer();
    await using out = await wayOut(`smartHost: "127.0.0.1:${peer.port}"`, peer);
    const courier = out.to("a@x.test");
    await courier.close();
    expect(unreachableOf(await courier.deliver(messageOf(wish))).reason).toContain("closing");
    expect(peer.sessions).toEqual([]);
  });
});
