import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { readProxyHeader } from "../../../../src/smtp/server/proxy-header.ts";
import { defaultSmtpServerSettings } from "../../../../src/smtp/server/settings.ts";
import {
  parseClientAttributes,
  XCLIENT_ATTRIBUTES,
  XFORWARD_ATTRIBUTES,
} from "../../../../src/smtp/server/xclient.ts";
import { quickHash } from "../../../support/quick-hash.ts";
import { type RunningListener, startListener, Talk } from "./support.ts";

const pem = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/tls/${name}.pem`, import.meta.url), "utf8");

const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

function binaryHeader(family: number, addresses: Buffer, command = 1): Buffer {
  const head = Buffer.from([0x20 | command, family, addresses.length >> 8, addresses.length & 0xff]);
  return Buffer.concat([SIGNATURE, head, addresses]);
}

const V4 = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 25]);
const MAPPED = Buffer.from(`${"0".repeat(20)}ffffc0000207${"0".repeat(20)}ffffc633640130390019`, "hex");
const V6 = Buffer.from("20010db800000000000000000000000720010db800000000000000000000000130390019", "hex");

const trusting = { trust: { proxy: ["127.0.0.0/8"], xclient: [], xforward: [] } };
const xtrusting = { trust: { proxy: [], xclient: ["127.0.0.1"], xforward: ["127.0.0.1"] } };

describe("the header of the PROXY protocol", () => {
  test.each([
    ["version 1", Buffer.from("PROXY TCP4 192.0.2.7 198.51.100.1 12345 25\r\n"), "192.0.2.7"],
    ["version 1, IPv6", Buffer.from("PROXY TCP6 2001:db8::7 2001:db8::1 12345 25\r\n"), "2001:db8::7"],
    ["version 1, unknown", Buffer.from("PROXY UNKNOWN\r\n"), undefined],
    ["version 2", binaryHeader(0x11, V4), "192.0.2.7"],
    ["version 2, IPv6", binaryHeader(0x21, V6), "2001:db8::7"],
    [
      "version 1, IPv4 mapped",
      Buffer.from("PROXY TCP6 ::ffff:c000:207 ::ffff:198.51.100.1 12345 25\r\n"),
      "192.0.2.7",
    ],
    ["version 2, IPv4 mapped", binaryHeader(0x21, MAPPED), "192.0.2.7"],
    ["version 2 with a TLV", binaryHeader(0x11, Buffer.concat([V4, Buffer.from([4, 0, 1, 0])])), "192.0.2.7"],
    ["version 2, local", binaryHeader(0, Buffer.alloc(0), 0), undefined],
  ])("%s names the client, however it is cut", (_, header, address) => {
    for (let length = 0; length < header.length; length += 1)
      expect(readProxyHeader(header.subarray(0, length)).kind).toBe("more");
    const whole = readProxyHeader(Buffer.concat([header, Buffer.from("EHLO x\r\n")]));
    expect(whole).toMatchObject({
      kind: "client",
      length: header.length,
      client: { remoteAddress: address },
    });
  });

  test.each([
    ["a line that is none", Buffer.from("EHLO client.example.net\r\n")],
    ["an address that is none", Buffer.from("PROXY TCP4 192.0.2.300 198.51.100.1 1 2\r\n")],
    ["the other family", Buffer.from("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n")],
    ["S20 a line without end", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`)],
    ["S20 a binary header beyond its bound", binaryHeader(0x11, Buffer.alloc(2000))],
    ["version 3", Buffer.concat([SIGNATURE, Buffer.from([0x31, 0x11, 0, 12]), V4])],
    ["Unix sockets", binaryHeader(0x31, Buffer.alloc(216))],
    ["addresses cut short", binaryHeader(0x11, V4.subarray(0, 8))],
  ])("%s is refused", (_, bytes) => {
    expect(readProxyHeader(bytes).kind).toBe("invalid");
  });
});

describe("a listener behind a balancer", () => {
  test("takes the client of the header for the one who may relay, and records it", async () => {
    await using run = await startListener({
      settings: { ...trusting, relayNetworks: ["192.0.2.0/24"] },
    });
    const talk = await run.open();
    talk.write(Buffer.concat([binaryHeader(0x11, V4), Buffer.from("")]));
    expect(await talk.greet()).toContain("Hello [192.0.2.7]");
    await talk.say("MAIL FROM:<a@example.net>");
    expect(await talk.say("RCPT TO:<x@elsewhere.org>")).toMatch(/^250/);
    await talk.say("DATA");
    await talk.say("Subject: x\r\n\r\n.");
    expect(run.intake.messages[0]?.origin).toMatchObject({ clientAddress: "192.0.2.7", clientPort: 12_345 });
  });

  test("an IPv4 client that came in over IPv6 is the client that relay.networks shuts out", async () => {
    await using run = await startListener({
      settings: { ...trusting, relayNetworks: ["192.0.2.0/24"], relayMode: "except" },
    });
    const talk = await run.open();
    talk.write(binaryHeader(0x21, MAPPED));
    expect(await talk.greet()).toContain("Hello [192.0.2.7]");
    await talk.say("MAIL FROM:<a@example.net>");
    expect(await talk.say("RCPT TO:<x@elsewhere.org>")).toMatch(/^550/);
  });

  test("a connection without the header is closed without a word", async () => {
    await using run = await startListener({ settings: trusting });
    const talk = await run.open();
    talk.write("EHLO client.example.net\r\n");
    expect(await talk.rest()).toBe("");
  });

  test("a header from somebody else is no command", async () => {
    await using run = await startListener({
      settings: { trust: { ...trusting.trust, proxy: ["192.0.2.1"] } },
    });
    const talk = await run.open();
    await talk.reply();
    talk.write("PROXY TCP4 192.0.2.7 198.51.100.1 12345 25\r\n");
    expect(await talk.reply()).toMatch(/^500/);
  });
});

