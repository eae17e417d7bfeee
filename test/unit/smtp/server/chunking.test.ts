import { describe, expect, test } from "vitest";
import { BareLineEndingScan } from "../../../../src/smtp/server/bare-line-endings.ts";
import { type RunningListener, startListener, type Talk } from "./support.ts";

const HEADER = "Subject: x\r\n\r\n";

async function begin(run: RunningListener, parameters = ""): Promise<Talk> {
  const talk = await run.open();
  await talk.greet();
  await talk.say(`MAIL FROM:<a@example.net>${parameters}`);
  await talk.say("RCPT TO:<b@example.com>");
  return talk;
}

const chunk = (content: string, last = false): string =>
  `BDAT ${Buffer.byteLength(content, "latin1")}${last ? " LAST" : ""}\r\n${content}`;

async function bodyOf(run: RunningListener, at = 0): Promise<string> {
  const message = run.intake.messages[at];
  if (message === undefined) throw new Error("no message was taken");
  const bytes = await message.content.toBuffer();
  return bytes.toString("latin1").replace(/^Received:.*\r\n(?:[ \t].*\r\n)*/, "");
}

describe("BDAT (RFC 3030)", () => {
  test("EHLO offers CHUNKING and BINARYMIME", async () => {
    await using run = await startListener();
    const talk = await run.open();
    expect(await talk.greet()).toMatch(/\n250-CHUNKING\n250-BINARYMIME\n/);
  });

  test("a message in several chunks arrives byte for byte, dots and all", async () => {
    await using run = await startListener();
    const talk = await begin(run);
    talk.write(chunk(HEADER) + chunk("one\r\n.\r\n..two\r\n") + chunk("", true));
    expect(await talk.reply()).toBe(`250 2.0.0 ${HEADER.length} octets received`);
    expect(await talk.reply()).toMatch(/^250 2\.0\.0 \d+ octets received$/);
    expect(await talk.reply()).toMatch(/^250 2\.6\.0/);
    expect(await bodyOf(run)).toBe(`${HEADER}one\r\n.\r\n..two\r\n`);
  });

  test("S13 the same dialogue split at every byte has the same result", async () => {
    await using run = await startListener();
    const dialogue = `${chunk(HEADER)}${chunk("QUIT\r\n")}${chunk("x\r\n", true)}NOOP\r\n`;
    for (let at = 1; at < dialogue.length; at += 1) {
      const talk = await begin(run);
      talk.write(dialogue.slice(0, at));
      await new Promise((resolve) => void setImmediate(resolve));
      talk.write(dialogue.slice(at));
      const replies = [await talk.reply(), await talk.reply(), await talk.reply(), await talk.reply()];
      expect(replies.map((text) => text.slice(0, 9))).toEqual([
        "250 2.0.0",
        "250 2.0.0",
        "250 2.6.0",
        "250 2.0.0",
      ]);
      talk.socket.destroy();
      expect(await bodyOf(run, at - 1)).toBe(`${HEADER}QUIT\r\nx\r\n`);
    }
  });

  test("chunks of one byte are kept together, and are the message", async () => {
    await using run = await startListener();
    const talk = await begin(run);
    const body = Array.from({ length: 20_000 }, (_, at) => String(at % 10)).join("");
    talk.write(
      chunk(`${HEADER}-`) +
        body
          .split("")
          .map((digit) => chunk(digit))
          .join("") +
        chunk("\r\n", true),
    );
    for (let count = 0; count < body.length + 1; count += 1)
      expect(await talk.reply()).toMatch(/^250 2\.0\.0/);
    expect(await talk.reply()).toMatch(/^250 2\.6\.0/);
    expect(await bodyOf(run)).toBe(`${HEADER}-${body}\r\n`);
    expect(run.intake.messages[0]?.content.pieces.length).toBeLessThan(20);
  });

  describe("S08 framing is never lost", () => {
    test("a chunk before RCPT is skipped, not obeyed", async () => {
      await using run = await startListener();
      const talk = await run.open();
      await talk.greet();
      talk.write(`${chunk("QUIT\r\n", true)}NOOP\r\n`);
      expect(await talk.reply()).toMatch(/^503/);
      expect(await talk.reply()).toMatch(/^250/);
    });

    test("BDAT LAST twice, DATA and RCPT after BDAT are refused", async () => {
      await using run = await startListener();
      const talk = await begin(run);
      talk.write(`${chunk(HEADER)}RCPT TO:<c@example.com>\r\nDATA\r\n`);
      expect(await talk.reply()).toMatch(/^250/);
      expect(await talk.reply()).toMatch(/^503/);
      expect(await talk.reply()).toMatch(/^503/);
      talk.write(chunk("x\r\n", true) + chunk("y\r\n", true));
      expect(await talk.reply()).toMatch(/^250 2\.6\.0/);
      expect(await talk.reply()).toMatch(/^503/);
      expect(await talk.say("NOOP")).toMatch(/^250/);
      expect(run.intake.messages).toHaveLength(1);
    });

    test("RSET between chunks forgets the message", async () => {
      await using run = await startListener();
      const talk = await begin(run);
      await talk.say(`${chunk(HEADER)}RSET`);
      expect(await talk.reply()).toBe("250 2.0.0 Resetting");
      talk.write(chunk("x", true));
      expect(await talk.reply()).toMatch(/^503/);
      expect(run.intake.messages).toHaveLength(0);
    });

    test.each(["-1", "0x10", "1e3", "", "99999999999999999999", "10 FIRST", "10 LAST LAST"])(
      "BDAT %s ends the session: nobody knows where the next command begins",
      async (argument) => {
        await using run = await startListener();
        const talk = await begin(run);
        talk.write(`BDAT ${argument}\r\nMAIL FROM:<x@example.net>\r\n`);
        expect(await talk.rest()).toMatch(/^501 [^\r]*\r\n$/);
      },
    );

    test("a huge size is refused when the limit is reached, not when memory is", async () => {
      await using run = await startListener({ settings: { maxMessageSize: 1000, maxSessionSize: 50_000 } });
      const talk = await begin(run);
      talk.write("BDAT 9000000000 LAST\r\n");
      talk.write("x".repeat(60_000));
      expect(await talk.rest()).toMatch(/^421 4\.3\.4/);
      expect(run.intake.messages).toHaveLength(0);
    });

    test("chunks beyond the largest message are counted and refused, the session goes on", async () => {
      await using run = await startListener({ settings: { maxMessageSize: 1000 } });
      const talk = await begin(run);
      talk.write(chunk(HEADER + "x".repeat(2000)) + chunk("y", true));
      expect(await talk.reply()).toMatch(/^552/);
      expect(await talk.reply()).toMatch(/^552/);
      expect(await talk.say("NOOP")).toMatch(/^250/);
    });

    test("a client that leaves in the middle of the last chunk leaves no message", async () => {
      await using run = await startListener();
      const talk = await begin(run);
      talk.write(`BDAT 100 LAST\r\n${HEADER}half`);
      talk.socket.end();
      await talk.rest();
      expect(run.intake.messages).toHaveLength(0);
    });
  });

  test("bare line endings are refused as with DATA, except in binary content", async () => {
    await using run = await startListener();
    const talk = await begin(run);
    talk.write(chunk(`${HEADER}a\nb\r\n`, true));
    expect(await talk.reply()).toMatch(/^550 5\.6\.11 Message contains a bare LF/);
    const binary = await begin(run, " BODY=BINARYMIME");
    expect(await binary.say("DATA")).toMatch(/^503/);
    binary.write(chunk(`${HEADER}a\nb\r\0\r`, true));
    expect(await binary.reply()).toMatch(/^250 2\.6\.0/);
    expect(await bodyOf(run)).toBe(`${HEADER}a\nb\r\0\r`);
    expect(run.intake.messages[0]).toMatchObject({ envelope: { body: "BINARYMIME" } });
    expect(run.intake.messages[0]?.origin.crlfOnly).toBeUndefined();
  });

  test("without the keyword it is not served, and its bytes are skipped", async () => {
    await using run = await startListener({ settings: { keywords: ["SIZE", "8BITMIME"] } });
    const talk = await run.open();
    expect(await talk.greet()).not.toMatch(/CHUNKING|DSN|PIPELINING/);
    expect(await talk.say("MAIL FROM:<a@example.net> BODY=BINARYMIME")).toMatch(/^501/);
    expect(await talk.say("MAIL FROM:<a@example.net> RET=HDRS")).toMatch(/^555/);
    talk.write(`${chunk("QUIT\r\n")}NOOP\r\n`);
    expect(await talk.reply()).toMatch(/^502/);
    expect(await talk.reply()).toMatch(/^250/);
  });
});

