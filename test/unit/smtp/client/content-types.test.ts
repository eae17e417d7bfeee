// BDAT, BINARYMIME, 8BITMIME and SMTPUTF8 towards peers that offer them, lack them, or lie about them.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Content } from "../../../../src/message/content.ts";
import type { ConvertBody, OutboundMessage, SignOutbound } from "../../../../src/smtp/client/destination.ts";
import { createBodyConverter } from "../../../../src/transport/couriers/body-converter.ts";
import { codesOf, destinationTo, DROP, messageOf, reportOf, startPeer, unreachableOf } from "./support.ts";
import { BOTH_PATHS } from "./watched.ts";

const offering = (...keywords: string[]): { EHLO: string } => ({
  EHLO: ["250-peer.example", ...keywords.map((keyword) => `250-${keyword}`), "250 HELP"].join("\r\n"),
});
const BINARY = offering("PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME");
const unlessSigned: ConvertBody = createBodyConverter({ policy: "unless-signed", maxBytes: 1_000_000 });

const HEAD = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/x-thing\r\n";
const BINARY_TEXT = `${HEAD}Content-Transfer-Encoding: binary\r\n\r\n.\0\n\xff\r.`;
const binaryMessage = (): OutboundMessage =>
  messageOf({ text: Buffer.from(BINARY_TEXT, "latin1"), body: "BINARYMIME" });
const EIGHT_BIT =
  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße and plain words\r\n";