describe("XCLIENT and XFORWARD", () => {
  test("are offered to trusted proxies only", async () => {
    await using trusted = await startListener({ settings: xtrusting });
    expect(await (await trusted.open()).greet()).toMatch(/\n250-XCLIENT NAME ADDR .*\n250-XFORWARD NAME/);
    await using other = await startListener();
    const talk = await other.open();
    expect(await talk.greet()).not.toContain("XCLIENT");
    expect(await talk.say("XCLIENT ADDR=192.0.2.7")).toMatch(/^502/);
  });

  test("XCLIENT makes the session the named client's, which greets anew", async () => {
    await using run = await startListener({ settings: { ...xtrusting, relayNetworks: ["192.0.2.0/24"] } });
    const talk = await run.open();
    await talk.greet();
    const named = "XCLIENT NAME=mail.example.org ADDR=192.0.2.7 PORT=40025 HELO=real.example.org LOGIN=ann";
    expect(await talk.say(named)).toMatch(/^220 /);
    expect(await talk.say("MAIL FROM:<a@example.net>")).toMatch(/^503/);
    expect(await talk.say("EHLO proxy.example.net")).toContain("Hello [192.0.2.7]");
    await talk.toData(["x@elsewhere.org"]);
    await talk.say("Subject: x\r\n\r\n.");
    const [message] = run.intake.messages;
    expect(message?.origin).toMatchObject({
      clientAddress: "192.0.2.7",
      clientPort: 40_025,
      clientName: "mail.example.org",
      protocol: "ESMTPA",
      heloDomain: "real.example.org",
      user: "ann",
    });
  });

  test("XCLIENT names where the client came in, and a user whom no mechanism of ours has proven", async () => {
    const auth = {
      ...defaultSmtpServerSettings.auth,
      users: { bob: quickHash("s3cret") },
      allowPlaintext: true,
    };
    await using run = await startListener({ settings: { ...xtrusting, auth } });
    const talk = await run.open();
    await talk.greet();
    const secret = Buffer.from("\0bob\0s3cret").toString("base64");
    expect(await talk.say(`AUTH PLAIN ${secret}`)).toMatch(/^235/);
    expect(await talk.say("XCLIENT ADDR=192.0.2.7 DESTADDR=198.51.100.1 DESTPORT=587 LOGIN=ann")).toMatch(
      /^220/,
    );
    await talk.say("EHLO client.example.net");
    await talk.toData();
    await talk.say("Subject: x\r\n\r\n.");
    expect(run.intake.messages[0]?.origin).toMatchObject({
      clientPort: undefined,
      clientName: undefined,
      user: "ann",
      authMechanism: undefined,
      serverAddress: "198.51.100.1",
      serverPort: 587,
    });
  });

  test("a client whose address the proxy does not know may not relay because the proxy may", async () => {
    await using run = await startListener({ settings: { ...xtrusting, relayNetworks: ["127.0.0.1"] } });
    const talk = await run.open();
    await talk.greet();
    const asked: string[] = [];
    for (const named of ["NAME=[UNAVAILABLE]", "ADDR=[UNAVAILABLE]", "ADDR=127.0.0.1"]) {
      await talk.say(`XCLIENT ${named}`);
      await talk.say("EHLO client.example.net");
      await talk.say("MAIL FROM:<a@example.net>");
      asked.push((await talk.say("RCPT TO:<x@elsewhere.org>")).slice(0, 3));
      await talk.say("RSET");
    }
    expect(asked).toEqual(["250", "550", "250"]);
  });

  test("XCLIENT may write an IPv4 client as IPv6, which maps it", async () => {
    await using run = await startListener({ settings: xtrusting });
    const talk = await run.open();
    await talk.greet();
    await talk.say("XCLIENT ADDR=IPV6:::FFFF:192.0.2.7");
    expect(await talk.say("EHLO client.example.net")).toContain("Hello [192.0.2.7]");
  });

  test("XFORWARD changes the record of one message and nothing else", async () => {
    await using run = await startListener({ settings: xtrusting });
    const talk = await run.open();
    await talk.greet();
    expect(await talk.say("XFORWARD NAME=spike.example.org ADDR=IPV6:2001:db8::7")).toMatch(/^250/);
    expect(await talk.say("XFORWARD IDENT=[UNAVAILABLE] PROTO=UTF8SMTPSA SOURCE=REMOTE")).toMatch(/^250/);
    for (let round = 0; round < 2; round += 1) {
      await talk.toData();
      await talk.say("Subject: x\r\n\r\n.");
    }
    expect(run.intake.messages.map(({ origin }) => [origin.clientAddress, origin.forwarded])).toEqual([
      [
        "127.0.0.1",
        { NAME: "spike.example.org", ADDR: "2001:db8::7", PROTO: "UTF8SMTPSA", SOURCE: "REMOTE" },
      ],
      ["127.0.0.1", undefined],
    ]);
  });

  test("neither comes in the middle of a transaction", async () => {
    await using run = await startListener({ settings: xtrusting });
    const talk = await run.open();
    await talk.greet();
    await talk.say("MAIL FROM:<a@example.net>");
    expect(await talk.say("XCLIENT ADDR=192.0.2.7")).toMatch(/^503/);
  });

  test.each([
    "",
    "ADDR",
    "ADDR=",
    "ADDR=mail.example.org",
    "FOO=1",
    "NAME=a+0D+0Ab",
    "NAME=a+G0",
    "PORT=70000",
  ])("%j is malformed", (argument) => {
    expect(parseClientAttributes(argument, XCLIENT_ATTRIBUTES)).toBeUndefined();
  });

  test.each([
    ["SOURCE=local", true],
    ["SOURCE=REMOTE", true],
    ["SOURCE=[UNAVAILABLE]", true],
    ["SOURCE=xLOCAL", false],
    ["SOURCE=LOCALx", false],
    ["PROTO=UTF8SMTPSA", true],
    ["PROTO=a.b", false],
    ["DESTPORT=25", false],
  ])("XFORWARD %s: %s", (argument, isTaken) => {
    expect(parseClientAttributes(argument, XFORWARD_ATTRIBUTES) !== undefined).toBe(isTaken);
  });
});