describe("the scan for bare line endings", () => {
  test.each([
    [["a\r\nb\r\n"], undefined],
    [["a\r", "\nb"], undefined],
    [["a\r", "b"], "CR"],
    [["a\r"], "CR"],
    [["\r", "\r", "\n"], "CR"],
    [["a", "\n"], "LF"],
    [["\r\n", "\n"], "LF"],
    [["", "a\rb\n"], "CR"],
  ])("%j: %s", (chunks, found) => {
    const scan = new BareLineEndingScan();
    for (const text of chunks) scan.add(Buffer.from(text));
    expect(scan.end()).toBe(found);
  });
});

describe("LMTP (RFC 2033)", () => {
  test("greets with LHLO and answers the end of data for each accepted recipient", async () => {
    await using run = await startListener({ settings: { protocol: "lmtp" } });
    const talk = await run.open();
    await talk.reply();
    expect(await talk.say("EHLO client.example.net")).toMatch(/^500/);
    expect(await talk.say("HELO client.example.net")).toMatch(/^500/);
    expect(await talk.say("LHLO client.example.net")).toMatch(/^250-/);
    await talk.toData(["b@example.com", "c@example.com", "x@elsewhere.org", "b@example.com"]);
    talk.write(`${HEADER}.\r\n`);
    for (let count = 0; count < 3; count += 1) expect(await talk.reply()).toMatch(/^250 2\.6\.0/);
    expect(await talk.say("NOOP")).toMatch(/^250 2\.0\.0 OK/);
    expect(run.intake.messages).toHaveLength(1);
    expect(run.intake.messages[0]?.content.header.toString()).toContain("with LMTP id m1");
  });

  test("the trace field tells of SMTPUTF8, too (RFC 6531 §4.3)", async () => {
    await using run = await startListener({ settings: { protocol: "lmtp" } });
    const talk = await run.open();
    await talk.reply();
    await talk.say("LHLO client.example.net");
    await talk.say("MAIL FROM:<é@example.net> SMTPUTF8");
    await talk.say("RCPT TO:<b@example.com>");
    await talk.say("BDAT 2 LAST\r\n");
    expect(run.intake.messages[0]?.content.header.toString()).toContain("with UTF8LMTP id m1");
  });

  test("an SMTP listener does not know LHLO", async () => {
    await using run = await startListener();
    const talk = await run.open();
    await talk.reply();
    expect(await talk.say("LHLO client.example.net")).toMatch(/^500/);
  });
});

test("REQUIRETLS is unknown outside TLS (RFC 8689 §2)", async () => {
  await using run = await startListener();
  const talk = await run.open();
  expect(await talk.greet()).not.toContain("REQUIRETLS");
  expect(await talk.say("MAIL FROM:<a@example.net> REQUIRETLS")).toMatch(/^555/);
});