describe.each(BOTH_PATHS)("content, %s", (path, options) => {
  test("BINARYMIME goes out by BDAT, byte for byte", async () => {
    await using peer = await startPeer({ answers: BINARY });
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([250]);
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([250]);
    const [session] = peer.sessions;
    expect(session?.lines.slice(1, 4)).toEqual([
      "MAIL FROM:<alice@example.com> BODY=BINARYMIME",
      "RCPT TO:<bob@example.net>",
      `BDAT ${BINARY_TEXT.length} LAST`,
    ]);
    expect(session?.chunks).toEqual([BINARY_TEXT, BINARY_TEXT]);
  });

  test("what is signed goes out by BDAT when no CR or LF stands alone in it, and else converted, by DATA", async () => {
    await using peer = await startPeer({ answers: BINARY });
    const sign: SignOutbound = ({ content }) =>
      content.splice([{ start: 0, end: 0, bytes: Buffer.from("X-Signed: yes\r\n") }]);
    const signing = { ...options(), convertBody: unlessSigned, sign };
    await using destination = destinationTo(peer, { ...signing, maxConnections: 1 });
    const wholeLines = `${HEAD}Content-Transfer-Encoding: binary\r\n\r\n\0\xff\r\n.\r\n`;
    const text = Buffer.from(wholeLines, "latin1");
    expect(codesOf(await destination.deliver(messageOf({ text, body: "BINARYMIME" })))).toEqual([250]);
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([250]);
    await using unable = destinationTo(peer, { ...signing, convertBody: undefined });
    expect(codesOf(await unable.deliver(binaryMessage()))).toEqual([250]);
    await using ofOthers = destinationTo(peer, { ...signing, sign: ({ content }) => content });
    expect(codesOf(await ofOthers.deliver(binaryMessage()))).toEqual([250]);
    const chunks = peer.sessions.flatMap((session) => session.chunks);
    expect(chunks).toEqual([`X-Signed: yes\r\n${wholeLines}`, BINARY_TEXT, BINARY_TEXT]);
    expect(peer.sessions.flatMap(({ messages }) => messages)).toEqual([
      `X-Signed: yes\r\n${HEAD}Content-Transfer-Encoding: base64\r\n\r\nLgAK/w0u\r\n.\r\n`,
    ]);
  });

  test("BDAT is not sent when every recipient was refused", async () => {
    await using peer = await startPeer({ answers: { ...BINARY, RCPT: "550 5.1.1 nobody" } });
    await using destination = destinationTo(peer, options());
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([550]);
    expect(peer.sessions[0]?.lines.join("\n")).not.toContain("BDAT");
  });

  test("a refused chunk is the reply of all recipients, and the connection serves the next message", async () => {
    let chunks = 0;
    await using peer = await startPeer({
      answers: { ...BINARY, BDAT: () => (++chunks === 1 ? "552 5.3.4 too much" : "250 2.0.0 Ok") },
    });
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([552]);
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(1);
  });

  test("a connection that breaks behind the chunk may have delivered it (N02)", async () => {
    await using peer = await startPeer({ answers: { ...BINARY, BDAT: DROP } });
    await using destination = destinationTo(peer, options());
    expect(unreachableOf(await destination.deliver(binaryMessage()))).toMatchObject({ mayDuplicate: true });
  });

  test("CHUNKING that was a lie ends the connection, and the message goes out by DATA (N05)", async () => {
    await using peer = await startPeer({
      answers: { ...BINARY, BDAT: "500 5.5.1 What?" },
      readsChunks: false,
    });
    await using destination = destinationTo(peer, { ...options(), convertBody: unlessSigned });
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(2);
    expect(peer.sessions[0]?.messages).toEqual([]);
    expect(peer.sessions[1]?.messages[0]).toContain(
      Buffer.from("..\0\n\xff\r.", "latin1").subarray(1).toString("base64"),
    );
  });

  test.each([
    ["a host without BINARYMIME", "smtp", "MAIL FROM:<alice@example.com> BODY=8BITMIME"],
    [
      "LMTP, where sinks are shown one reply",
      "lmtp",
      path === "pipelined"
        ? "MAIL FROM:<alice@example.com> BODY=BINARYMIME"
        : "MAIL FROM:<alice@example.com> BODY=8BITMIME",
    ],
  ] as const)("plain text that was declared BINARYMIME is taken by %s", async (_, dialect, mail) => {
    const answers = {
      ...offering("PIPELINING", "8BITMIME"),
      LHLO: BINARY.EHLO,
      BDAT: "250 2.0.0 bob\r\n250 2.0.0 eve",
      ...(dialect === "lmtp" ? { ".": "250 2.0.0 bob\r\n250 2.0.0 eve" } : {}),
    };
    await using peer = await startPeer({ answers });
    await using destination = destinationTo(peer, { ...options(), dialect, convertBody: unlessSigned });
    const message = messageOf({ to: ["bob@x.example", "eve@x.example"], body: "BINARYMIME" });
    expect(codesOf(await destination.deliver(message))).toEqual([250, 250]);
    expect(peer.sessions[0]?.lines[1]).toBe(mail);
  });

  test("always: whatever has whole lines goes out by BDAT, of any size; what has not, by DATA", async () => {
    await using peer = await startPeer({ answers: BINARY });
    await using destination = destinationTo(peer, { ...options(), chunking: "always", maxConnections: 1 });
    const folder = await mkdtemp(join(tmpdir(), "onarrival-chunks-"));
    try {
      const start = Buffer.from("Subject: big\r\n\r\n.\r\n");
      const rest = Buffer.from(".0123456789abcdef\r\n".repeat(60_000));
      await writeFile(join(folder, "content"), rest);
      const content = Content.fromFile(start, {
        path: join(folder, "content"),
        offset: 0,
        length: rest.length,
      });
      expect(codesOf(await destination.deliver({ ...messageOf({ content }), crlfOnly: true }))).toEqual([
        250,
      ]);
      expect(codesOf(await destination.deliver({ ...messageOf(), crlfOnly: true }))).toEqual([250]);
      expect(codesOf(await destination.deliver(messageOf({ text: "A: b\r\n\r\nbare\nline\r\n" })))).toEqual([
        250,
      ]);
      expect(peer.sessions[0]?.chunks).toEqual([
        `${start.toString()}${rest.toString()}`,
        "Subject: hello\r\n\r\nHello\r\n",
      ]);
      expect(peer.sessions[0]?.messages).toEqual(["A: b\r\n\r\nbare\r\nline\r\n.\r\n"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("never: BINARYMIME is converted even for a host that takes it", async () => {
    await using peer = await startPeer({ answers: BINARY });
    await using destination = destinationTo(peer, {
      ...options(),
      chunking: "never",
      convertBody: unlessSigned,
    });
    expect(codesOf(await destination.deliver(binaryMessage()))).toEqual([250]);
    expect(peer.sessions[0]?.lines).toContain("MAIL FROM:<alice@example.com> BODY=8BITMIME");
    expect(peer.sessions[0]?.messages[0]).toContain("Content-Transfer-Encoding: base64\r\n");
  });

  test("BINARYMIME comes back where it is neither taken nor converted", async () => {
    await using peer = await startPeer();
    await using without = destinationTo(peer, options());
    expect(reportOf(await without.deliver(binaryMessage())).replies).toMatchObject([
      { code: 554, detail: "6.3" },
    ]);
    const never = createBodyConverter({ policy: "never", maxBytes: 1_000_000 });
    await using refusing = destinationTo(peer, { ...options(), convertBody: never });
    expect(reportOf(await refusing.deliver(binaryMessage())).replies).toMatchObject([
      { code: 554, detail: "6.2" },
    ]);
    expect(peer.sessions[0]?.messages).toEqual([]);
  });

  test("8-bit text becomes 7-bit for a host without 8BITMIME, and stays for one with it (N13)", async () => {
    await using lacking = await startPeer({ answers: offering("PIPELINING") });
    await using having = await startPeer();
    const messages: string[] = [];
    for (const peer of [lacking, having]) {
      await using destination = destinationTo(peer, { ...options(), convertBody: unlessSigned });
      expect(codesOf(await destination.deliver(messageOf({ text: EIGHT_BIT, body: "8BITMIME" })))).toEqual([
        250,
      ]);
      messages.push(Buffer.from(peer.sessions[0]?.messages[0] ?? "", "latin1").toString());
    }
    expect(messages).toEqual([
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe and plain words\r\n.\r\n",
      `${EIGHT_BIT}.\r\n`,
    ]);
    expect(lacking.sessions[0]?.lines).toContain("MAIL FROM:<alice@example.com>");
  });

  test.each([
    ["unless-signed", 554, "6.2"],
    ["always", 250, "0.0"],
    ["never", 250, "0.0"],
  ] as const)("signed 8-bit mail for a host without 8BITMIME, %s: %i (N13)", async (policy, code, detail) => {
    await using peer = await startPeer({ answers: offering("PIPELINING") });
    const convertBody = createBodyConverter({ policy, maxBytes: 1_000_000 });
    await using destination = destinationTo(peer, { ...options(), convertBody, maxConnections: 1 });
    const text = `DKIM-Signature: v=1\r\n${EIGHT_BIT}`;
    const outcome = await destination.deliver(messageOf({ text, body: "8BITMIME" }));
    expect(reportOf(outcome).replies).toMatchObject([{ code, detail }]);
    // The connection is as good as before.
    expect(codesOf(await destination.deliver(messageOf()))).toEqual([250]);
    expect(peer.sessions).toHaveLength(1);
    const first = Buffer.from(peer.sessions[0]?.messages[0] ?? "", "latin1").toString();
    expect(first.includes("Grüße")).toBe(policy === "never");
  });

  test("content too large to be converted comes back, content on disk is looked at as well", async () => {
    const folder = await mkdtemp(join(tmpdir(), "onarrival-convert-"));
    try {
      const start = Buffer.from("Content-Type: text/plain; charset=utf-8\r\n\r\n");
      const rest = Buffer.from("sieben\r\n".repeat(1000) + "Grüße\r\n");
      await writeFile(join(folder, "content"), rest);
      const content = Content.fromFile(start, {
        path: join(folder, "content"),
        offset: 0,
        length: rest.length,
      });
      await using peer = await startPeer({ answers: offering("PIPELINING") });
      for (const [maxBytes, code] of [
        [100, 554],
        [100_000, 250],
      ] as const) {
        const convertBody = createBodyConverter({ policy: "always", maxBytes });
        await using destination = destinationTo(peer, { ...options(), convertBody });
        expect(codesOf(await destination.deliver(messageOf({ content })))).toEqual([code]);
      }
      expect(peer.sessions.at(-1)?.messages[0]).toContain("Gr=C3=BC=C3=9Fe");
      const lost = Content.fromFile(start, { path: join(folder, "gone"), offset: 0, length: 9 });
      await using destination = destinationTo(peer, { ...options(), convertBody: unlessSigned });
      const outcome = await destination.deliver(messageOf({ content: lost }));
      if (path === "pipelined") expect(unreachableOf(outcome).reason).toContain("cannot be read");
      else expect(codesOf(outcome)).toEqual([451]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a domain outside ASCII goes to a host without SMTPUTF8 as A-labels, a local part comes back", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    const outcome = await destination.deliver(
      messageOf({
        sender: "anna@bücher.example",
        to: ["bob@straße.example", "jürgen@example.net"],
        smtpUtf8: true,
      }),
    );
    expect(reportOf(outcome).replies).toMatchObject([{ code: 250 }, { code: 550, detail: "6.7" }]);
    expect(peer.sessions[0]?.lines.slice(1, 3)).toEqual([
      "MAIL FROM:<anna@xn--bcher-kva.example> SIZE=25",
      "RCPT TO:<bob@xn--strae-oqa.example>",
    ]);
  });

  test("UTF-8 in header fields comes back from a host without SMTPUTF8; undeclared 8-bit fields go as they came", async () => {
    await using peer = await startPeer();
    await using destination = destinationTo(peer, { ...options(), maxConnections: 1 });
    const text = "From: Jürgen <j@example.com>\r\n\r\nx\r\n";
    const refused = await destination.deliver(messageOf({ text, smtpUtf8: true }));
    expect(reportOf(refused).replies).toMatchObject([{ code: 550, detail: "6.7" }]);
    expect(codesOf(await destination.deliver(messageOf({ text })))).toEqual([250]);
    expect(Buffer.from(peer.sessions[0]?.messages[0] ?? "", "latin1").toString()).toBe(`${text}.\r\n`);
  });
});

const toTwo = (): OutboundMessage => ({
  ...binaryMessage(),
  recipients: messageOf({ to: ["bob@x.example", "eve@x.example"] }).recipients,
});

test("a chunk over LMTP that one recipient has is not sent again because of what is said of another (N05)", async () => {
  await using peer = await startPeer({
    answers: { LHLO: BINARY.EHLO, BDAT: "250 2.0.0 bob\r\n503 5.5.1 not eve" },
  });
  await using destination = destinationTo(peer, { dialect: "lmtp" });
  expect(codesOf(await destination.deliver(toTwo()))).toEqual([250, 503]);
  expect(peer.sessions.map(({ chunks }) => chunks)).toEqual([[BINARY_TEXT]]);
});

test.each([500, 502, 503, 504])(
  "a chunk over LMTP that is refused for the first recipient with %i is not sent again when another one has it (N05)",
  async (code) => {
    await using peer = await startPeer({
      answers: { LHLO: BINARY.EHLO, BDAT: `${code} 5.5.1 not bob\r\n250 2.0.0 eve` },
    });
    await using destination = destinationTo(peer, { dialect: "lmtp", maxConnections: 1 });
    for (let round = 0; round < 2; round += 1)
      expect(codesOf(await destination.deliver(toTwo()))).toEqual([code, 250]);
    // What is still on the way may be said of content that was read as commands: not to the next message.
    expect(peer.sessions.map(({ chunks }) => chunks)).toEqual([[BINARY_TEXT], [BINARY_TEXT]]);
  },
);

test.each([
  ["answers each line", "500 5.5.2 What?"],
  ["closes the channel", "421 4.7.0 Too many errors"],
  ["hangs up", DROP],
] as const)("LMTP that does not know BDAT and then %s gets the message by DATA (N05)", async (_, said) => {
  await using peer = await startPeer({
    answers: {
      LHLO: BINARY.EHLO,
      BDAT: "500 5.5.1 What?",
      "*": said,
      ".": "250 2.0.0 bob\r\n250 2.0.0 eve",
    },
    readsChunks: false,
  });
  await using destination = destinationTo(peer, { dialect: "lmtp", convertBody: unlessSigned });
  expect(codesOf(await destination.deliver(toTwo()))).toEqual([250, 250]);
  expect(peer.sessions.map(({ messages }) => messages.length)).toEqual([0, 1]);
});