describe("ETRN (RFC 1985)", () => {
  /** What waits, by domain. */
  const listening = (waiting: ReadonlyMap<string, number>, etrnDomains: string[]): Promise<RunningListener> =>
    startListener({
      settings: { etrnDomains, keywords: ["ETRN"] },
      startQueues: (isAsked) =>
        [...waiting].reduce((sum, [domain, count]) => sum + (isAsked(domain) ? count : 0), 0),
    });

  test("starts the queue of a listed domain and says how much waits", async () => {
    const waiting = new Map([["example.org", 3]]);
    await using run = await listening(waiting, ["example.org"]);
    const talk = await run.open();
    expect(await talk.greet()).toContain("250-ETRN");
    expect(await talk.say("ETRN Example.org.")).toMatch(/^253 .*3 pending/);
    waiting.clear();
    expect(await talk.say("ETRN example.org")).toMatch(/^251/);
    expect(await talk.say("ETRN example.com")).toMatch(/^459/);
    expect(await talk.say("ETRN @")).toMatch(/^501/);
  });

  test("with @ starts those subdomains that may ask as well, and no queue by its name", async () => {
    const waiting = new Map([
      ["example.org", 1],
      ["a.example.org", 10],
      ["b.a.example.org", 100],
      ["notexample.org", 1000],
    ]);
    for (const [listed, answers] of [
      [["*.example.org"], { "example.org": /^459/, "a.example.org": /^253 .* 10 /, "@example.org": /110/ }],
      [["example.org"], { "@example.org": /^253 .* 1 /, "@a.example.org": /^459/, "#example.org": /^459/ }],
    ] as const) {
      await using run = await listening(waiting, [...listed]);
      const talk = await run.open();
      await talk.greet();
      for (const [node, answer] of Object.entries(answers))
        expect(await talk.say(`ETRN ${node}`)).toMatch(answer);
    }
  });

  test("says 250 where nobody can tell yet how much waits", async () => {
    await using run = await startListener({
      settings: { etrnDomains: ["example.org"], keywords: ["ETRN"] },
      startQueues: () => undefined,
    });
    const talk = await run.open();
    await talk.greet();
    expect(await talk.say("ETRN example.org")).toBe("250 2.0.0 OK, queuing for node example.org started");
  });

  test("is not known where nobody is listed", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.greet();
    expect(await talk.say("ETRN example.org")).toMatch(/^502/);
  });
});

test("a balancer's header comes before the TLS handshake", async () => {
  await using run = await startListener({
    settings: {
      ...trusting,
      tls: { certificate: pem("certificate"), key: pem("key"), implicit: [{ host: "127.0.0.1", port: 0 }] },
    },
  });
  const plain = connect(run.ports[1] ?? 0, "127.0.0.1");
  plain.write("PROXY TCP4 192.0.2.7 198.51.100.1 12345 25\r\n");
  const secure = connectTls({ socket: plain, rejectUnauthorized: false });
  const talk = new Talk(secure);
  expect(await talk.greet()).toContain("Hello [192.0.2.7]");
  secure.destroy();
});
